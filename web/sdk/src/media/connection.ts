import { Backoff } from "../backoff.js";
import { Emitter } from "../emitter.js";
import { HubbubError } from "../errors.js";
import { Serial } from "../serial.js";
import type { Signaling } from "../signaling.js";
import type { Kind, MediaAnswer, PublishedSection, WireIceServer } from "../wire.js";
import type { CreateHandler, HandlerState, MediaHandler, Receiving } from "./handler.js";
import { LocalTrack, type Publisher, type PublishOptions } from "./local_track.js";

export type MediaState = "idle" | "connecting" | "connected" | "recovering" | "failed" | "closed";

export interface MediaEvents {
  state: [state: MediaState];
  /** A slot is there and has media, or is gone (null). */
  slot: [mid: string, media: MediaStreamTrack | null];
  /** The slots of a connection are all gone with it. */
  reset: [];
  /** Something that no caller waits for went wrong for good. */
  error: [problem: HubbubError];
}

export interface SlotCounts {
  readonly audio: number;
  readonly video: number;
}

const OFFER_TIMEOUT_MS = 20_000;
/** `disconnected` often heals by itself: a restart costs a round trip and some frames. */
const DISCONNECTED_PATIENCE_MS = 2_000;
/** A restart that has not led to a connection by then is tried again, … */
const RECOVERY_TIMEOUT_MS = 8_000;
/** … this often before everything is built anew. */
const MAX_RESTARTS = 2;
/** Builds that failed one after the other before the media counts as failed. */
const MAX_REBUILDS = 5;

/**
 * The participant's one media connection. What shall be published and received is kept as a wish; one
 * operation at a time makes the connection fit it by an offer. So a lost socket, a restarted server and a
 * changed network are all the same case: the wish stands, and is reconciled when that is possible again.
 */
