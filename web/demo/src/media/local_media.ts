import { deviceProblem, type Device, type DeviceProblem } from "./problems.js";

export interface DeviceState {
  readonly state: "off" | "starting" | "on" | "problem";
  readonly track: MediaStreamTrack | null;
  readonly problem: DeviceProblem | null;
  /** The chosen device; null for the system's own choice. */
  readonly deviceId: string | null;
}

export interface LocalMediaState {
  readonly camera: DeviceState;
  readonly microphone: DeviceState;
  readonly cameras: readonly MediaDeviceInfo[];
  readonly microphones: readonly MediaDeviceInfo[];
}

const OFF: DeviceState = { state: "off", track: null, problem: null, deviceId: null };

/** The camera and the microphone of this computer: opened, switched, closed. The lobby and the call share it. */
export class LocalMedia {
  #state: LocalMediaState = { camera: OFF, microphone: OFF, cameras: [], microphones: [] };
  readonly #listeners = new Set<() => void>();

  constructor() {
    // Absent on pages that did not come over a secure connection, whatever the types say.
    (navigator.mediaDevices as MediaDevices | undefined)?.addEventListener("devicechange", () => void this.#list());
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly state = (): LocalMediaState => this.#state;

  /** Both at once, so that the browser asks only once; one by one where that fails. */
  async open(): Promise<void> {
    this.#become("camera", "starting");
    this.#become("microphone", "starting");
    try {
      const stream = await mediaDevices().getUserMedia({
        video: constraints("camera", null),
        audio: constraints("microphone", null),
      });
      this.#started("camera", stream);
      this.#started("microphone", stream);
      await this.#list();
    } catch {
      // Which of the two it was is told by asking for each.
      await Promise.all([this.start("camera"), this.start("microphone")]);
    }
  }

  /** Answers the track, or null: then the state says why. */
  async start(device: Device, deviceId = this.#state[device].deviceId): Promise<MediaStreamTrack | null> {
    this.#state[device].track?.stop();
    this.#set(device, { state: "starting", track: null, problem: null, deviceId });
    try {
      const wanted = constraints(device, deviceId);
      const stream = await mediaDevices().getUserMedia(device === "camera" ? { video: wanted } : { audio: wanted });
      this.#started(device, stream);
      await this.#list();
    } catch (problem) {
      const reason = window.isSecureContext ? deviceProblem(problem) : "insecure";
      this.#set(device, { state: "problem", track: null, problem: reason, deviceId });
    }
    return this.#state[device].track;
  }

  stop(device: Device): void {
    this.#state[device].track?.stop();
    this.#set(device, { ...this.#state[device], state: "off", track: null, problem: null });
  }

  close(): void {
    this.stop("camera");
    this.stop("microphone");
  }

  #started(device: Device, stream: MediaStream): void {
    const track = (device === "camera" ? stream.getVideoTracks() : stream.getAudioTracks())[0] ?? null;
    // Unplugged, or taken back by the user in the browser's own menu.
    track?.addEventListener("ended", () => {
      if (this.#state[device].track !== track) return;
      this.#set(device, { ...this.#state[device], state: "problem", track: null, problem: "missing" });
    });
    const deviceId = track?.getSettings().deviceId ?? null;
    this.#set(device, { state: track ? "on" : "off", track, problem: null, deviceId });
  }

  async #list(): Promise<void> {
    const devices = await mediaDevices().enumerateDevices();
    const of = (kind: MediaDeviceKind): MediaDeviceInfo[] =>
      devices.filter((device) => device.kind === kind && device.deviceId !== "");
    this.#update({ cameras: of("videoinput"), microphones: of("audioinput") });
  }

  #become(device: Device, state: DeviceState["state"]): void {
    this.#set(device, { ...this.#state[device], state, problem: null });
  }

  #set(device: Device, state: DeviceState): void {
    this.#update({ [device]: state });
  }

  #update(change: Partial<LocalMediaState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** Throws what getUserMedia would where there is none. */
function mediaDevices(): MediaDevices {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) throw new DOMException("not a secure page", "SecurityError");
  return devices;
}

function constraints(device: Device, deviceId: string | null): MediaTrackConstraints {
  const chosen = deviceId === null ? {} : { deviceId: { exact: deviceId } };
  return device === "camera"
    ? { ...chosen, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } }
    : { ...chosen, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
}
