import type { Room } from "@hubbub/client";
import { useLevel, useWatched } from "@hubbub/react";
import { memo, useCallback, useRef } from "react";
import { Avatar } from "../ui/avatar.js";
import { Icon } from "../ui/icons.js";
import { useMedia } from "../ui/media_element.js";
import { Quality } from "./quality.js";
import type { Tile } from "./tiles.js";

interface TileProps {
  readonly room: Room;
  readonly tile: Tile;
}

/** One person's picture, or the place for it. */
export const TileView = memo(function TileView({ room, tile }: TileProps) {
  const { participant, source, media } = tile;
  const element = useRef<HTMLLIElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  useMedia(video, media);
  useWatched(room, tile.trackId, element);
  const rise = useCallback((level: number) => element.current?.style.setProperty("--level", level.toFixed(2)), []);
  useLevel(room, participant.id, rise);
  const mirrored = participant.local && source === "camera";
  const name = label(tile);

  return (
    <li
      ref={element}
      className="tile bubble"
      data-testid="tile"
      data-participant={participant.id}
      data-source={source}
      data-local={participant.local || undefined}
      data-speaking={(source === "camera" && participant.speaking) || undefined}
      aria-label={description(tile)}
    >
      <video
        ref={video}
        data-testid="tile-video"
        className={mirrored ? "mirrored" : undefined}
        hidden={!media}
        muted
        playsInline
        aria-hidden="true"
      />
      {!media && <Avatar identity={participant.identity} name={participant.name} />}
      <span className="tile-name">
        {source === "screen" ? <Icon name="screen" /> : tile.silent && <Icon name="micOff" />}
        <span>{name}</span>
      </span>
      {participant.presence.hand === true && source === "camera" && (
        <span className="tile-hand">
          <Icon name="hand" />
        </span>
      )}
      {source === "camera" && <Quality score={participant.quality} />}
      {tile.held && media && <span className="tile-held">Paused: not enough bandwidth</span>}
    </li>
  );
});

function label({ participant, source }: Tile): string {
  if (participant.local) return source === "screen" ? "Your screen" : "You";
  return source === "screen" ? `${participant.name}’s screen` : participant.name;
}

function description(tile: Tile): string {
  const { participant, source, media, silent } = tile;
  if (source === "screen") return label(tile);
  const facts = [
    label(tile),
    media ? null : "camera off",
    silent ? "muted" : null,
    participant.speaking ? "speaking" : null,
    participant.presence.hand === true ? "hand raised" : null,
  ];
  return facts.filter((fact) => fact !== null).join(", ");
}