export class MediaConnection extends Emitter<MediaEvents> implements Publisher {
  readonly #signaling: Signaling;
  readonly #create: CreateHandler;
  readonly #serial = new Serial();
  readonly #backoff = new Backoff(500, 10_000);
  readonly #locals = new Set<LocalTrack>();
  #published: readonly LocalTrack[] = [];
  readonly #slots: Receiving[] = [];
  /** Who waits for the server's word on a track. */
  readonly #waiters = new Map<LocalTrack, { resolve: () => void; reject: (reason: HubbubError) => void }>();
  #iceServers: readonly WireIceServer[] = [];
  #wanted: SlotCounts = { audio: 0, video: 0 };
  #handler: MediaHandler | null = null;
  #state: MediaState = "idle";
  #dirty = false;
  #restart = false;
  #restarts = 0;
  #rebuilds = 0;
  #hasChannels = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(signaling: Signaling, create: CreateHandler) {
    super();
    this.#signaling = signaling;
    this.#create = create;
  }

  get state(): MediaState {
    return this.#state;
  }

  /** The same array until a track comes, goes, or is changed. */
  get locals(): readonly LocalTrack[] {
    if (this.#published.length !== this.#locals.size || this.#published.some((track) => !this.#locals.has(track))) {
      this.#published = [...this.#locals];
    }
    return this.#published;
  }

  /** The handler of the present connection; null before the first, and between two. */
  get handler(): MediaHandler | null {
    return this.#handler;
  }

  /** A session was joined: go on where its media still runs, otherwise start over. */
  joined(iceServers: readonly WireIceServer[], resumed: boolean): void {
    this.#iceServers = iceServers;
    if (!resumed) this.#discard();
    else if (this.#handler && this.#handler.state !== "connected") this.#restart = true;
    if (this.#restart || (!this.#handler && this.#isWanted())) this.#dirty = true;
    this.#reconcileSoon();
  }

  /** Ask for slots; there are never fewer than there were, since a slot costs nothing while it is empty. */
  want(counts: SlotCounts): void {
    const audio = Math.max(counts.audio, this.#wanted.audio);
    const video = Math.max(counts.video, this.#wanted.video);
    if (audio === this.#wanted.audio && video === this.#wanted.video) return;
    this.#wanted = { audio, video };
    this.#dirty = true;
    this.#reconcileSoon();
  }

  /** Resolves when the server has accepted the track; rejects with HubbubError when it has refused it. */
  async publish(media: MediaStreamTrack, options: PublishOptions): Promise<LocalTrack> {
    const track = new LocalTrack(media, options, this);
    this.#locals.add(track);
    this.#dirty = true;
    this.#reconcileSoon();
    await this.#settled(track);
    return track;
  }

  async unpublish(track: LocalTrack): Promise<void> {
    if (!this.#locals.delete(track)) return;
    track.sending?.stop();
    this.#forget(track);
    this.#dirty = true;
    await this.#reconcile();
  }

  async mute(track: LocalTrack, muted: boolean): Promise<void> {
    track.muted = muted;
    this.#published = [];
    if (track.media) track.media.enabled = !muted;
    await this.#serial.run(() => this.#tellMutes());
  }

  async replace(track: LocalTrack, media: MediaStreamTrack | null): Promise<void> {
    await this.#serial.run(async () => {
      if (media && media.kind !== track.kind) throw new HubbubError("misuse", `not a track of ${track.kind}`);
      if (media) media.enabled = !track.muted;
      await track.sending?.replace(media);
      track.media = media;
      this.#published = [];
    });
    // A connection that was built while there was nothing to send has no section for it.
    if (!media || track.sending || !this.#handler) return;
    this.#dirty = true;
    await this.#reconcile();
  }

  /** A data channel on this connection; it closes with the connection, and is then to be opened again. */
  async openChannel(label: string, protocol = ""): Promise<RTCDataChannel> {
    const channel = await this.#serial.run(() => this.#ensureHandler().openChannel(label, protocol));
    if (!this.#hasChannels) {
      // The first channel needs a section of the description; the others share it.
      this.#hasChannels = true;
      this.#dirty = true;
      await this.#reconcile();
    }
    return channel;
  }

  /** New ICE credentials on the same connection: what a change of network needs. */
  restartIce(): void {
    if (!this.#handler) return;
    this.#restart = true;
    this.#dirty = true;
    this.#become("recovering");
    this.#watch(RECOVERY_TIMEOUT_MS);
    this.#reconcileSoon();
  }

  close(): void {
    this.#discard();
    this.#serial.close();
    clearTimeout(this.#retryTimer);
    for (const track of this.#locals) this.#reject(track, new HubbubError("closed", "the room was left"));
    this.#become("closed");
  }

  #isWanted(): boolean {
    return this.#locals.size > 0 || this.#wanted.audio + this.#wanted.video > 0;
  }

  #reconcileSoon(): void {
    this.#reconcile().catch((problem: unknown) => {
      const error = HubbubError.from(problem, "media");
      if (error.reason !== "closed") this.emit("error", error);
    });
  }

  #reconcile(): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#signaling.state !== "connected") return;
      if (!this.#dirty) return this.#tellMutes();
      this.#dirty = false;
      await this.#negotiate(this.#ensureHandler());
    });
  }

  async #negotiate(handler: MediaHandler): Promise<void> {
    const iceRestart = this.#restart;
    this.#restart = false;
    try {
      this.#fit(handler);
      const sdp = await handler.offer({ iceRestart });
      if (handler !== this.#handler) return;
      const answer = await this.#signaling.request("media.offer", { sdp, tracks: this.#sections() }, OFFER_TIMEOUT_MS);
      if (handler !== this.#handler) return;
      await handler.answer(answer.sdp);
      this.#settle(answer);
      await this.#tellMutes();
    } catch (problem) {
      if (handler !== this.#handler) return;
      const error = HubbubError.from(problem, "media");
      this.#restart ||= iceRestart;
      if (error.retryable) this.#retryLater(error);
      else await this.#refused(error, handler);
    }
  }

  /** Make the sections fit the wish; the k-th audio and video slots are made together, since they pair. */
  #fit(handler: MediaHandler): void {
    for (const track of this.#locals) {
      if (track.media) track.sending ??= handler.send(track.media, track.sendingOptions());
    }
    for (let pair = 0; pair < Math.max(this.#wanted.audio, this.#wanted.video); pair += 1) {
      this.#fitSlot(handler, "audio", pair);
      this.#fitSlot(handler, "video", pair);
    }
  }

  #fitSlot(handler: MediaHandler, kind: Kind, index: number): void {
    const there = this.#slots.filter((slot) => slot.kind === kind).length;
    if (index < this.#wanted[kind] && index >= there) this.#slots.push(handler.receive(kind));
  }

  #sections(): Record<string, PublishedSection> {
    const published = [...this.#locals].flatMap((track) =>
      track.sending?.mid ? [[track.sending.mid, track.section()] as const] : [],
    );
    for (const track of this.#locals) track.mutedThere = track.muted;
    return Object.fromEntries(published);
  }

  #settle(answer: MediaAnswer): void {
    this.#backoff.reset();
    for (const track of this.#locals) {
      const mid = track.sending?.mid;
      if (!mid) continue;
      track.id = answer.tracks[mid] ?? null;
      if (track.id === null) this.#reject(track, new HubbubError("forbidden", `the server did not take the ${track.source}`));
      else this.#resolve(track);
    }
    const accepted = new Set(answer.slots.map((slot) => slot.mid));
    for (const slot of this.#slots) {
      if (slot.mid && accepted.has(slot.mid)) this.emit("slot", slot.mid, slot.track);
    }
  }

  /** The offer may or may not have arrived: the next one says the same and more. */
  #retryLater(error: HubbubError): void {
    this.#dirty = true;
    if (this.#signaling.state !== "connected") return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#reconcileSoon(), this.#backoff.next(error.retryAfterMs ?? 0));
  }

  /** What was asked for newly is given up. Where nothing was, the connection itself is at fault. */
  async #refused(error: HubbubError, handler: MediaHandler): Promise<void> {
    const asked = [...this.#locals].filter((track) => track.id === null);
    for (const track of asked) this.#reject(track, error);
    if (asked.length === 0) {
      this.#rebuild(error);
      return;
    }
    await handler.rollback();
    this.#dirty = true;
    this.#reconcileSoon();
  }

  async #tellMutes(): Promise<void> {
    for (const track of this.#locals) {
      const { id, muted } = track;
      if (id === null || muted === track.mutedThere || this.#signaling.state !== "connected") continue;
      try {
        await this.#signaling.request("media.mute", { track: id, muted });
        track.mutedThere = muted;
      } catch (problem) {
        // It is told when the connection is back.
        if (!(problem instanceof HubbubError && problem.retryable)) throw problem;
      }
    }
  }

  #ensureHandler(): MediaHandler {
    if (this.#handler) return this.#handler;
    const handler = this.#create({ iceServers: this.#iceServers });
    handler.onState = (state) => {
      if (handler === this.#handler) this.#handlerChanged(state);
    };
    this.#handler = handler;
    this.#become(this.#rebuilds > 0 ? "recovering" : "connecting");
    this.#watch(RECOVERY_TIMEOUT_MS);
    return handler;
  }

  #handlerChanged(state: HandlerState): void {
    if (state === "connected") {
      this.#restarts = 0;
      this.#rebuilds = 0;
      clearTimeout(this.#timer);
      this.#become("connected");
    } else if (state === "disconnected") {
      this.#become("recovering");
      this.#watch(DISCONNECTED_PATIENCE_MS);
    } else if (state === "failed") {
      this.#recover();
    }
  }

  #watch(patienceMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#recover(), patienceMs);
  }

  #recover(): void {
    // Without a server there is nobody to restart with: joining again looks after the media too.
    if (this.#signaling.state !== "connected") return this.#watch(RECOVERY_TIMEOUT_MS);
    this.#restarts += 1;
    if (this.#restarts > MAX_RESTARTS) this.#rebuild(new HubbubError("media", "the media connection cannot be restored"));
    else this.restartIce();
  }

  #rebuild(reason: HubbubError): void {
    this.#rebuilds += 1;
    this.#discard();
    if (this.#rebuilds > MAX_REBUILDS) {
      this.#become("failed");
      this.emit("error", reason);
      return;
    }
    this.#dirty = true;
    this.#become("recovering");
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#reconcileSoon(), this.#backoff.next());
  }

  #discard(): void {
    clearTimeout(this.#timer);
    if (!this.#handler) return;
    this.#handler.close();
    this.#handler = null;
    this.#slots.length = 0;
    this.#restart = false;
    this.#restarts = 0;
    this.#hasChannels = false;
    for (const track of this.#locals) this.#forget(track);
    this.emit("reset");
  }

  #forget(track: LocalTrack): void {
    track.sending = null;
    track.id = null;
  }

  #become(state: MediaState): void {
    if (state === this.#state || this.#state === "closed") return;
    this.#state = state;
    this.emit("state", state);
  }

  #settled(track: LocalTrack): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.set(track, { resolve, reject }));
  }

  #resolve(track: LocalTrack): void {
    this.#waiters.get(track)?.resolve();
    this.#waiters.delete(track);
  }

  #reject(track: LocalTrack, reason: HubbubError): void {
    track.sending?.stop();
    this.#forget(track);
    this.#locals.delete(track);
    this.#waiters.get(track)?.reject(reason);
    this.#waiters.delete(track);
  }
}
