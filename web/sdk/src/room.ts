import { Chat } from "./chat/chat.js";
import type { TextStore } from "./chat/outbox.js";
import { Emitter } from "./emitter.js";
import { HubbubError } from "./errors.js";
import { BrowserHandler } from "./media/browser.js";
import { MediaConnection, type MediaState } from "./media/connection.js";
import type { CreateHandler } from "./media/handler.js";
import type { LocalTrack, PublishOptions } from "./media/local_track.js";
import { Subscriptions } from "./media/subscriptions.js";
import { onPageHide } from "./network.js";
import { PeerCall } from "./peercall.js";
import { Presence } from "./presence.js";
import { Roster, type Change, type ParticipantView, type TrackView } from "./roster.js";
import { Signaling } from "./signaling.js";
import type { OpenWebSocket } from "./socket.js";
import { TokenSource, type TokenProvider } from "./token.js";
import type {
  JoinReply,
  Kind,
  ReplyOf,
  RequestFields,
  RequestType,
  Sender,
  ServerEvent,
  WireIceServer,
} from "./wire.js";

export type RoomState = "connected" | "reconnecting" | "closed";

export interface RoomOptions {
  /** The room's name; defaults to the one that the token is for. */
  readonly room?: string;
  readonly presence?: object;
  /** Receive what others publish, as soon as the room is joined. Default: whether the token allows it. */
  readonly receive?: boolean;
  /** Most slots that are ever asked for, per kind. */
  readonly maxSlots?: { readonly audio: number; readonly video: number };
  /** How long `connect` tries, in milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Where unsent chat outlives the page; defaults to `localStorage`, null keeps none. */
  readonly store?: TextStore | null;
  /** For tests and for other places than browsers. */
  readonly createHandler?: CreateHandler;
  readonly openWebSocket?: OpenWebSocket;
  readonly random?: () => number;
}

/** A message of an application's own, sent with `sendEvent`. */
export interface RoomEvent {
  readonly name: string;
  readonly data: unknown;
  readonly from: Sender;
  /** Its place in the room's log; null for events that are not kept. */
  readonly offset: number | null;
  /** It was missed while away, and told after coming back. */
  readonly replayed: boolean;
}

export interface RoomEvents {
  /** With the reason for anything but `connected`. `closed` is for good. */
  state: [state: RoomState, reason: HubbubError | null];
  mediaState: [state: MediaState];
  /** Something in `participants` is another than before. */
  change: [];
  participantJoined: [participant: ParticipantView];
  participantLeft: [participant: ParticipantView, reason: string | null];
  participantUpdated: [participant: ParticipantView];
  trackPublished: [track: TrackView, participant: ParticipantView];
  trackChanged: [track: TrackView, participant: ParticipantView];
  trackUnpublished: [track: TrackView, participant: ParticipantView];
  /** A slot carries the track: its `media` is set. */
  trackReceived: [track: TrackView, participant: ParticipantView];
  trackLost: [track: TrackView, participant: ParticipantView];
  /** One's own published tracks are others than before, or in another state. */
  localTracks: [];
  /** Loudness by participant id, 0 to 1, at most ten times a second. */
  levels: [levels: ReadonlyMap<string, number>];
  event: [event: RoomEvent];
  signal: [from: string, data: unknown];
  recording: [id: string, state: string];
  draining: [deadlineMs: number];
  /** Every event as it came, for what is built on top. */
  wire: [event: ServerEvent, replayed: boolean];
  /** Joined, at first or again; `recovered`: no logged event was missed. */
  joined: [reply: JoinReply, resumed: boolean];
  /** What no caller waits for, and went wrong for good. */
  error: [problem: HubbubError];
}

const CONNECT_TIMEOUT_MS = 20_000;
const DEFAULT_MAX_SLOTS = { audio: 12, video: 24 } as const;
/** Slots are asked for this many at a time, so that people coming one by one do not each cost an offer. */
const SLOT_STEP = 4;

/** A room that one is in: its people, its media, its messages. */
export class Room extends Emitter<RoomEvents> {
  readonly media: MediaConnection;
  readonly subscriptions: Subscriptions;
  readonly #signaling: Signaling;
  readonly #tokens: TokenSource;
  readonly #roster = new Roster();
  readonly #options: RoomOptions;
  readonly #stopWatching: () => void;
  #reply: JoinReply | null = null;
  #chat: Chat | null = null;
  #presence: Presence | null = null;

