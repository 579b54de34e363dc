import type { EventOf, Sender, WireChatMessage } from "../wire.js";

/** A message that the server has. Replaced when anything in it changes. */
export interface ChatMessage {
  readonly offset: number;
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly from: Sender;
  /** Empty when the message was deleted. */
  readonly text: string;
  readonly data: unknown;
  /** Participant ids that it is for; null: everybody. */
  readonly to: readonly string[] | null;
  /** The last edit: when, and by which identity. */
  readonly edited: { readonly atMs: number; readonly by: string } | null;
  readonly deleted: boolean;
  /** Identities by reaction. */
  readonly reactions: Readonly<Record<string, readonly string[]>>;
}

/** The messages of a room as far as they are known here, oldest first: each once, without a hole. */
export class ChatLog {
  #messages: readonly ChatMessage[] = [];

  get messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  get oldest(): number | null {
    return this.#messages[0]?.offset ?? null;
  }

  get newest(): number | null {
    return this.#messages[this.#messages.length - 1]?.offset ?? null;
  }

  /** Forget everything: what is known has a hole before what comes. */
  clear(): void {
    this.#messages = [];
  }

  /** Add messages wherever they belong; those that are known already are taken in their later form. */
  insert(messages: readonly WireChatMessage[]): void {
    const byOffset = new Map(this.#messages.map((message) => [message.offset, message]));
    for (const message of messages) byOffset.set(message.offset, fromWire(message));
    this.#messages = [...byOffset.values()].sort((a, b) => a.offset - b.offset);
  }

  /** A message that is known is another now; one that is not loaded is left to its page. */
  replace(message: WireChatMessage): void {
    this.#change(message.offset, fromWire(message));
  }

  reacted({ message: { offset: target }, reaction, on, from: { identity } }: EventOf<"chat.reaction">): void {
    const before = this.#messages.find(({ offset }) => offset === target)?.reactions ?? {};
    const others = (before[reaction] ?? []).filter((other) => other !== identity);
    const after = { ...before, [reaction]: on ? [...others, identity] : others };
    this.#change(target, {
      reactions: Object.fromEntries(Object.entries(after).filter(([, identities]) => identities.length > 0)),
    });
  }

  #change(target: number, change: Partial<ChatMessage>): void {
    this.#messages = this.#messages.map((message) =>
      message.offset === target ? { ...message, ...change } : message,
    );
  }
}

function fromWire({ at_ms, edited, ...message }: WireChatMessage): ChatMessage {
  return { ...message, atMs: at_ms, edited: edited && { atMs: edited.at_ms, by: edited.by } };
}
