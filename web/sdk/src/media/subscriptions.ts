import { HubbubError } from "../errors.js";
import type { Roster, TrackView } from "../roster.js";
import type { Signaling } from "../signaling.js";
import type { RequestFields } from "../wire.js";
import { Demand } from "./demand.js";
import { watchSize } from "./visibility.js";

/** Sizes settle before they are told; layout animations end within this. */
const SETTLE_MS = 200;
/** What is asked for where nobody looks: the smallest layer there is. */
const OUT_OF_SIGHT = { max_height: 90, priority: 0 } as const;
/** Text suffers first when bandwidth is short: a shared screen goes before faces. */
const PRIORITIES: Readonly<Record<string, number>> = { screen: 200 };
const DEFAULT_PRIORITY = 100;

/** Asks the server for pictures of the size in which they are shown. */
export class Subscriptions {
  readonly #signaling: Signaling;
  readonly #roster: Roster;
  readonly #demand = new Demand();
  /** What was asked for last, by mid. */
  readonly #asked = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(signaling: Signaling, roster: Roster) {
    this.#signaling = signaling;
    this.#roster = roster;
  }

  /** `element` shows this track from now on. Returns the function that says that it does not any more. */
  watch(track: string, element: Element): () => void {
    this.#set(track, element, 0);
    const stop = watchSize(element, (height) => this.#set(track, element, height));
    return () => {
      stop();
      this.#set(track, element, null);
    };
  }

  /** The same for those who know the height without an element, in device pixels. */
  set(track: string, viewer: object, height: number | null): void {
    this.#set(track, viewer, height);
  }

  /** Slots changed. */
  refresh(): void {
    this.#timer ??= setTimeout(() => this.#tell(), SETTLE_MS);
  }

  /** The connection is another one: nothing that was asked for holds. */
  reset(): void {
    this.#asked.clear();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #set(track: string, viewer: object, height: number | null): void {
    this.#demand.set(track, viewer, height);
    this.refresh();
  }

  #tell(): void {
    this.#timer = undefined;
    const videos = this.#roster.all
      .filter((participant) => !participant.local)
      .flatMap((participant) => participant.tracks.filter((track) => track.kind === "video"));
    // With more pictures than slots the loudest speakers change them: a wish would nail one to its slot.
    if (videos.some((track) => track.mid === null)) this.#release();
    else for (const track of videos) this.#ask(track);
  }

  #ask(track: TrackView): void {
    const height = this.#demand.heightOf(track.id);
    if (track.mid === null || height === null) return;
    const limits =
      height === 0 ? OUT_OF_SIGHT : { max_height: height, priority: PRIORITIES[track.source] ?? DEFAULT_PRIORITY };
    const wish: RequestFields["media.subscribe"] = { mid: track.mid, track: track.id, ...limits };
    const key = JSON.stringify(wish);
    if (this.#asked.get(track.mid) === key) return;
    this.#asked.set(track.mid, key);
    this.#signaling.request("media.subscribe", wish).catch((problem: unknown) => this.#failed(wish.mid, problem));
  }

  #release(): void {
    for (const mid of this.#asked.keys()) {
      this.#asked.delete(mid);
      this.#signaling.request("media.unsubscribe", { mid }).catch((problem: unknown) => this.#failed(mid, problem));
    }
  }

  /** The track may have gone meanwhile, or the connection: what is there then asks again. */
  #failed(mid: string, problem: unknown): void {
    if (!(problem instanceof HubbubError)) throw problem;
    this.#asked.delete(mid);
  }
}
