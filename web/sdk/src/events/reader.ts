import { Backoff } from "../backoff.js";
import { HubbubError } from "../errors.js";
import { watchNetwork } from "../network.js";
import { readBlocks, SseParser, type Block } from "./sse.js";

export interface ReaderOptions {
  /** Makes the request. Aborting `signal` ends it. */
  readonly request: (lastEventId: string, signal: AbortSignal) => Promise<Response>;
  readonly onBlock: (block: Block) => void;
  readonly onState?: (state: ReaderState, reason: HubbubError | null) => void;
  readonly lastEventId?: string;
  readonly random?: () => number;
}

export type ReaderState = "connecting" | "open" | "closed";

const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 20_000;
/** The server comments every 15 s: whoever hears nothing for this long is cut off. */
const SILENCE_MS = 45_000;

/**
 * Reads server-sent events for as long as it takes: goes on behind the last event after whatever interrupts it.
 * Unlike EventSource it sends the token in a header, tells refusals from failures, and backs off with jitter.
 */
export class SseReader {
  readonly #options: ReaderOptions;
  readonly #backoff: Backoff;
  readonly #stopWatching: () => void;
  #lastEventId: string;
  #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #waiting = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#lastEventId = options.lastEventId ?? "";
    this.#backoff = new Backoff(BACKOFF_BASE_MS, BACKOFF_CAP_MS, options.random);
    this.#stopWatching = watchNetwork(() => {
      if (this.#waiting) void this.#run();
    });
    void this.#run();
  }

  get lastEventId(): string {
    return this.#lastEventId;
  }

  close(reason: HubbubError | null = null): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stopWatching();
    this.#abort.abort();
    this.#options.onState?.("closed", reason);
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#waiting = false;
    this.#abort = new AbortController();
    const parser = new SseParser(this.#lastEventId);
    this.#options.onState?.("connecting", null);
    try {
      const response = await this.#options.request(this.#lastEventId, this.#abort.signal);
      if (response.status !== 200) throw await HubbubError.fromResponse(response);
      await this.#read(response, parser);
      this.#again(parser.retryMs ?? 0, null);
    } catch (problem) {
      const error = HubbubError.from(problem, "network", { retryable: true });
      if (error.retryable) this.#again(error.retryAfterMs ?? parser.retryMs ?? 0, error);
      else this.close(error);
    }
  }

  async #read(response: Response, parser: SseParser): Promise<void> {
    const watched = response.body?.pipeThrough(this.#watchSilence());
    this.#options.onState?.("open", null);
    await readBlocks(new Response(watched ?? null), parser, (block) => {
      if (this.#closed) return;
      this.#lastEventId = block.id;
      this.#backoff.reset();
      this.#options.onBlock(block);
    });
    this.#lastEventId = parser.lastEventId;
  }

  /** Comments are not told as blocks, but they are signs of life. */
  #watchSilence(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
    const rearm = (): void => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#abort.abort(), SILENCE_MS);
    };
    rearm();
    return new TransformStream({
      transform: (chunk, controller) => {
        rearm();
        controller.enqueue(chunk);
      },
    });
  }

  #again(atLeastMs: number, reason: HubbubError | null): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#waiting = true;
    this.#options.onState?.("connecting", reason);
    this.#timer = setTimeout(() => void this.#run(), this.#backoff.next(atLeastMs));
  }
}
