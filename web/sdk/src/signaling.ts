import { Backoff } from "./backoff.js";
import { CloseCode } from "./codes.js";
import { Emitter } from "./emitter.js";
import { HubbubError } from "./errors.js";
import { watchNetwork, type NetworkChange } from "./network.js";
import { DecodeError } from "./schema.js";
import { Socket, type OpenWebSocket } from "./socket.js";
import type { TokenSource } from "./token.js";
import {
  decodeEvent,
  type JoinReply,
  type ReplyOf,
  type RequestFields,
  type RequestType,
  type ServerEvent,
} from "./wire.js";

export type SignalingState = "connecting" | "connected" | "reconnecting" | "closed";

export interface SignalingOptions {
  /** The server's HTTP or WebSocket address; paths below it are kept. */
  readonly url: string;
  readonly tokens: TokenSource;
  /** Defaults to the token's room. */
  readonly room?: string;
  readonly presence?: object;
  readonly openWebSocket?: OpenWebSocket;
  readonly random?: () => number;
}

export interface SignalingEvents {
  /** In the room, at first or again. `resumed`: as the participant that one was, which never left. */
  joined: [reply: JoinReply, resumed: boolean];
  /** `replayed` events were missed while away; of these only what is kept history is told. */
  event: [event: ServerEvent, replayed: boolean];
  /** With the reason for `reconnecting` and `closed`. */
  state: [state: SignalingState, reason: HubbubError | null];
  network: [change: NetworkChange];
}

const BACKOFF_BASE_MS = 400;
/** People in a call wait for this: 3 s on average, and a thousand of them are still only 170 a second. */
const BACKOFF_CAP_MS = 6_000;
/** A connection that lived this long was a good one: its end is not held against the server. */
const STABLE_MS = 5_000;
const PROBE_MS = 3_000;
const REFRESH_RETRY_MS = 5_000;
const LEAVE_TIMEOUT_MS = 2_000;
/** Events that came between the join reply and its handling; the server's outbox holds no more. */
const MAX_EARLY_EVENTS = 10_000;
/** State is sent whole on joining, so only what is history is of use when it is replayed. */
const REPLAYED: ReadonlySet<string> = new Set([
  "chat",
  "chat.edited",
  "chat.deleted",
  "chat.reaction",
  "event",
  "recording",
]);

/** The conversation with a room over as many sockets as it takes: joins, resumes, refreshes the token. */
export class Signaling extends Emitter<SignalingEvents> {
  readonly #options: SignalingOptions;
  readonly #backoff: Backoff;
  readonly #stopWatching: () => void;
  #state: SignalingState = "connecting";
  #socket: Socket | null = null;
  #joined: JoinReply | null = null;
  #inRoom = false;
  #joinedAt = 0;
  #cursor: string | null = null;
  #presence: object | undefined;
  #early: ServerEvent[] = [];
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #refreshTimer: ReturnType<typeof setTimeout> | undefined;
  #ended: HubbubError | null = null;

  constructor(options: SignalingOptions) {
    super();
    this.#options = options;
    this.#presence = options.presence;
    this.#backoff = new Backoff(BACKOFF_BASE_MS, BACKOFF_CAP_MS, options.random);
    this.#stopWatching = watchNetwork((change) => this.networkChanged(change));
  }

  get state(): SignalingState {
    return this.#state;
  }

  /** Why it is closed for good; null before. */
  get ended(): HubbubError | null {
    return this.#ended;
  }

