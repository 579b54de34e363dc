import { Emitter } from "../emitter.js";
import { HubbubError } from "../errors.js";
import { anything, DecodeError, object, string, withDefault } from "../schema.js";
import { endpoint } from "../signaling.js";
import { TokenSource, type TokenProvider } from "../token.js";
import { SseReader } from "./reader.js";
import type { Block } from "./sse.js";

export type TokenStreamState = "reading" | "done" | "failed" | "stopped" | "closed";

export interface TokenStreamEvents {
  /** A piece of text; `text` has all of it so far. */
  token: [piece: string];
  /** A piece of data that is no text. */
  data: [data: unknown];
  /** Once, with what is there to say: the producer's closing data, or the reason of a failure. */
  end: [state: TokenStreamState, data: unknown, error: HubbubError | null];
}

export interface TokenStreamOptions {
  readonly fetch?: typeof fetch;
  readonly random?: () => number;
  readonly signal?: AbortSignal;
}

const piece = object({ text: string });
const ending = object({ message: withDefault(string, ""), data: anything });

/**
 * Text that comes piece by piece (protocol section 5). Interrupted, it goes on where it was: no piece is lost
 * and none is told twice.
 */
export class TokenStream extends Emitter<TokenStreamEvents> {
  readonly id: string;
  readonly #url: string;
  readonly #tokens: TokenSource;
  readonly #fetch: typeof fetch;
  readonly #reader: SseReader;
  #text = "";
  #state: TokenStreamState = "reading";
  #failure: HubbubError | null = null;
  #lastId = 0;

  /** Read the stream `id` of the server at `url` from its beginning. */
  constructor(url: string, token: TokenProvider, id: string, options: TokenStreamOptions = {}) {
    super();
    this.id = id;
    this.#url = endpoint(url, `v1/streams/${encodeURIComponent(id)}`);
    this.#tokens = new TokenSource(token);
    this.#fetch = options.fetch ?? fetch;
    options.signal?.addEventListener("abort", () => this.close());
    this.#reader = new SseReader({
      request: (lastEventId, signal) => this.#request(lastEventId, signal),
      onBlock: (block) => this.#take(block),
      onState: (state, reason) => {
        if (state === "closed" && reason) this.#end("failed", null, reason);
      },
      ...(options.random && { random: options.random }),
    });
  }

  /**
   * Start the stream handler `handler` with a JSON body and read what it makes. Rejects with HubbubError when it
   * cannot be started.
   */
  static async generate(
    url: string,
    token: TokenProvider,
    handler: string,
    body: unknown,
    options: TokenStreamOptions = {},
  ): Promise<TokenStream> {
    const tokens = new TokenSource(token);
    const response = await (options.fetch ?? fetch)(endpoint(url, `v1/generate/${encodeURIComponent(handler)}`), {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${await tokens.current()}` },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw await HubbubError.fromResponse(response);
    const id = response.headers.get("x-stream-id");
    if (id === null) throw new HubbubError("protocol", "the server named no stream");
    // Read by its id from the start: that way a lost connection is the same case as a first one.
    void response.body?.cancel();
    return new TokenStream(url, token, id, options);
  }

  /** Everything so far. */
  get text(): string {
    return this.#text;
  }

  get state(): TokenStreamState {
    return this.#state;
  }

  /** Tell the producer to stop. Rejects with HubbubError. */
  async stop(): Promise<void> {
    const response = await this.#fetch(`${this.#url}/stop`, {
      method: "POST",
      headers: { authorization: `Bearer ${await this.#tokens.current()}` },
    });
    if (!response.ok) throw await HubbubError.fromResponse(response);
  }

  /** Read no further; the stream itself goes on. */
  close(): void {
    this.#end("closed", null, null);
  }

  /** All pieces to come, as they come. Throws HubbubError when the stream fails. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    let told = 0;
    for (;;) {
      const ended = this.#state !== "reading";
      if (told < this.#text.length) {
        yield this.#text.slice(told, (told = this.#text.length));
      } else if (ended) {
        if (this.#failure) throw this.#failure;
        return;
      } else {
        await this.#next();
      }
    }
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      const offs = [this.on("token", () => finish()), this.on("end", () => finish())];
      const finish = (): void => {
        offs.forEach((off) => off());
        resolve();
      };
    });
  }

  async #request(lastEventId: string, signal: AbortSignal): Promise<Response> {
    return this.#fetch(this.#url, {
      signal,
      cache: "no-store",
      headers: {
        accept: "text/event-stream",
        authorization: `Bearer ${await this.#tokens.current()}`,
        ...(lastEventId && { "last-event-id": lastEventId }),
      },
    });
  }

  #take({ id, event, data }: Block): void {
    if (this.#state !== "reading") return;
    // Ids count from 1: what comes again after a reconnection is known by its number.
    const number = Number(id);
    if (Number.isInteger(number) && number > 0) {
      if (number <= this.#lastId) return;
      this.#lastId = number;
    }
    try {
      this.#event(event, data === "" ? {} : JSON.parse(data));
    } catch (problem) {
      if (!(problem instanceof DecodeError || problem instanceof SyntaxError)) throw problem;
    }
  }

  #event(event: string, value: unknown): void {
    if (event === "token") {
      const { text } = piece(value, event);
      this.#text += text;
      this.emit("token", text);
    } else if (event === "data") {
      this.emit("data", value);
    } else if (event === "done") {
      this.#end("done", ending(value, event).data, null);
    } else if (event === "stopped") {
      this.#end("stopped", null, null);
    } else if (event === "error") {
      this.#end("failed", null, new HubbubError("internal", ending(value, event).message || "the stream failed"));
    }
  }

  #end(state: TokenStreamState, data: unknown, error: HubbubError | null): void {
    if (this.#state !== "reading") return;
    this.#state = state;
    this.#failure = error;
    this.#reader.close();
    this.emit("end", state, data, error);
  }
}
