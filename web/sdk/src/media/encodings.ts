/** Which simulcast layers a picture of a given size is sent in. */

export interface PublishQuality {
  /** Bits per second of the largest layer. */
  readonly maxBitrate: number;
  readonly maxFramerate: number;
}

const CAMERA_BITRATES: readonly (readonly [height: number, bitrate: number])[] = [
  [1080, 2_800_000],
  [720, 1_500_000],
  [540, 900_000],
  [360, 500_000],
  [180, 160_000],
  [0, 90_000],
];
const CAMERA_FRAMERATE = 30;
/** Text must be sharp, and moves little. */
const SCREEN: PublishQuality = { maxBitrate: 2_500_000, maxFramerate: 15 };
/** Names as the browsers' own examples have them, lowest layer first. */
const RIDS = ["q", "h", "f"] as const;
/** Below this a layer of half the size helps nobody. */
const MIN_LAYER_HEIGHT = 160;

/** Encodings of a camera picture, lowest layer first; one without a RID where simulcast does not pay. */
export function cameraEncodings(height: number, simulcast: boolean): RTCRtpEncodingParameters[] {
  const layers = simulcast ? Math.min(RIDS.length, 1 + Math.floor(Math.log2(height / MIN_LAYER_HEIGHT))) : 1;
  if (!(layers > 1)) return [{ maxBitrate: bitrateOf(height), maxFramerate: CAMERA_FRAMERATE }];
  return RIDS.slice(0, layers).map((rid, index) => {
    const scale = 2 ** (layers - 1 - index);
    return {
      rid,
      scaleResolutionDownBy: scale,
      maxBitrate: bitrateOf(height / scale),
      maxFramerate: CAMERA_FRAMERATE,
    };
  });
}

export function screenEncodings(): RTCRtpEncodingParameters[] {
  return [{ ...SCREEN }];
}

function bitrateOf(height: number): number {
  return CAMERA_BITRATES.find(([least]) => height >= least)?.[1] ?? 90_000;
}
