import { PeerCall, type Room } from "@hubbub/client";
import type { Road, Source } from "../media/road.js";

/** One message that went through `signal`, for those who want to watch. */
export interface SignalEntry {
  readonly at: number;
  readonly direction: "sent" | "received";
  readonly peer: string;
  readonly what: string;
}

interface Line {
  readonly call: PeerCall;
  readonly senders: Map<Source, RTCRtpSender>;
  readonly streams: Map<string, MediaStream>;
  state: RTCPeerConnectionState;
}

export interface MeshState {
  /** The media of each participant, by stream id. */
  readonly streams: ReadonlyMap<string, readonly MediaStream[]>;
  readonly states: ReadonlyMap<string, RTCPeerConnectionState>;
  readonly signals: readonly SignalEntry[];
}

/** A log of signals that is longer than this tells nobody more. */
const MAX_ENTRIES = 200;

/** Calls to everybody in the room who wants them, without the server in between. */
export class Mesh implements Road {
  readonly #room: Room;
  readonly #lines = new Map<string, Line>();
  readonly #sending = new Map<Source, MediaStreamTrack>();
  /** Cameras and microphones travel in one stream, screens in another: so the other side tells them apart. */
  readonly #face = new MediaStream();
  readonly #screen = new MediaStream();
  readonly #listeners = new Set<() => void>();
  readonly #offs: (() => void)[];
  #state: MeshState = { streams: new Map(), states: new Map(), signals: [] };

  constructor(room: Room) {
    this.#room = room;
    this.#offs = [
      room.on("signal", (from, data) => this.#receive(from, data)),
      room.on("change", () => this.#meet()),
    ];
    this.#meet();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly state = (): MeshState => this.#state;

  /** The stream in which a shared screen travels. */
  get screenStream(): string {
    return this.#screen.id;
  }

  async send(source: Source, track: MediaStreamTrack | null): Promise<void> {
    if (track) this.#sending.set(source, track);
    else this.#sending.delete(source);
    await Promise.all([...this.#lines.values()].map((line) => this.#sendOn(line, source, track)));
  }

  mute(source: Source, muted: boolean): Promise<void> {
    const track = this.#sending.get(source);
    if (track) track.enabled = !muted;
    return Promise.resolve();
  }

  withdraw(source: Source): Promise<void> {
    this.#sending.delete(source);
    for (const { call, senders } of this.#lines.values()) {
      const sender = senders.get(source);
      if (sender) call.removeTrack(sender);
      senders.delete(source);
    }
    return Promise.resolve();
  }

  close(): void {
    for (const off of this.#offs) off();
    for (const { call } of this.#lines.values()) call.close();
    this.#lines.clear();
  }

  /** Call those who came, forget those who left. */
  #meet(): void {
    const wanted = this.#room.participants.filter(({ local, presence }) => !local && presence.p2p === true);
    for (const { id } of wanted) this.#line(id);
    for (const [id, { call }] of this.#lines) {
      if (!this.#room.participants.some((participant) => participant.id === id)) call.close();
    }
  }

  #line(participant: string): Line {
    const known = this.#lines.get(participant);
    if (known) return known;
    const call = this.#room.call(participant);
    const line: Line = { call, senders: new Map(), streams: new Map(), state: "new" };
    this.#lines.set(participant, line);
    call.on("track", (track, streams) => this.#received(line, track, streams));
    call.on("state", (state) => {
      line.state = state;
      this.#publish();
    });
    call.on("sent", (data) => this.#note("sent", participant, data));
    call.on("closed", () => {
      this.#lines.delete(participant);
      this.#publish();
    });
    for (const [source, track] of this.#sending) this.#add(line, source, track);
    return line;
  }

  async #sendOn(line: Line, source: Source, track: MediaStreamTrack | null): Promise<void> {
    const sender = line.senders.get(source);
    if (sender) await sender.replaceTrack(track);
    else if (track) this.#add(line, source, track);
  }

  #add(line: Line, source: Source, track: MediaStreamTrack): void {
    const stream = source === "screen" || source === "screen_audio" ? this.#screen : this.#face;
    line.senders.set(source, line.call.addTrack(track, stream));
  }

  #received(line: Line, track: MediaStreamTrack, streams: readonly MediaStream[]): void {
    for (const stream of streams) {
      line.streams.set(stream.id, stream);
      stream.onremovetrack = () => {
        if (stream.getTracks().length === 0) line.streams.delete(stream.id);
        this.#publish();
      };
    }
    track.onmute = track.onunmute = () => this.#publish();
    this.#publish();
  }

  #receive(from: string, data: unknown): void {
    if (!PeerCall.accepts(data)) return;
    this.#note("received", from, data);
    this.#line(from).call.receive(data);
  }

  #note(direction: SignalEntry["direction"], peer: string, data: unknown): void {
    const entry = { at: Date.now(), direction, peer, what: describe(data) };
    this.#publish([...this.#state.signals, entry].slice(-MAX_ENTRIES));
  }

  #publish(signals = this.#state.signals): void {
    const lines = [...this.#lines];
    this.#state = {
      streams: new Map(lines.map(([id, { streams }]) => [id, [...streams.values()]])),
      states: new Map(lines.map(([id, { state }]) => [id, state])),
      signals,
    };
    for (const listener of this.#listeners) listener();
  }
}

/** What kind of message it is, without its contents. */
function describe(data: unknown): string {
  const message = data as { description?: { type: string; sdp: string }; candidate?: { candidate?: string }; bye?: true };
  if (message.bye) return "bye";
  if (message.description) return `${message.description.type}, ${message.description.sdp.length} characters`;
  const candidate = message.candidate?.candidate?.split(" ");
  return candidate?.[7] ? `candidate, ${candidate[7]} over ${candidate[2]?.toLowerCase() ?? "?"}` : "end of candidates";
}
