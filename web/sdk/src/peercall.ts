import { rtcIceServers } from "./media/browser.js";
import { Emitter } from "./emitter.js";
import { HubbubError } from "./errors.js";
import { integer, literal, nullable, object, string, anything, DecodeError, type Infer } from "./schema.js";
import { Serial } from "./serial.js";
import type { WireIceServer } from "./wire.js";

export interface PeerCallEvents {
  track: [track: MediaStreamTrack, streams: readonly MediaStream[]];
  state: [state: RTCPeerConnectionState];
  channel: [channel: RTCDataChannel];
  /** What goes out through `signal`, for those who want to watch. */
  sent: [data: unknown];
  /** The other side hung up, or either side closed. Once. */
  closed: [];
  error: [problem: HubbubError];
}

export interface PeerCallOptions {
  /** Exactly one of the two gives way when both offer at once; comparing the two ids will do. */
  readonly polite: boolean;
  readonly iceServers: readonly WireIceServer[];
  /** Rejects with a retryable HubbubError where there is no connection right now. */
  readonly send: (data: unknown) => Promise<unknown>;
  /** Resolves when sending may work again. */
  readonly whenConnected: () => Promise<void>;
  readonly createConnection?: (configuration: RTCConfiguration) => RTCPeerConnection;
}

const message = object({
  hubbub: literal("call"),
  seq: integer,
  description: nullable(object({ type: literal("offer", "answer"), sdp: string })),
  candidate: anything,
  bye: anything,
});
type Message = Infer<typeof message>;
type Outgoing = { description: RTCSessionDescription | null } | { candidate: RTCIceCandidate | null } | { bye: true };

/** Candidates of a restart come by the dozen; more unsent messages than this mean that the call is over. */
const MAX_UNSENT = 128;

/**
 * How long the polite side leaves the first offer to the other, in ms. Both begin at the same moment; Chromium that
 * rolls its first offer back gathers no candidates for the answer any more.
 */
const COURTESY_MS = 1_000;

/**
 * A call straight to one other participant, negotiated through the room's `signal` messages: the server
 * relays them and never looks inside. Perfect negotiation (WebRTC 1.0, section 10.7): either side may add and
 * remove tracks at any time.
 */
export class PeerCall extends Emitter<PeerCallEvents> {
  readonly connection: RTCPeerConnection;
  readonly #options: PeerCallOptions;
  readonly #incoming = new Serial(MAX_UNSENT);
  readonly #outgoing = new Serial(MAX_UNSENT);
  #making = false;
  #ignoring = false;
  #sent = 0;
  #received = 0;
  #closed = false;

  constructor(options: PeerCallOptions) {
    super();
    this.#options = options;
    const create = options.createConnection ?? ((configuration) => new RTCPeerConnection(configuration));
    this.connection = create({ iceServers: rtcIceServers(options.iceServers), bundlePolicy: "max-bundle" });
    this.connection.onnegotiationneeded = () => void this.#offer();
    this.connection.onicecandidate = ({ candidate }) => this.#send({ candidate });
    this.connection.ontrack = ({ track, streams }) => this.emit("track", track, streams);
    this.connection.ondatachannel = ({ channel }) => this.emit("channel", channel);
    this.connection.onconnectionstatechange = () => this.#changed();
  }

  /** Whether a signal's data belongs to calls of this kind. */
  static accepts(data: unknown): boolean {
    try {
      message(data, "");
      return true;
    } catch (problem) {
      if (problem instanceof DecodeError) return false;
      throw problem;
    }
  }

  addTrack(track: MediaStreamTrack, stream: MediaStream): RTCRtpSender {
    return this.connection.addTrack(track, stream);
  }

  removeTrack(sender: RTCRtpSender): void {
    this.connection.removeTrack(sender);
  }

  /** Feed what the other side signalled. What is not of this protocol is ignored. */
  receive(data: unknown): void {
    if (this.#closed || !PeerCall.accepts(data)) return;
    const signal = message(data, "");
    // A message is sent again when it is unknown whether it arrived.
    if (signal.seq <= this.#received) return;
    this.#received = signal.seq;
    this.#incoming.run(() => this.#handle(signal)).catch((problem: unknown) => this.#fail(problem));
  }

  restartIce(): void {
    this.connection.restartIce();
  }

  close(): void {
    if (this.#closed) return;
    this.#send({ bye: true });
    this.#end();
  }

  async #offer(): Promise<void> {
    if (this.#options.polite && !this.#hasHeard()) {
      await new Promise((resolve) => setTimeout(resolve, COURTESY_MS));
      // The offer that came meanwhile took our tracks along; what it did not is needed again when it is settled.
      if (this.#closed || this.#hasHeard()) return;
    }
    try {
      this.#making = true;
      await this.connection.setLocalDescription();
      this.#send({ description: this.connection.localDescription });
    } catch (problem) {
      this.#fail(problem);
    } finally {
      this.#making = false;
    }
  }

  #hasHeard(): boolean {
    return this.connection.remoteDescription !== null;
  }

  async #handle(signal: Message): Promise<void> {
    if (signal.bye === true) this.#end();
    else if (signal.description) await this.#described(signal.description);
    else await this.#candidate(signal.candidate as RTCIceCandidateInit | null);
  }

  async #described(description: NonNullable<Message["description"]>): Promise<void> {
    const busy = this.#making || this.connection.signalingState !== "stable";
    this.#ignoring = !this.#options.polite && description.type === "offer" && busy;
    if (this.#ignoring) return;
    await this.connection.setRemoteDescription(description);
    if (description.type !== "offer") return;
    await this.connection.setLocalDescription();
    this.#send({ description: this.connection.localDescription });
  }

  async #candidate(candidate: RTCIceCandidateInit | null): Promise<void> {
    try {
      await this.connection.addIceCandidate(candidate ?? undefined);
    } catch (problem) {
      // Candidates of an offer that was ignored fit nothing here.
      if (!this.#ignoring) throw problem;
    }
  }

  #send(outgoing: Outgoing): void {
    if (this.#closed) return;
    const data = { hubbub: "call", seq: ++this.#sent, ...outgoing };
    this.emit("sent", data);
    this.#outgoing.run(() => this.#deliver(data)).catch((problem: unknown) => this.#fail(problem));
  }

  async #deliver(data: unknown): Promise<void> {
    for (;;) {
      try {
        await this.#options.send(data);
        return;
      } catch (problem) {
        if (!(problem instanceof HubbubError && problem.retryable)) throw problem;
        await this.#options.whenConnected();
      }
    }
  }

  #changed(): void {
    this.emit("state", this.connection.connectionState);
    if (this.connection.connectionState === "failed") this.restartIce();
  }

  #fail(problem: unknown): void {
    if (this.#closed) return;
    this.emit("error", HubbubError.from(problem, "media"));
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.connection.close();
    this.emit("closed");
  }
}
