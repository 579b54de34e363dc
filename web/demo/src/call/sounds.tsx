import { useRef, useState } from "react";
import { useMedia } from "../ui/media_element.js";
import type { Sound } from "./tiles.js";

/** Plays everybody. Browsers may want a click first: then there is a button for it. */
export function Sounds({ sounds }: { readonly sounds: readonly Sound[] }) {
  const [blocked, setBlocked] = useState(false);
  const [round, setRound] = useState(0);
  return (
    <>
      {sounds.map(({ key, media }) => (
        <SoundElement key={`${key}-${round}`} media={media} onBlocked={setBlocked} />
      ))}
      {blocked && (
        <button
          type="button"
          className="banner banner-action"
          onClick={() => {
            setBlocked(false);
            setRound(round + 1);
          }}
        >
          Turn the sound on
        </button>
      )}
    </>
  );
}

interface SoundElementProps {
  readonly media: MediaStreamTrack;
  readonly onBlocked: (blocked: boolean) => void;
}

function SoundElement({ media, onBlocked }: SoundElementProps) {
  const audio = useRef<HTMLAudioElement>(null);
  useMedia(audio, media, onBlocked);
  return <audio ref={audio} autoPlay />;
}