  /**
   * Join a room. Rejects with HubbubError: `retryable` says whether it is worth asking the user to try again.
   *
   * `url` is the server's address (`https://host`); `token` a JWT, or a function that fetches one, which is
   * asked again before the token expires and whenever the connection is made anew.
   */
  static async connect(url: string, token: TokenProvider, options: RoomOptions = {}): Promise<Room> {
    const room = new Room(url, token, options);
    await room.#signaling.connect(options.timeoutMs ?? CONNECT_TIMEOUT_MS, options.signal);
    return room;
  }

  private constructor(url: string, token: TokenProvider, options: RoomOptions) {
    super();
    this.#options = options;
    this.#tokens = new TokenSource(token);
    const { room, presence, openWebSocket, random } = options;
    this.#signaling = new Signaling({
      url,
      tokens: this.#tokens,
      ...(room !== undefined && { room }),
      ...(presence && { presence }),
      ...(openWebSocket && { openWebSocket }),
      ...(random && { random }),
    });
    this.media = new MediaConnection(
      this.#signaling,
      options.createHandler ?? ((handlerOptions) => new BrowserHandler(handlerOptions)),
    );
    this.subscriptions = new Subscriptions(this.#signaling, this.#roster);
    this.#wire();
    // Others need not wait for a page that is gone until the time for its return is over.
    this.#stopWatching = onPageHide(() => void this.leave());
  }

  get name(): string {
    return this.#reply?.room.name ?? "";
  }

  get state(): RoomState {
    const { state } = this.#signaling;
    return state === "connecting" ? "reconnecting" : state;
  }

  /** Why the room is closed; null while it is not. */
  get closed(): HubbubError | null {
    return this.#signaling.ended;
  }

  get local(): ParticipantView {
    return this.#roster.local;
  }

  /** Everybody, oneself first. The same array until something changes. */
  get participants(): readonly ParticipantView[] {
    return this.#roster.all;
  }

  get localTracks(): readonly LocalTrack[] {
    return this.media.locals;
  }

  get iceServers(): readonly WireIceServer[] {
    return this.#reply?.ice_servers ?? [];
  }

  /** Grants of the token, e.g. `publish`. The server decides; this is to show or hide controls. */
  may(grant: string): boolean {
    const grants = this.#tokens.claims?.grants ?? [];
    return grants.includes(grant) || grants.includes("admin");
  }

  /** Rejects with HubbubError when the server refuses; over reconnections it waits. */
  async publish(track: MediaStreamTrack, options: PublishOptions): Promise<LocalTrack> {
    try {
      return await this.media.publish(track, options);
    } finally {
      this.emit("localTracks");
    }
  }

  async unpublish(track: LocalTrack): Promise<void> {
    await this.media.unpublish(track);
    this.emit("localTracks");
  }

  async mute(track: LocalTrack, muted: boolean): Promise<void> {
    const done = this.media.mute(track, muted);
    this.emit("localTracks");
    await done;
  }

  /** Send another track of the same kind in its place, or nothing. */
  async replaceTrack(track: LocalTrack, media: MediaStreamTrack | null): Promise<void> {
    await this.media.replace(track, media);
    this.emit("localTracks");
  }

  /** This element shows the track: it is received in a size that fits. Returns the function that ends it. */
  watch(trackId: string, element: Element): () => void {
    return this.subscriptions.watch(trackId, element);
  }

  /** `manual`: only what `subscribe` asks for is received. */
  async setPolicy(mode: "auto" | "manual"): Promise<void> {
    await this.request("media.policy", { mode });
  }

  /** What is presented when the room is joined anew. `presence` looks after it. */
  set presenceOnJoining(state: object) {
    this.#signaling.presence = state;
  }

  /** The room's conversation. */
  get chat(): Chat {
    if (!this.#chat) throw new HubbubError("misuse", "not in the room yet");
    return this.#chat;
  }

  /** One's own state as others see it. */
  get presence(): Presence {
    this.#presence ??= new Presence(this, this.#options.presence);
    return this.#presence;
  }

  /** Resolves to the event's place in the room's log when it is kept, otherwise to null. */
  async sendEvent(
    name: string,
    data: unknown,
    options: { to?: readonly string[]; keep?: boolean } = {},
  ): Promise<number | null> {
    return (await this.request("event.send", { name, data, ...options })).offset;
  }

  /** Relayed as it is to one participant. */
  async signal(to: string, data: unknown): Promise<void> {
    await this.request("signal", { to, data });
  }

  /** A call straight to `participant`; feed it with `call.receive` from this room's `signal` events. */
  call(participant: string): PeerCall {
    return new PeerCall({
      polite: this.local.id < participant,
      iceServers: this.iceServers,
      send: (data) => this.signal(participant, data),
      whenConnected: () => this.whenConnected(),
    });
  }

  /** Resolves at once, or when the connection is back; rejects when it is closed for good. */
  whenConnected(): Promise<void> {
    if (this.state === "connected") return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (this.closed) reject(this.closed);
      const off = this.on("state", (state, reason) => {
        if (state === "reconnecting") return;
        off();
        if (state === "connected") resolve();
        else reject(reason ?? new HubbubError("closed", "the room was left"));
      });
    });
  }

  /** Any request of the protocol. Rejects with HubbubError, `network` while there is no connection. */
  request<T extends RequestType>(type: T, fields: RequestFields[T]): Promise<ReplyOf<T>> {
    return this.#signaling.request(type, fields);
  }

  /** Others see one leave at once. */
  async leave(): Promise<void> {
    this.#stopWatching();
    this.media.close();
    this.subscriptions.close();
    await this.#signaling.leave();
  }

  /** Behave as after a change of network: for applications that know better than the browser. */
  reconnect(): void {
    this.#signaling.networkChanged("interface");
  }

  #wire(): void {
    this.#signaling.on("joined", (reply, resumed) => this.#joined(reply, resumed));
    this.#signaling.on("event", (event, replayed) => this.#receive(event, replayed));
    this.#signaling.on("state", (state, reason) => this.#stateChanged(state === "connecting" ? null : state, reason));
    this.#signaling.on("network", (change) => {
      if (change !== "awake") this.media.restartIce();
    });
    this.media.on("slot", (mid, media) => this.#tell(this.#roster.attach(mid, media)));
    this.media.on("reset", () => {
      this.subscriptions.reset();
      this.#tell(this.#roster.detachAll());
    });
    this.media.on("state", (state) => this.emit("mediaState", state));
    this.media.on("error", (problem) => this.emit("error", problem));
  }

  #joined(reply: JoinReply, resumed: boolean): void {
    this.#reply = reply;
    this.#tell(this.#roster.reset(reply, resumed));
    this.media.joined(reply.ice_servers, resumed);
    this.#growSlots();
    // From the first moment, so that nothing said is missed.
    this.#chat ??= new Chat(this, this.#options.store === undefined ? browserStore() : this.#options.store);
    this.emit("joined", reply, resumed);
  }

  #stateChanged(state: RoomState | null, reason: HubbubError | null): void {
    if (state === null) return;
    if (state === "closed") {
      this.#stopWatching();
      this.media.close();
      this.subscriptions.close();
    }
    this.emit("state", state, reason);
  }

  #receive(event: ServerEvent, replayed: boolean): void {
    this.#tell(this.#roster.apply(event));
    this.emit("wire", event, replayed);
    switch (event.type) {
      case "speakers":
        return this.emit("levels", new Map(event.levels.map(({ participant, level }) => [participant, level])));
      case "signal":
        return this.emit("signal", event.from, event.data);
      case "recording":
        return this.emit("recording", event.id, event.state);
      case "server.draining":
        return this.emit("draining", event.deadline_ms);
      case "event": {
        const { name, data, from, offset } = event;
        return this.emit("event", { name, data, from, offset, replayed });
      }
      default:
    }
  }

  #tell(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    for (const change of changes) this.#tellOne(change);
    this.#growSlots();
    this.subscriptions.refresh();
    this.emit("change");
  }

  #tellOne(change: Change): void {
    const { participant } = change;
    switch (change.is) {
      case "joined":
        return this.emit("participantJoined", participant);
      case "left":
        return this.emit("participantLeft", participant, change.reason);
      case "updated":
        return this.emit("participantUpdated", participant);
      case "published":
        return this.emit("trackPublished", change.track, participant);
      case "changed":
        return this.emit("trackChanged", change.track, participant);
      case "unpublished":
        return this.emit("trackUnpublished", change.track, participant);
      case "received":
        return this.emit("trackReceived", change.track, participant);
      case "lost":
        return this.emit("trackLost", change.track, participant);
    }
  }

  #growSlots(): void {
    if (!(this.#options.receive ?? this.may("subscribe"))) return;
    const { audio, video } = this.#options.maxSlots ?? DEFAULT_MAX_SLOTS;
    const pairs = Math.max(this.#published("audio"), this.#published("video"));
    const slots = Math.ceil((pairs + 1) / SLOT_STEP) * SLOT_STEP;
    this.media.want({ audio: Math.min(audio, slots), video: Math.min(video, slots) });
  }

  #published(kind: Kind): number {
    return this.participants
      .filter((participant) => !participant.local)
      .reduce((sum, { tracks }) => sum + tracks.filter((track) => track.kind === kind).length, 0);
  }
}

/** Null where there is none, or where it is switched off. */
function browserStore(): TextStore | null {
  try {
    return typeof window === "undefined" ? null : window.localStorage;
  } catch {
    return null;
  }
}
