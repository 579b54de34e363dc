import type { Kind, PublishedSection } from "../wire.js";
import { cameraEncodings, screenEncodings } from "./encodings.js";
import type { Sending, SendingOptions } from "./handler.js";

export interface PublishOptions {
  /** `camera`, `microphone`, `screen`, `screen_audio` or a name of the application's own. */
  readonly source: string;
  readonly name?: string;
  readonly muted?: boolean;
  /** Several sizes of the picture at once, so that every receiver gets one that fits. Default: for cameras. */
  readonly simulcast?: boolean;
  /** MIME subtype to prefer, e.g. `VP9`. */
  readonly codec?: string;
  /** Instead of the encodings that are made from the track's size. */
  readonly encodings?: readonly RTCRtpEncodingParameters[];
}

/** What publishes a track, for as long as it is wanted: over reconnections and rebuilt connections. */
export interface Publisher {
  mute(track: LocalTrack, muted: boolean): Promise<void>;
  replace(track: LocalTrack, media: MediaStreamTrack | null): Promise<void>;
  unpublish(track: LocalTrack): Promise<void>;
}

/** A picture whose size the browser does not tell is taken for this high, in pixels. */
const ASSUMED_HEIGHT = 480;

/** A track that this participant publishes. */
export class LocalTrack {
  readonly kind: Kind;
  readonly options: PublishOptions;
  readonly #publisher: Publisher;
  /** What is sent at the moment; null sends nothing and keeps the track published. */
  media: MediaStreamTrack | null;
  muted: boolean;
  /** The server's id; null until it answered, and another one after the connection was built anew. */
  id: string | null = null;
  /** The section that sends it in the present connection. */
  sending: Sending | null = null;
  /** The `muted` that the server was told last. */
  mutedThere = false;

  constructor(media: MediaStreamTrack, options: PublishOptions, publisher: Publisher) {
    this.kind = media.kind === "audio" ? "audio" : "video";
    this.media = media;
    this.options = options;
    this.muted = options.muted ?? false;
    media.enabled = !this.muted;
    this.#publisher = publisher;
  }

  get source(): string {
    return this.options.source;
  }

  /** The media stops at once; others are told. Rejects with HubbubError. */
  mute(muted: boolean): Promise<void> {
    return this.#publisher.mute(this, muted);
  }

  /** Send something else of the same kind (another camera), or nothing. */
  replace(media: MediaStreamTrack | null): Promise<void> {
    return this.#publisher.replace(this, media);
  }

  unpublish(): Promise<void> {
    return this.#publisher.unpublish(this);
  }

  /** For the offer. */
  section(): PublishedSection {
    const { source, name } = this.options;
    return { source, muted: this.muted, ...(name !== undefined && { name }) };
  }

  sendingOptions(): SendingOptions {
    const { codec } = this.options;
    return { kind: this.kind, encodings: this.#encodings(), ...(codec !== undefined && { codec }) };
  }

  #encodings(): readonly RTCRtpEncodingParameters[] {
    if (this.options.encodings) return this.options.encodings;
    if (this.kind === "audio") return [{}];
    if (this.source === "screen") return screenEncodings();
    const height = this.media?.getSettings().height ?? ASSUMED_HEIGHT;
    return cameraEncodings(height, this.options.simulcast ?? this.source === "camera");
  }
}
