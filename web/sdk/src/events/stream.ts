import { Emitter } from "../emitter.js";
import type { HubbubError } from "../errors.js";
import { anything, boolean, DecodeError, integer, object, record, string } from "../schema.js";
import { endpoint } from "../signaling.js";
import { TokenSource, type TokenProvider } from "../token.js";
import { SseReader, type ReaderState } from "./reader.js";
import { shareAcrossTabs, type Shared } from "./shared.js";
import type { Block } from "./sse.js";

export interface StreamEntry {
  readonly topic: string;
  readonly type: string;
  readonly offset: number;
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly data: unknown;
  /** Opaque; `since` of another stream goes on behind this entry. */
  readonly cursor: string;
}

export interface StreamEvents {
  entry: [entry: StreamEntry];
  /** Entries of this topic are missing before the next one. */
  gap: [topic: string];
  /** Reading (again). For each topic: whether it goes on without a hole. */
  open: [recovered: Readonly<Record<string, boolean>>];
  /** With the reason, where there is one. `closed` is for good. */
  state: [state: ReaderState, reason: HubbubError | null];
}

export interface StreamOptions {
  readonly topics: readonly string[];
  /** A cursor to go on behind, or `earliest` for everything that is kept. Default: what comes from now on. */
  readonly since?: string;
  /** One connection for all tabs that read the same topics. Default: where `since` is not given. */
  readonly share?: boolean;
  readonly fetch?: typeof fetch;
  readonly random?: () => number;
}

/** What one tab tells the others, and what a reader tells its stream. */
export type Told =
  | { readonly is: "block"; readonly block: Block }
  | { readonly is: "state"; readonly state: ReaderState; readonly reason: HubbubError | null };

const envelope = object({ topic: string, offset: integer, at_ms: integer, data: anything });
const opened = object({ recovered: record(boolean) });
const gap = object({ topic: string });

/** Entries of any number of topics, in order and resumed by itself (protocol section 4). */
export class EventStream extends Emitter<StreamEvents> {
  readonly #url: string;
  readonly #tokens: TokenSource;
  readonly #options: StreamOptions;
  #source: Shared | null = null;
  #state: ReaderState = "connecting";
  #cursor = "";

  constructor(url: string, token: TokenProvider, options: StreamOptions) {
    super();
    this.#url = endpoint(url, "v1/events");
    this.#tokens = new TokenSource(token);
    this.#options = options;
    if (options.since !== undefined && options.since !== "earliest") this.#cursor = options.since;
    void this.#start();
  }

  get state(): ReaderState {
    return this.#state;
  }

  /** Behind the last entry that was told; empty before the first. */
  get cursor(): string {
    return this.#cursor;
  }

  close(): void {
    this.#source?.close();
    this.#told({ is: "state", state: "closed", reason: null });
  }

  /** Whom to share with is known when there is a token. */
  async #start(): Promise<void> {
    const read = (tell: (told: Told) => void): SseReader => this.#read(tell);
    const listen = (told: Told): void => this.#told(told);
    const name = await this.#groupName();
    if (this.#state === "closed") return;
    this.#source = name === null ? alone(read, listen) : shareAcrossTabs(name, read, listen);
  }

  #read(tell: (told: Told) => void): SseReader {
    return new SseReader({
      lastEventId: this.#cursor,
      request: (lastEventId, signal) => this.#request(lastEventId, signal),
      onBlock: (block) => tell({ is: "block", block }),
      onState: (state, reason) => tell({ is: "state", state, reason }),
      ...(this.#options.random && { random: this.#options.random }),
    });
  }

  async #request(lastEventId: string, signal: AbortSignal): Promise<Response> {
    const url = new URL(this.#url);
    for (const topic of this.#options.topics) url.searchParams.append("topic", topic);
    if (lastEventId === "" && this.#options.since === "earliest") url.searchParams.set("since", "earliest");
    const token = await this.#tokens.current();
    return (this.#options.fetch ?? fetch)(url, {
      signal,
      cache: "no-store",
      headers: {
        accept: "text/event-stream",
        authorization: `Bearer ${token}`,
        ...(lastEventId && { "last-event-id": lastEventId }),
      },
    });
  }

  /** Tabs of one identity that read the same topics from the same server share one connection; null: nobody does. */
  async #groupName(): Promise<string | null> {
    if (!(this.#options.share ?? this.#options.since === undefined)) return null;
    try {
      await this.#tokens.current();
    } catch {
      // The reader asks again, and tells what is wrong.
      return null;
    }
    const identity = this.#tokens.claims?.sub ?? "";
    return ["hubbub.events", this.#url, identity, ...[...this.#options.topics].sort()].join("\n");
  }

  #told(told: Told): void {
    if (this.#state === "closed") return;
    if (told.is === "block") {
      this.#block(told.block);
    } else if (told.state !== this.#state || told.reason) {
      this.#state = told.state;
      this.emit("state", told.state, told.reason);
    }
  }

  #block({ id, event, data }: Block): void {
    if (id !== "") this.#cursor = id;
    try {
      const value: unknown = JSON.parse(data);
      if (event === "open") this.emit("open", opened(value, "open").recovered);
      else if (event === "gap") this.emit("gap", gap(value, "gap").topic);
      else this.#entry(id, event, value);
    } catch (problem) {
      // An entry that is not of this protocol: the others are.
      if (!(problem instanceof DecodeError || problem instanceof SyntaxError)) throw problem;
    }
  }

  #entry(cursor: string, type: string, value: unknown): void {
    const { at_ms, ...entry } = envelope(value, type);
    this.emit("entry", { ...entry, type, atMs: at_ms, cursor });
  }
}

function alone(read: (tell: (told: Told) => void) => SseReader, listen: (told: Told) => void): Shared {
  const reader = read(listen);
  return { close: () => reader.close() };
}
