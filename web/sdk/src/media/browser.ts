import { HubbubError } from "../errors.js";
import type { Kind } from "../wire.js";
import { preferCodec, slotCodecs } from "./codecs.js";
import type {
  HandlerOptions,
  HandlerState,
  MediaHandler,
  Receiving,
  Sending,
  SendingOptions,
} from "./handler.js";

/** RTCPeerConnection as Chromium, Firefox and Safari have it. */
export class BrowserHandler implements MediaHandler {
  readonly #connection: RTCPeerConnection;
  onState: ((state: HandlerState) => void) | null = null;

  constructor(options: HandlerOptions) {
    if (typeof RTCPeerConnection === "undefined") {
      throw new HubbubError("unsupported", "this browser has no WebRTC");
    }
    this.#connection = new RTCPeerConnection({
      bundlePolicy: "max-bundle",
      iceTransportPolicy: options.iceTransportPolicy ?? "all",
      iceServers: rtcIceServers(options.iceServers),
    });
    this.#connection.addEventListener("connectionstatechange", () => this.onState?.(this.state));
  }

  get state(): HandlerState {
    return this.#connection.connectionState;
  }

  send(track: MediaStreamTrack, { kind, encodings, codec }: SendingOptions): Sending {
    const transceiver = this.#connection.addTransceiver(track, {
      direction: "sendonly",
      sendEncodings: [...encodings],
    });
    offerExtensions(transceiver);
    const codecs = codec ? (RTCRtpSender.getCapabilities(kind)?.codecs ?? []) : [];
    if (codec && codecs.length > 0) transceiver.setCodecPreferences(preferCodec(codec, codecs));
    return new BrowserSending(transceiver);
  }

  receive(kind: Kind): Receiving {
    const transceiver = this.#connection.addTransceiver(kind, { direction: "recvonly" });
    const codecs = slotCodecs(kind, RTCRtpReceiver.getCapabilities(kind)?.codecs ?? []);
    if (codecs.length > 0) transceiver.setCodecPreferences(codecs);
    return new BrowserReceiving(transceiver, kind);
  }

  openChannel(label: string, protocol: string): RTCDataChannel {
    return this.#connection.createDataChannel(label, { protocol });
  }

  async offer({ iceRestart }: { iceRestart: boolean }): Promise<string> {
    const offer = await this.#connection.createOffer({ iceRestart });
    await this.#connection.setLocalDescription(offer);
    // The server is ICE-lite and takes no candidates: there is nothing to gather for.
    return this.#connection.localDescription?.sdp ?? offer.sdp ?? "";
  }

  async answer(sdp: string): Promise<void> {
    await this.#connection.setRemoteDescription({ type: "answer", sdp });
  }

  async rollback(): Promise<void> {
    if (this.#connection.signalingState !== "have-local-offer") return;
    await this.#connection.setLocalDescription({ type: "rollback" });
  }

  stats(): Promise<RTCStatsReport> {
    return this.#connection.getStats();
  }

  close(): void {
    this.onState = null;
    this.#connection.close();
  }
}

class BrowserSending implements Sending {
  readonly #transceiver: RTCRtpTransceiver;

  constructor(transceiver: RTCRtpTransceiver) {
    this.#transceiver = transceiver;
  }

  get mid(): string | null {
    return this.#transceiver.mid;
  }

  replace(track: MediaStreamTrack | null): Promise<void> {
    return this.#transceiver.sender.replaceTrack(track);
  }

  async setActive(layers: readonly boolean[]): Promise<void> {
    const parameters = this.#transceiver.sender.getParameters();
    parameters.encodings.forEach((encoding, index) => (encoding.active = layers[index] ?? true));
    await this.#transceiver.sender.setParameters(parameters);
  }

  stats(): Promise<RTCStatsReport> {
    return this.#transceiver.sender.getStats();
  }

  stop(): void {
    this.#transceiver.stop();
  }
}

class BrowserReceiving implements Receiving {
  readonly kind: Kind;
  readonly #transceiver: RTCRtpTransceiver;

  constructor(transceiver: RTCRtpTransceiver, kind: Kind) {
    this.#transceiver = transceiver;
    this.kind = kind;
  }

  get mid(): string | null {
    return this.#transceiver.mid;
  }

  get track(): MediaStreamTrack {
    return this.#transceiver.receiver.track;
  }

  stop(): void {
    this.#transceiver.stop();
  }
}

interface HeaderExtension {
  readonly uri: string;
  direction: RTCRtpTransceiverDirection;
}

/** WebRTC extensions, section 5.1: in Chromium only, so far. */
interface ExtensionControl {
  getHeaderExtensionsToNegotiate?(): HeaderExtension[];
  setHeaderExtensionsToNegotiate?(extensions: HeaderExtension[]): void;
}

/** Without these the server knows neither which section a packet is of, nor how loud it is. */
const NEEDED_EXTENSIONS = [/sdes:mid$/, /rtp-stream-id$/, /ssrc-audio-level$/, /abs-send-time$/, /dependency-descriptor/];

/**
 * Chromium does not offer an extension again that no section of the connection has: what the slots go without,
 * a camera that is published later would go without too.
 */
function offerExtensions(transceiver: RTCRtpTransceiver & ExtensionControl): void {
  const extensions = transceiver.getHeaderExtensionsToNegotiate?.() ?? [];
  for (const extension of extensions) {
    if (NEEDED_EXTENSIONS.some((needed) => needed.test(extension.uri))) extension.direction = "sendrecv";
  }
  if (extensions.length > 0) transceiver.setHeaderExtensionsToNegotiate?.(extensions);
}

/** The browsers' dictionaries know no null. */
export function rtcIceServers(servers: HandlerOptions["iceServers"]): RTCIceServer[] {
  return servers.map(({ urls, username, credential }) => ({
    urls,
    ...(username !== null && { username }),
    ...(credential !== null && { credential }),
  }));
}