  /** Join for the first time. Rejects with HubbubError, in any case after `timeoutMs`. */
  connect(timeoutMs: number, signal?: AbortSignal): Promise<JoinReply> {
    return new Promise((resolve, reject) => {
      let last: HubbubError | null = null;
      const stop = (): void => this.#close(new HubbubError("closed", "the call was aborted"));
      const timer = setTimeout(
        () => this.#close(last ?? new HubbubError("timeout", "the server cannot be reached", { retryable: true })),
        timeoutMs,
      );
      const offJoined = this.on("joined", (reply) => settle(() => resolve(reply)));
      const offState = this.on("state", (state, reason) => {
        last = reason;
        if (state === "closed") settle(() => reject(reason ?? new HubbubError("closed", "closed")));
      });
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        offJoined();
        offState();
        signal?.removeEventListener("abort", stop);
        finish();
      };
      signal?.addEventListener("abort", stop);
      if (signal?.aborted) stop();
      else void this.#attempt();
    });
  }

  /** Rejects with HubbubError; `network` at once while there is no connection. */
  request<T extends RequestType>(type: T, fields: RequestFields[T], timeoutMs?: number): Promise<ReplyOf<T>> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (!this.#socket || !this.#inRoom) {
      return Promise.reject(new HubbubError("network", "not connected right now", { retryable: true }));
    }
    return this.#socket.request(type, fields, timeoutMs);
  }

  /** What is presented when the room is joined anew. */
  set presence(state: object) {
    this.#presence = state;
  }

  async leave(): Promise<void> {
    if (this.#ended) return;
    try {
      await this.request("leave", {}, LEAVE_TIMEOUT_MS);
    } catch (problem) {
      // Gone either way: the server notices by itself.
      if (!(problem instanceof HubbubError)) throw problem;
    }
    this.#close(new HubbubError("closed", "left the room"));
  }

  /** Try again at once, or make sure that the connection still lives. */
  networkChanged(change: NetworkChange): void {
    if (this.#ended) return;
    if (this.#state === "reconnecting" && this.#retryTimer !== undefined) void this.#attempt();
    else this.#socket?.probe(PROBE_MS);
    this.emit("network", change);
  }

  async #attempt(): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    try {
      const { tokens } = this.#options;
      const token = await (this.#joined ? tokens.renewed() : tokens.current());
      if (this.#ended) return;
      this.#socket = this.#open(token);
    } catch (problem) {
      this.#lost(HubbubError.from(problem, "network", { retryable: true }));
    }
  }

  #open(token: string): Socket {
    const open = this.#options.openWebSocket ?? ((url, protocols) => new WebSocket(url, protocols));
    const socket: Socket = new Socket(open(webSocketUrl(this.#options.url), ["hubbub.v1", `bearer.${token}`]), {
      onOpen: () => void this.#join(socket),
      onEvent: (event) => this.#receive(event),
      onClose: (reason) => {
        if (this.#socket === socket) this.#lost(reason);
      },
    });
    return socket;
  }

  async #join(socket: Socket): Promise<void> {
    try {
      const reply = await socket.request("join", this.#joinFields());
      if (this.#socket === socket) this.#enter(reply);
    } catch (problem) {
      if (this.#socket !== socket) return;
      this.#socket = null;
      socket.close();
      this.#lost(HubbubError.from(problem, "protocol"));
    }
  }

  #joinFields(): RequestFields["join"] {
    const room = this.#options.room ?? this.#options.tokens.claims?.room ?? "";
    return {
      room,
      ...(this.#presence && { presence: this.#presence }),
      ...(this.#cursor !== null && { since: this.#cursor }),
      ...(this.#joined && { resume: this.#joined.session }),
    };
  }

  #enter(reply: JoinReply): void {
    const resumed = this.#joined?.participant.id === reply.participant.id;
    this.#joined = reply;
    this.#inRoom = true;
    this.#joinedAt = Date.now();
    this.#cursor = reply.room.cursor;
    this.#scheduleRefresh();
    this.#become("connected", null);
    this.emit("joined", reply, resumed);
    for (const event of replayable(reply)) this.emit("event", event, true);
    for (const event of this.#early.splice(0)) this.#receive(event);
  }

  #receive(event: ServerEvent): void {
    if (!this.#inRoom) {
      if (this.#early.length < MAX_EARLY_EVENTS) this.#early.push(event);
      return;
    }
    if ("cursor" in event && event.cursor !== null) this.#cursor = event.cursor;
    this.emit("event", event, false);
  }

  #lost(reason: HubbubError): void {
    if (this.#ended) return;
    if (this.#inRoom && Date.now() - this.#joinedAt > STABLE_MS) this.#backoff.reset();
    this.#socket = null;
    this.#inRoom = false;
    this.#early = [];
    clearTimeout(this.#refreshTimer);
    if (!reason.retryable) return this.#close(reason);
    this.#retryTimer = setTimeout(() => void this.#attempt(), this.#backoff.next(reason.retryAfterMs ?? 0));
    this.#become(this.#joined ? "reconnecting" : "connecting", reason);
  }

  #close(reason: HubbubError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#inRoom = false;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#refreshTimer);
    this.#stopWatching();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(CloseCode.normal);
    this.#become("closed", reason);
  }

  #become(state: SignalingState, reason: HubbubError | null): void {
    this.#state = state;
    this.emit("state", state, reason);
  }

  #scheduleRefresh(): void {
    const inMs = this.#options.tokens.refreshInMs();
    if (inMs === null) return;
    this.#refreshTimer = setTimeout(() => void this.#refresh(), inMs);
  }

  /** A refresh that fails is tried again until the server ends the connection at the token's `exp`. */
  async #refresh(): Promise<void> {
    const socket = this.#socket;
    try {
      const token = await this.#options.tokens.fresh();
      if (this.#socket !== socket) return;
      await this.request("auth.refresh", { token });
      if (this.#socket === socket) this.#scheduleRefresh();
    } catch (problem) {
      if (!(problem instanceof HubbubError)) throw problem;
      if (this.#socket !== socket || this.#ended) return;
      this.#refreshTimer = setTimeout(() => void this.#refresh(), REFRESH_RETRY_MS);
    }
  }
}

/** Throws HubbubError `misuse` where `url` is not an address. */
export function webSocketUrl(url: string): string {
  return endpoint(url, "v1/ws").replace(/^http/, "ws");
}

/** The address of a server's endpoint, e.g. `endpoint("https://host/hubbub", "v1/events")`. */
export function endpoint(url: string, path: string): string {
  if (!URL.canParse(url)) throw new HubbubError("misuse", `not a URL: ${url}`);
  const base = new URL(url);
  // Servers hand out the address of the room WebSocket itself: both are understood.
  base.pathname = `${base.pathname.replace(/(\/v1\/ws)?\/*$/, "")}/${path}`;
  base.protocol = base.protocol.replace(/^ws/, "http");
  base.search = "";
  return base.href;
}

function replayable(reply: JoinReply): ServerEvent[] {
  const events: ServerEvent[] = [];
  for (const value of reply.recovered ? reply.events : []) {
    try {
      const event = decodeEvent(value);
      if (event && REPLAYED.has(event.type)) events.push(event);
    } catch (problem) {
      if (!(problem instanceof DecodeError)) throw problem;
    }
  }
  return events;
}
