import { useEffect, useRef } from "react";
import { watchLevel } from "../media/level.js";

/** Bars that rise with the voice; written straight into the style, sixty times a second is no matter for React. */
export function LevelMeter({ track }: { readonly track: MediaStreamTrack }) {
  const meter = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = meter.current;
    const stop = watchLevel(track, (level) => element?.style.setProperty("--level", level.toFixed(3)));
    return () => {
      stop();
      element?.style.setProperty("--level", "0");
    };
  }, [track]);
  return <div className="level-meter" ref={meter} data-testid="level-meter" aria-hidden="true" />;
}
