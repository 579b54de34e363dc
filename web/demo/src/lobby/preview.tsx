import { useRef } from "react";
import type { DeviceState } from "../media/local_media.js";
import { explain } from "../media/problems.js";
import { Avatar } from "../ui/avatar.js";
import { useMedia } from "../ui/media_element.js";

interface PreviewProps {
  readonly camera: DeviceState;
  readonly name: string;
}

/** What others are going to see. */
export function Preview({ camera, name }: PreviewProps) {
  const video = useRef<HTMLVideoElement>(null);
  useMedia(video, camera.track);
  return (
    <div className="preview bubble" data-state={camera.state}>
      <video ref={video} className="mirrored" muted playsInline hidden={!camera.track} aria-label="Your camera" />
      {!camera.track && (
        <div className="preview-empty">
          {!camera.problem && <Avatar identity={name || "you"} name={name || "?"} />}
          <p>{message(camera)}</p>
        </div>
      )}
    </div>
  );
}

function message(camera: DeviceState): string {
  if (camera.problem) return explain("camera", camera.problem);
  return camera.state === "starting" ? "Starting your camera. Your browser may ask whether it may." : "Your camera is off.";
}
