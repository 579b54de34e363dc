import type { MediaState, RoomState } from "@hubbub/client";

interface BannerProps {
  readonly state: RoomState;
  readonly media: MediaState;
  readonly alone: boolean;
  readonly draining: boolean;
}

/** What is wrong with the connection, if anything; read out when it changes. */
export function Banner({ state, media, alone, draining }: BannerProps) {
  const text = sentence(state, media, alone, draining);
  return (
    <div className="banner-place" role="status" aria-live="polite">
      {text && (
        <p className="banner" data-testid="banner">
          <span className="banner-dot" aria-hidden="true" />
          {text}
        </p>
      )}
    </div>
  );
}

function sentence(state: RoomState, media: MediaState, alone: boolean, draining: boolean): string | null {
  if (state === "reconnecting") return "Connection lost. Reconnecting…";
  if (media === "recovering") return "Restoring sound and pictures…";
  if (media === "failed" && !alone) return "No sound and no pictures: this network lets none of them through.";
  if (draining) return "The server restarts in a moment. You will be brought back.";
  return null;
}
