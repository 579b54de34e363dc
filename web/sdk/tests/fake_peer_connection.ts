import type {
  HandlerState,
  MediaHandler,
  Receiving,
  Sending,
  SendingOptions,
} from "../src/media/handler.js";
import type { Kind } from "../src/wire.js";

/** A media handler without a browser. Its "SDP" is a JSON list of its sections, which the fake server reads. */
export class FakePeerConnection implements MediaHandler {
  state: HandlerState = "new";
  onState: ((state: HandlerState) => void) | null = null;
  readonly sections: FakeSection[] = [];
  readonly offers: { iceRestart: boolean }[] = [];
  readonly answers: string[] = [];
  readonly log: string[] = [];
  pending = false;

  send(track: MediaStreamTrack, options: SendingOptions): Sending {
    const section = new FakeSection("send", options.kind, track);
    section.options = options;
    this.sections.push(section);
    return section;
  }

  receive(kind: Kind): Receiving {
    const section = new FakeSection("receive", kind, fakeTrack(kind));
    this.sections.push(section);
    return section;
  }

  openChannel(label: string): RTCDataChannel {
    this.log.push(`channel ${label}`);
    return { label } as RTCDataChannel;
  }

  async offer(options: { iceRestart: boolean }): Promise<string> {
    this.log.push("offer");
    this.offers.push(options);
    this.pending = true;
    this.sections.forEach((section, index) => (section.mid ??= String(index)));
    return Promise.resolve(JSON.stringify(this.sections.filter((section) => !section.stopped).map(String)));
  }

  async answer(sdp: string): Promise<void> {
    this.log.push("answer");
    this.pending = false;
    this.answers.push(sdp);
    if (this.state === "new") this.become("connected");
    return Promise.resolve();
  }

  async rollback(): Promise<void> {
    this.log.push("rollback");
    this.pending = false;
    return Promise.resolve();
  }

  stats(): Promise<RTCStatsReport> {
    return Promise.resolve(new Map() as RTCStatsReport);
  }

  close(): void {
    this.state = "closed";
    this.log.push("close");
  }

  become(state: HandlerState): void {
    this.state = state;
    this.onState?.(state);
  }
}

export class FakeSection implements Sending, Receiving {
  readonly direction: "send" | "receive";
  readonly kind: Kind;
  track: MediaStreamTrack;
  sent: MediaStreamTrack | null;
  options: SendingOptions | null = null;
  mid: string | null = null;
  stopped = false;

  constructor(direction: "send" | "receive", kind: Kind, track: MediaStreamTrack) {
    this.direction = direction;
    this.kind = kind;
    this.track = track;
    this.sent = track;
  }

  replace(track: MediaStreamTrack | null): Promise<void> {
    this.sent = track;
    return Promise.resolve();
  }

  setActive(): Promise<void> {
    return Promise.resolve();
  }

  stats(): Promise<RTCStatsReport> {
    return Promise.resolve(new Map() as RTCStatsReport);
  }

  stop(): void {
    this.stopped = true;
  }

  toString(): string {
    return `${this.direction} ${this.kind} ${this.mid ?? "?"}`;
  }
}

let tracks = 0;

export function fakeTrack(kind: Kind, height = 720): MediaStreamTrack {
  const id = `track-${++tracks}`;
  return { id, kind, enabled: true, getSettings: () => ({ height }), stop: () => undefined } as unknown as MediaStreamTrack;
}

/** Answers an offer of fake connections as the server does: every section that sends gets a track id. */
export function answerTo(sdp: string): { sdp: string; slots: object[]; tracks: Record<string, string> } {
  const sections = (JSON.parse(sdp) as string[]).map((line) => line.split(" "));
  const of = (direction: string): string[][] => sections.filter(([first]) => first === direction);
  return {
    sdp: "answer",
    slots: of("receive").map(([, kind, mid]) => ({ mid, kind })),
    tracks: Object.fromEntries(of("send").map(([, , mid = ""]) => [mid, `t-${mid}`] as const)),
  };
}
