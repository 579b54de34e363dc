import { useId } from "react";
import type { DeviceState, LocalMedia } from "../media/local_media.js";
import { explain, type Device } from "../media/problems.js";
import { Icon } from "../ui/icons.js";

interface DeviceRowProps {
  readonly device: Device;
  readonly label: string;
  readonly state: DeviceState;
  readonly choices: readonly MediaDeviceInfo[];
  readonly media: LocalMedia;
}

/** A switch and a choice for one kind of device, with what is wrong in plain words. */
export function DeviceRow({ device, label, state, choices, media }: DeviceRowProps) {
  const id = useId();
  const on = state.state === "on" || state.state === "starting";
  const toggle = (): void => {
    if (on) media.stop(device);
    else void media.start(device);
  };
  return (
    <div className="device-row">
      <button
        type="button"
        className="switch"
        aria-pressed={on}
        aria-label={on ? `Turn ${device} off` : `Turn ${device} on`}
        data-testid={`lobby-${device}`}
        onClick={toggle}
      >
        <Icon name={iconOf(device, on)} />
      </button>
      <div className="device-choice">
        <label htmlFor={id}>{label}</label>
        <select
          id={id}
          value={state.deviceId ?? ""}
          disabled={choices.length === 0}
          onChange={(event) => void media.start(device, event.target.value)}
        >
          {choices.length === 0 && <option value="">{placeholder(state)}</option>}
          {choices.map((choice, index) => (
            <option key={choice.deviceId} value={choice.deviceId}>
              {choice.label || `${label} ${index + 1}`}
            </option>
          ))}
        </select>
      </div>
      {state.problem && device === "microphone" && (
        <p className="problem" role="alert">
          {explain(device, state.problem)}
        </p>
      )}
    </div>
  );
}

function placeholder(state: DeviceState): string {
  if (state.problem === "denied") return "Not allowed";
  return state.state === "starting" ? "Waiting for your permission" : "None to choose from";
}

function iconOf(device: Device, on: boolean): "mic" | "micOff" | "camera" | "cameraOff" {
  if (device === "camera") return on ? "camera" : "cameraOff";
  return on ? "mic" : "micOff";
}
