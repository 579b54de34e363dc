import type { Kind } from "../wire.js";

/**
 * The codecs that a slot is offered for. A slot must take what any publisher of the room may send, but every
 * further payload type costs 140 bytes per slot and offer: with all of them fifty pairs of slots are 296 kB.
 */
const SLOT_CODECS: Readonly<Record<Kind, readonly RegExp[]>> = {
  audio: [/^audio\/opus$/i, /^audio\/red$/i],
  video: [/^video\/(VP8|VP9|H264|AV1|rtx)$/i],
};

/** H.264 profiles that browsers send: constrained baseline and (constrained) high, packetization mode 1. */
const H264_PROFILES = ["42e0", "640c", "6400"];

export function slotCodecs(kind: Kind, all: readonly RTCRtpCodec[]): RTCRtpCodec[] {
  const kept = new Set<string>();
  return all.filter((codec) => {
    if (!SLOT_CODECS[kind].some((pattern) => pattern.test(codec.mimeType))) return false;
    const variant = variantOf(codec);
    if (variant === null) return false;
    // RTX is listed once and stands for all; of the others one payload type per variant will do.
    const key = `${codec.mimeType.toLowerCase()} ${variant}`;
    if (kept.has(key)) return false;
    kept.add(key);
    return true;
  });
}

/** `all` with the wanted codec in front, the others behind it as they were. */
export function preferCodec(wanted: string, all: readonly RTCRtpCodec[]): RTCRtpCodec[] {
  const is = (codec: RTCRtpCodec): boolean => codec.mimeType.split("/")[1]?.toLowerCase() === wanted.toLowerCase();
  return [...all.filter(is), ...all.filter((codec) => !is(codec))];
}

/** What tells payload types of one codec apart; null for those that nobody needs. */
function variantOf(codec: RTCRtpCodec): string | null {
  const parameters = codec.sdpFmtpLine ?? "";
  if (/H264$/i.test(codec.mimeType)) {
    const profile = /profile-level-id=([0-9a-f]{4})/i.exec(parameters)?.[1]?.toLowerCase() ?? "";
    return /packetization-mode=1/.test(parameters) && H264_PROFILES.includes(profile) ? profile : null;
  }
  // VP9 profile 2 and AV1 profile 1 are for ten bits and 4:4:4, which no camera gives.
  if (/VP9$/i.test(codec.mimeType)) return /profile-id=[1-9]/.test(parameters) ? null : "0";
  if (/AV1$/i.test(codec.mimeType)) return /profile=[1-9]/.test(parameters) ? null : "0";
  return "";
}
