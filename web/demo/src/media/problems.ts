/** Why there is no picture or sound, in words for the person in front of the screen. */

export type Device = "camera" | "microphone";

export type DeviceProblem = "denied" | "missing" | "busy" | "insecure" | "failed";

const NAMES: Readonly<Record<string, DeviceProblem>> = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  DevicesNotFoundError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

export function deviceProblem(problem: unknown): DeviceProblem {
  return (problem instanceof DOMException && NAMES[problem.name]) || "failed";
}

export function explain(device: Device, problem: DeviceProblem): string {
  switch (problem) {
    case "denied":
      return `This page may not use your ${device}. Allow it in the address bar (the icon at its left or right end), then try again. You can also join without it.`;
    case "missing":
      return `No ${device} was found. Plug one in and try again, or join without it.`;
    case "busy":
      return `Your ${device} does not answer. Another application may be using it: close that one and try again.`;
    case "insecure":
      return `Browsers lend the ${device} only to pages that came over https or from this computer.`;
    case "failed":
      return `Your ${device} could not be started. Try again, or choose another one.`;
  }
}
