/** How to lay out equal tiles so that they are as large as they can be. */

export interface Fit {
  readonly columns: number;
  /** Pixels of one tile. */
  readonly width: number;
  readonly height: number;
}

/** Tiles are never wider nor taller than this: faces must not be cut off. Phones are held upright. */
const WIDEST = 16 / 9;
const TALLEST = { upright: 3 / 4, lying: 5 / 4 } as const;

export function fit(count: number, width: number, height: number, gap: number): Fit {
  let best: Fit = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const tile = tileOf(count, columns, width, height, gap);
    if (tile.width * tile.height > best.width * best.height) best = tile;
  }
  return best;
}

function tileOf(count: number, columns: number, width: number, height: number, gap: number): Fit {
  const rows = Math.ceil(count / columns);
  const cellWidth = Math.max(0, (width - gap * (columns - 1)) / columns);
  const cellHeight = Math.max(0, (height - gap * (rows - 1)) / rows);
  return {
    columns,
    width: Math.floor(Math.min(cellWidth, cellHeight * WIDEST)),
    height: Math.floor(Math.min(cellHeight, cellWidth / TALLEST[height > width ? "upright" : "lying"])),
  };
}
