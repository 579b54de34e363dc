import { useEffect, type RefObject } from "react";

/** The element plays the track. `onBlocked`: the browser wants a click before it lets sound out. */
export function useMedia(
  element: RefObject<HTMLMediaElement | null>,
  track: MediaStreamTrack | null,
  onBlocked?: (blocked: boolean) => void,
): void {
  useEffect(() => {
    const media = element.current;
    return media && track ? play(media, track, onBlocked) : undefined;
  }, [element, track, onBlocked]);
}

function play(media: HTMLMediaElement, track: MediaStreamTrack, onBlocked?: (blocked: boolean) => void): () => void {
  media.srcObject = new MediaStream([track]);
  media.play().catch((problem: unknown) => {
    // AbortError: another track took its place before this one began.
    if (problem instanceof DOMException && problem.name === "NotAllowedError") onBlocked?.(true);
  });
  return () => {
    media.srcObject = null;
  };
}
