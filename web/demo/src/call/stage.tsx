import type { Room } from "@hubbub/client";
import { useRef, type CSSProperties } from "react";
import { fit } from "./grid.js";
import { TileView } from "./tile.js";
import type { Tile } from "./tiles.js";
import { useSize } from "./use_size.js";

interface StageProps {
  readonly room: Room;
  readonly tiles: readonly Tile[];
}

/** Pixels between tiles; the same as `--gap` in the styles. */
const GAP = 10;

/** Everybody in equal tiles; shared screens large, with the people beside them. */
export function Stage({ room, tiles }: StageProps) {
  const screens = tiles.filter(({ source, participant }) => source === "screen" && !participant.local);
  const rest = tiles.filter((tile) => !screens.includes(tile));
  if (screens.length === 0) return <Grid room={room} tiles={rest} label="People" className="grid" />;
  return (
    <div className="spotlight">
      <Grid room={room} tiles={screens} label="Shared screens" className="grid" />
      <Strip room={room} tiles={rest} />
    </div>
  );
}

interface GridProps extends StageProps {
  readonly label: string;
  readonly className: string;
}

function Grid({ room, tiles, label, className }: GridProps) {
  const element = useRef<HTMLUListElement>(null);
  const { width, height } = useSize(element);
  const tile = fit(tiles.length, width, height, GAP);
  const style = { "--tile-width": `${tile.width}px`, "--tile-height": `${tile.height}px` } as CSSProperties;
  return (
    <ul ref={element} className={className} style={style} aria-label={label} data-alone={(tiles.length === 1 && tiles[0]?.participant.local) || undefined}>
      {tiles.map((item) => (
        <TileView key={item.key} room={room} tile={item} />
      ))}
    </ul>
  );
}

function Strip({ room, tiles }: StageProps) {
  return (
    <ul className="strip" aria-label="People" tabIndex={0}>
      {tiles.map((item) => (
        <TileView key={item.key} room={room} tile={item} />
      ))}
    </ul>
  );
}
