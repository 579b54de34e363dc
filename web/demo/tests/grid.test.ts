import { expect, test } from "vitest";
import { fit } from "../src/call/grid.js";

const GAP = 10;

test("one tile takes as much as its shape allows", () => {
  expect(fit(1, 1600, 900, GAP)).toEqual({ columns: 1, width: 1600, height: 900 });
});

test("two stand beside each other where it is wide, and above each other on a phone", () => {
  expect(fit(2, 1280, 640, GAP).columns).toBe(2);
  expect(fit(2, 390, 700, GAP).columns).toBe(1);
});

test.each([1, 2, 3, 4, 5, 7, 9, 12, 20, 25])("%i tiles fit without overlapping", (count) => {
  for (const [width, height] of [[1280, 640], [390, 700], [300, 300], [2000, 400]] as const) {
    const tile = fit(count, width, height, GAP);
    const rows = Math.ceil(count / tile.columns);
    expect(tile.columns * tile.width + (tile.columns - 1) * GAP).toBeLessThanOrEqual(width);
    expect(rows * tile.height + (rows - 1) * GAP).toBeLessThanOrEqual(height);
    expect(tile.width / tile.height).toBeLessThan(1.8);
    expect(tile.width / tile.height).toBeGreaterThan(0.73);
  }
});

test("no room is no error", () => {
  expect(fit(3, 0, 0, GAP)).toMatchObject({ width: 0, height: 0 });
});
