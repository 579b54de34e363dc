import { HubbubError } from "../errors.js";
import { anything, array, DecodeError, integer, nullable, object, string } from "../schema.js";

/** A message on its way. Its key makes sending it again harmless. */
export interface PendingMessage {
  readonly key: string;
  readonly text: string;
  readonly data: unknown;
  readonly to: readonly string[] | null;
  /** When it was written, Unix milliseconds. */
  readonly atMs: number;
  /** Why the server does not take it; null while it is still on its way. */
  readonly failed: HubbubError | null;
}

/** Where unsent messages outlive the page; `localStorage` is one. */
export interface TextStore {
  getItem(key: string): string | null;
  setItem(key: string, text: string): void;
  removeItem(key: string): void;
}

/** Whoever has written this much without a connection is told that it is full. */
const MAX_PENDING = 200;

const saved = array(
  object({ key: string, text: string, data: anything, to: nullable(array(string)), atMs: integer }),
);

/** Messages that the server has not confirmed, in the order in which they were written. */
export class ChatOutbox {
  readonly #store: TextStore | null;
  readonly #name: string;
  #pending: readonly PendingMessage[];

  constructor(name: string, store: TextStore | null) {
    this.#name = name;
    this.#store = store;
    this.#pending = this.#load();
  }

  get pending(): readonly PendingMessage[] {
    return this.#pending;
  }

  /** The one to send next; null when there is none. */
  get next(): PendingMessage | null {
    return this.#pending.find(({ failed }) => failed === null) ?? null;
  }

  /** Throws HubbubError `too_large` when too many wait already. */
  add(message: PendingMessage): void {
    if (this.#pending.length >= MAX_PENDING) {
      throw new HubbubError("too_large", `${MAX_PENDING} messages wait to be sent already`);
    }
    this.#become([...this.#pending, message]);
  }

  remove(key: string): void {
    this.#become(this.#pending.filter((message) => message.key !== key));
  }

  fail(key: string, reason: HubbubError | null): void {
    this.#become(this.#pending.map((message) => (message.key === key ? { ...message, failed: reason } : message)));
  }

  #become(pending: readonly PendingMessage[]): void {
    this.#pending = pending;
    try {
      if (pending.length === 0) this.#store?.removeItem(this.#name);
      else this.#store?.setItem(this.#name, JSON.stringify(pending.map((message) => ({ ...message, failed: undefined }))));
    } catch {
      // Storage is full or switched off: the messages live as long as the page.
      return;
    }
  }

  #load(): readonly PendingMessage[] {
    try {
      const text = this.#store?.getItem(this.#name);
      return text ? saved(JSON.parse(text), "pending").map((message) => ({ ...message, failed: null })) : [];
    } catch (problem) {
      // Somebody else's data under our name, or storage that is switched off.
      if (problem instanceof DecodeError || problem instanceof SyntaxError || problem instanceof DOMException) return [];
      throw problem;
    }
  }
}
