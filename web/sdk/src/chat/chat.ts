import { Emitter } from "../emitter.js";
import { HubbubError } from "../errors.js";
import type { Room } from "../room.js";
import type { ServerEvent } from "../wire.js";
import { ChatLog, type ChatMessage } from "./log.js";
import { ChatOutbox, type PendingMessage, type TextStore } from "./outbox.js";

export interface ChatEvents {
  /** Anything of `messages`, `pending`, `unread` or `loading` is another than before. */
  change: [];
  /** A message came in, one's own ones too. `replayed`: it was missed while away. */
  message: [message: ChatMessage, replayed: boolean];
}

export interface SendOptions {
  /** Anything of the application's own. */
  readonly data?: unknown;
  /** Participant ids; without it everybody sees the message. */
  readonly to?: readonly string[];
}

const PAGE = 50;
/** Before a refused message is sent again where the server names no time. */
const RETRY_MS = 1_000;

/**
 * The room's conversation: its history as far as it was loaded, what comes in, and what is on its way.
 *
 * What is sent without a connection waits, is sent in order when it is back, and is stored once whatever
 * happens on the way.
 */
export class Chat extends Emitter<ChatEvents> {
  readonly #room: Room;
  readonly #log = new ChatLog();
  readonly #outbox: ChatOutbox;
  #more = true;
  #loading: Promise<void> | null = null;
  #loaded = false;
  #read: number | null = null;
  #sending = false;

  constructor(room: Room, store: TextStore | null = null) {
    super();
    this.#room = room;
    this.#outbox = new ChatOutbox(`hubbub.chat.${room.name}.${room.local.identity}`, store);
    room.on("wire", (event, replayed) => this.#receive(event, replayed));
    room.on("joined", (reply) => this.#joined(reply.recovered));
    void this.#flush();
  }

  /** Oldest first. The same array until something changes. */
  get messages(): readonly ChatMessage[] {
    return this.#log.messages;
  }

  /** Written, and not confirmed yet; behind `messages`. */
  get pending(): readonly PendingMessage[] {
    return this.#outbox.pending;
  }

  /** Whether there are older messages than those that are loaded. */
  get more(): boolean {
    return this.#more;
  }

  get loading(): boolean {
    return this.#loading !== null;
  }

  /** Offset up to which this identity has read, on whichever device. */
  get readOffset(): number | null {
    return this.#read;
  }

  /** Messages of others after that, among the loaded ones. */
  get unread(): number {
    const { identity } = this.#room.local;
    return this.messages.filter(
      ({ offset, from, deleted }) => offset > (this.#read ?? -1) && from.identity !== identity && !deleted,
    ).length;
  }

  /** Load the latest messages, or older ones than are known. Rejects with HubbubError. */
  load(): Promise<void> {
    this.#loading ??= this.#loadPage().finally(() => {
      this.#loading = null;
      this.emit("change");
    });
    return this.#loading;
  }

  /** Appears in `pending` at once. Throws HubbubError where too many wait already. */
  send(text: string, options: SendOptions = {}): void {
    const { data = null, to = null } = options;
    this.#outbox.add({ key: newKey(), text, data, to, atMs: Date.now(), failed: null });
    this.emit("change");
    void this.#flush();
  }

  /** Send a message that the server refused once more. */
  retry(key: string): void {
    this.#outbox.fail(key, null);
    this.emit("change");
    void this.#flush();
  }

  /** Forget a message that is not sent yet. */
  discard(key: string): void {
    this.#outbox.remove(key);
    this.emit("change");
  }

  /** Own messages; those of others with the grant `moderate`. Rejects with HubbubError, like the next three. */
  async edit(offset: number, text: string): Promise<void> {
    await this.#room.request("chat.edit", { offset, text });
  }

  async delete(offset: number): Promise<void> {
    await this.#room.request("chat.delete", { offset });
  }

  async react(offset: number, reaction: string, on: boolean): Promise<void> {
    await this.#room.request("chat.react", { offset, reaction, on });
  }

  /** Everything that is loaded has been seen. */
  async markRead(): Promise<void> {
    const { newest } = this.#log;
    if (newest === null || newest <= (this.#read ?? -1)) return;
    this.#readUpTo(newest);
    this.emit("change");
    await this.#room.request("chat.read", { offset: newest });
  }

  async #loadPage(): Promise<void> {
    const before = this.#log.oldest;
    const [{ messages, more }, read] = await Promise.all([
      this.#room.request("chat.history", { limit: PAGE, ...(this.#loaded && before !== null && { before }) }),
      this.#loaded ? null : this.#room.request("chat.read", {}),
    ]);
    this.#log.insert(messages);
    this.#loaded = true;
    this.#more = more;
    this.#readUpTo(read?.offset ?? -1);
  }

  #readUpTo(offset: number): void {
    if (offset > (this.#read ?? -1)) this.#read = offset;
  }

  #joined(recovered: boolean): void {
    if (!recovered) {
      // What was said meanwhile is unknown: nothing of the old must stand beside the new as if it were all.
      const wanted = this.#loaded;
      this.#log.clear();
      this.#loaded = false;
      this.#more = true;
      this.emit("change");
      // Where it fails for want of a connection, the next joining tries again.
      if (wanted) this.load().catch(() => (this.#loaded = true));
    }
    void this.#flush();
  }

  #receive(event: ServerEvent, replayed: boolean): void {
    switch (event.type) {
      case "chat":
        this.#received(event.message.offset, () => this.#log.insert([event.message]), replayed);
        break;
      case "chat.edited":
      case "chat.deleted":
        this.#log.replace(event.message);
        break;
      case "chat.reaction":
        this.#log.reacted(event);
        break;
      case "chat.read":
        if (event.identity === this.#room.local.identity) this.#readUpTo(event.offset);
        break;
      default:
        return;
    }
    this.emit("change");
  }

  #received(offset: number, insert: () => void, replayed: boolean): void {
    const known = this.messages.some((message) => message.offset === offset);
    insert();
    const message = this.messages.find((candidate) => candidate.offset === offset);
    if (message && !known) this.#confirm(message);
    if (message && !known) this.emit("message", message, replayed);
  }

  /** One's own message may come back before the answer to it: it must not be seen twice. */
  #confirm(message: ChatMessage): void {
    const { next } = this.#outbox;
    if (this.#sending && next && message.from.id === this.#room.local.id && message.text === next.text) {
      this.#outbox.remove(next.key);
    }
  }

  /** Send what waits, one after the other, so that the order is kept. */
  async #flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (let next = this.#outbox.next; next; next = this.#outbox.next) {
        if (this.#room.state !== "connected" || !(await this.#sendOne(next))) return;
      }
    } finally {
      this.#sending = false;
    }
  }

  /** Answers whether the next one may follow. */
  async #sendOne({ key, text, data, to }: PendingMessage): Promise<boolean> {
    try {
      await this.#room.request("chat.send", { text, data, key, ...(to && { to }) });
      this.#outbox.remove(key);
    } catch (problem) {
      const error = HubbubError.from(problem, "protocol");
      if (error.retryable) {
        if (this.#room.state === "connected") setTimeout(() => void this.#flush(), error.retryAfterMs ?? RETRY_MS);
        return false;
      }
      this.#outbox.fail(key, error);
    } finally {
      this.emit("change");
    }
    return true;
  }
}

/** 128 random bits. (`randomUUID` is not there on pages without https.) */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((word) => word.toString(36)).join("-");
}
