import { CloseCode } from "./codes.js";
import { HubbubError } from "./errors.js";
import { decodeFrame, REPLIES, type RequestFields, type RequestType, type ReplyOf, type ServerEvent } from "./wire.js";
import { DecodeError, type Decoder } from "./schema.js";

/** The part of the browser's WebSocket that is used here; `ws` of Node.js has it too. */
export interface WebSocketLike {
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type OpenWebSocket = (url: string, protocols: string[]) => WebSocketLike;

export interface SocketListener {
  onOpen(): void;
  onEvent(event: ServerEvent): void;
  /** Once, and nothing after it. */
  onClose(reason: HubbubError): void;
}

interface Pending {
  readonly type: RequestType;
  readonly resolve: (body: unknown) => void;
  readonly reject: (reason: HubbubError) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

export const REQUEST_TIMEOUT_MS = 15_000;
/** The server pings every 20 s, which browsers do not show: this asks for an answer that they do. */
export const HEARTBEAT_MS = 15_000;
export const HEARTBEAT_TIMEOUT_MS = 8_000;
const OPEN_TIMEOUT_MS = 10_000;
/** The server allows bursts of 100 requests; a client that has this many unanswered is stuck. */
const MAX_PENDING = 256;

/** One life of one WebSocket: requests and their replies, events, and a heartbeat of its own. */
export class Socket {
  readonly #listener: SocketListener;
  readonly #webSocket: WebSocketLike;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #open = false;
  #closed: HubbubError | null = null;
  #timer: ReturnType<typeof setTimeout>;

  /** Frames that were not of this protocol: they are dropped. */
  malformed = 0;

  constructor(webSocket: WebSocketLike, listener: SocketListener) {
    this.#listener = listener;
    this.#webSocket = webSocket;
    this.#timer = setTimeout(() => this.#lose("network", "the server did not answer"), OPEN_TIMEOUT_MS);
    webSocket.addEventListener("open", () => this.#opened());
    webSocket.addEventListener("message", ({ data }) => this.#receive(data));
    webSocket.addEventListener("close", ({ code, reason }) => this.#end(HubbubError.fromClose(code, reason)));
    // Says nothing that the close event after it does not; `ws` throws where nobody listens.
    webSocket.addEventListener("error", () => undefined);
  }

  /** Rejects with HubbubError: the server's refusal, `timeout`, or `network` when the socket ends first. */
  request<T extends RequestType>(
    type: T,
    fields: RequestFields[T],
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<ReplyOf<T>> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (!this.#open) return Promise.reject(new HubbubError("network", "not connected", { retryable: true }));
    if (this.#pending.size >= MAX_PENDING) {
      return Promise.reject(new HubbubError("rate_limited", "too many unanswered requests", { retryable: true }));
    }
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      const timer = setTimeout(() => this.#expire(id), timeoutMs);
      this.#pending.set(id, { type, resolve: resolve as (body: unknown) => void, reject, timer });
      this.#webSocket.send(JSON.stringify({ ...fields, id, type }));
    });
  }

  /** Ask for a sign of life now: after a change of network, or when the page wakes up. */
  probe(timeoutMs = HEARTBEAT_TIMEOUT_MS): void {
    if (!this.#open || this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lose("heartbeat_lost", "the server fell silent"), timeoutMs);
    this.request("ping", {}, timeoutMs * 2).then(
      () => this.#rest(),
      () => undefined,
    );
  }

  close(code: number = CloseCode.normal, reason = ""): void {
    this.#webSocket.close(code, reason);
    this.#end(new HubbubError("closed", reason || "closed by this side", { closeCode: code }));
  }

  #opened(): void {
    if (this.#closed) return;
    this.#open = true;
    this.#rest();
    this.#listener.onOpen();
  }

  /** The heartbeat: quiet for a while, then a probe. */
  #rest(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.probe(), HEARTBEAT_MS);
  }

  #receive(data: unknown): void {
    if (this.#closed || typeof data !== "string") return;
    try {
      const frame = decodeFrame(data);
      if (frame.is === "event") this.#listener.onEvent(frame.event);
      else if (frame.is === "reply") this.#answer(frame.re, frame.body);
      else if (frame.is === "refusal") this.#take(frame.re)?.reject(HubbubError.fromWire(frame.error));
    } catch (problem) {
      if (!(problem instanceof DecodeError || problem instanceof SyntaxError)) throw problem;
      this.malformed += 1;
    }
  }

  #answer(id: number, body: unknown): void {
    const pending = this.#take(id);
    if (!pending) return;
    try {
      const decode: Decoder<unknown> = REPLIES[pending.type];
      pending.resolve(decode(body, pending.type));
    } catch (problem) {
      pending.reject(HubbubError.from(problem, "protocol"));
    }
  }

  #expire(id: number): void {
    const pending = this.#take(id);
    pending?.reject(new HubbubError("timeout", `no answer to ${pending.type}`, { retryable: true }));
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending) clearTimeout(pending.timer);
    return pending;
  }

  /** The other side is gone: a close handshake would only keep us waiting. */
  #lose(reason: "network" | "heartbeat_lost", message: string): void {
    this.#webSocket.close();
    this.#end(new HubbubError(reason, message, { retryable: true }));
  }

  #end(reason: HubbubError): void {
    if (this.#closed) return;
    this.#closed = reason;
    clearTimeout(this.#timer);
    for (const id of [...this.#pending.keys()]) this.#take(id)?.reject(reason);
    this.#listener.onClose(reason);
  }
}
