/**
 * What the media connection needs of a browser, and no more: one implementation per kind of browser,
 * and a fake one for tests that run without any.
 */

import type { Kind, WireIceServer } from "../wire.js";

/** `disconnected` may heal by itself, `failed` does not. */
export type HandlerState = "new" | "connecting" | "connected" | "disconnected" | "failed" | "closed";

/** A section that publishes. */
export interface Sending {
  /** Known from the first offer that has the section. */
  readonly mid: string | null;
  replace(track: MediaStreamTrack | null): Promise<void>;
  /** Turn simulcast layers on and off, lowest first. */
  setActive(layers: readonly boolean[]): Promise<void>;
  stats(): Promise<RTCStatsReport>;
  /** Gone with the next offer. */
  stop(): void;
}

/** A slot: a section that receives whatever the server routes into it. */
export interface Receiving {
  readonly kind: Kind;
  readonly mid: string | null;
  readonly track: MediaStreamTrack;
  stop(): void;
}

export interface SendingOptions {
  readonly kind: Kind;
  readonly encodings: readonly RTCRtpEncodingParameters[];
  /** MIME subtype to prefer, e.g. `VP9`. */
  readonly codec?: string;
}

export interface HandlerOptions {
  readonly iceServers: readonly WireIceServer[];
  /** `relay` uses TURN servers only. */
  readonly iceTransportPolicy?: RTCIceTransportPolicy;
}

export interface MediaHandler {
  readonly state: HandlerState;
  onState: ((state: HandlerState) => void) | null;
  send(track: MediaStreamTrack, options: SendingOptions): Sending;
  receive(kind: Kind): Receiving;
  openChannel(label: string, protocol: string): RTCDataChannel;
  /** Makes an offer, sets it as the local description and returns it; may be called again before an answer. */
  offer(options: { iceRestart: boolean }): Promise<string>;
  answer(sdp: string): Promise<void>;
  /** Take back an offer that was refused. */
  rollback(): Promise<void>;
  stats(): Promise<RTCStatsReport>;
  close(): void;
}

export type CreateHandler = (options: HandlerOptions) => MediaHandler;
