/** How large the pictures of tracks are shown, by all the elements that show them. */

/** Heights are asked for in these steps, so that dragging a window does not ask at every pixel. */
const STEPS = [90, 180, 270, 360, 540, 720, 1080, 1440, 2160] as const;

export class Demand {
  readonly #heights = new Map<string, Map<object, number>>();

  /** `height` in device pixels; 0 where the element is out of sight; null when it shows the track no more. */
  set(track: string, element: object, height: number | null): void {
    const elements = this.#heights.get(track) ?? new Map<object, number>();
    if (height === null) elements.delete(element);
    else elements.set(element, height);
    if (elements.size > 0) this.#heights.set(track, elements);
    else this.#heights.delete(track);
  }

  /** The height to ask for; 0 where nobody looks; null where no element is known, so nothing can be said. */
  heightOf(track: string): number | null {
    const elements = this.#heights.get(track);
    if (!elements) return null;
    const largest = Math.max(...elements.values());
    return largest <= 0 ? 0 : (STEPS.find((step) => step >= largest) ?? STEPS[STEPS.length - 1] ?? 2160);
  }
}
