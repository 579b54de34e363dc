import { Emitter } from "./emitter.js";
import { HubbubError } from "./errors.js";
import type { Room } from "./room.js";

/** The server takes 20 updates a second of one participant. */
const SPACING_MS = 100;
/** Whoever pauses for this long has stopped typing. */
const TYPING_MS = 4_000;

export interface PresenceEvents {
  /** `state` is another than before. */
  change: [];
}

/** What others see of one's state: an object that is merged here and sent whole. */
export class Presence extends Emitter<PresenceEvents> {
  readonly #room: Room;
  #state: Readonly<Record<string, unknown>>;
  #typing = false;
  #typingTimer: ReturnType<typeof setTimeout> | undefined;
  #sendTimer: ReturnType<typeof setTimeout> | undefined;
  #sentAt = 0;

  constructor(room: Room, state: object = {}) {
    super();
    this.#room = room;
    this.#state = { ...state };
    room.on("joined", (_, resumed) => {
      // A new session has what the join said, which may be older than the last change.
      if (!resumed || this.#typing) this.#soon();
    });
    room.on("state", (now) => {
      if (now === "closed") this.#stop();
    });
  }

  get state(): Readonly<Record<string, unknown>> {
    return this.#state;
  }

  /** Change some fields and keep the others; undefined removes one. Sent at most ten times a second. */
  update(change: Readonly<Record<string, unknown>>): void {
    const merged = Object.entries({ ...this.#state, ...change }).filter(([, value]) => value !== undefined);
    this.#state = Object.fromEntries(merged);
    this.#soon();
    this.emit("change");
  }

  /** Call it at every keystroke; it ends by itself, or with false when the text was sent. */
  typing(on = true): void {
    clearTimeout(this.#typingTimer);
    if (on) this.#typingTimer = setTimeout(() => this.typing(false), TYPING_MS);
    if (this.#typing === on) return;
    this.#typing = on;
    this.#soon();
  }

  #soon(): void {
    this.#room.presenceOnJoining = this.#state;
    this.#sendTimer ??= setTimeout(() => this.#send(), Math.max(0, this.#sentAt + SPACING_MS - Date.now()));
  }

  #send(): void {
    this.#sendTimer = undefined;
    this.#sentAt = Date.now();
    const state = this.#typing ? { ...this.#state, typing: true } : this.#state;
    this.#room.request("presence.set", { state }).catch((problem: unknown) => {
      // While there is no connection: the state is presented on joining.
      if (!(problem instanceof HubbubError)) throw problem;
      if (problem.retryable && this.#room.state === "connected") this.#soon();
    });
  }

  #stop(): void {
    clearTimeout(this.#typingTimer);
    clearTimeout(this.#sendTimer);
  }
}
