import type { ParticipantView } from "@hubbub/client";
import type { LocalMediaState } from "../media/local_media.js";
import type { MeshState } from "../peer/mesh.js";

/** One picture on the stage, whichever way it came. */
export interface Tile {
  readonly key: string;
  readonly participant: ParticipantView;
  readonly source: "camera" | "screen";
  readonly media: MediaStreamTrack | null;
  /** The track in the room, where there is one; null for one's own and for calls without the server. */
  readonly trackId: string | null;
  readonly silent: boolean;
  /** The picture is held back for want of bandwidth. */
  readonly held: boolean;
}

/** One sound that is played, keyed so that its element stays when the slot's speaker changes. */
export interface Sound {
  readonly key: string;
  readonly media: MediaStreamTrack;
}

export interface Scene {
  readonly tiles: readonly Tile[];
  readonly sounds: readonly Sound[];
}

interface Own {
  readonly media: LocalMediaState;
  readonly muted: boolean;
  readonly screen: MediaStreamTrack | null;
}

/** What there is to see and hear in a room whose media comes through the server. */
export function relayScene(participants: readonly ParticipantView[], own: Own): Scene {
  const others = participants.filter((participant) => !participant.local);
  return {
    tiles: [...ownTiles(participants, own), ...others.flatMap(relayTiles)],
    sounds: others.flatMap(({ tracks }) =>
      tracks.flatMap(({ kind, media, mid }) =>
        kind === "audio" && media && mid !== null ? [{ key: `slot-${mid}`, media }] : [],
      ),
    ),
  };
}

/** The same for media that came straight from the others. */
export function meshScene(participants: readonly ParticipantView[], own: Own, mesh: MeshState): Scene {
  const others = participants.filter((participant) => !participant.local);
  return {
    tiles: [...ownTiles(participants, own), ...others.flatMap((participant) => meshTiles(participant, mesh))],
    sounds: others.flatMap(({ id }) =>
      (mesh.streams.get(id) ?? []).flatMap((stream) =>
        stream.getAudioTracks().map((media) => ({ key: `${id}-${media.id}`, media })),
      ),
    ),
  };
}

function ownTiles(participants: readonly ParticipantView[], { media, muted, screen }: Own): Tile[] {
  const participant = participants.find(({ local }) => local);
  if (!participant) return [];
  const base = { participant, trackId: null, held: false, silent: muted };
  const face: Tile = { ...base, key: "own", source: "camera", media: media.camera.track };
  return screen ? [face, { ...base, key: "own-screen", source: "screen", media: screen }] : [face];
}

function relayTiles(participant: ParticipantView): Tile[] {
  const { tracks, id } = participant;
  const microphone = tracks.find(({ source }) => source === "microphone");
  const silent = !microphone || microphone.muted;
  const camera = tracks.find(({ kind, source }) => kind === "video" && source !== "screen");
  const face: Tile = {
    key: id,
    participant,
    source: "camera",
    media: camera && !camera.muted ? camera.media : null,
    trackId: camera?.id ?? null,
    silent,
    held: camera?.paused ?? false,
  };
  const screens = tracks.filter(({ kind, source }) => kind === "video" && source === "screen");
  return [face, ...screens.map((screen) => screenTile(participant, screen.id, screen.media, screen.paused))];
}

function screenTile(
  participant: ParticipantView,
  trackId: string,
  media: MediaStreamTrack | null,
  held: boolean,
): Tile {
  return { key: trackId, participant, source: "screen", media, trackId, silent: false, held };
}

function meshTiles(participant: ParticipantView, mesh: MeshState): Tile[] {
  const { id, presence } = participant;
  const streams = mesh.streams.get(id) ?? [];
  // Its owner tells which stream is a screen: from the outside they all look alike.
  const face = streams.find((stream) => stream.id !== presence.screen);
  const base = { participant, trackId: null, held: false };
  const picture = presence.camera === false ? null : (face?.getVideoTracks()[0] ?? null);
  const screen = streams.find((stream) => stream.id === presence.screen)?.getVideoTracks()[0];
  const tile: Tile = { ...base, key: id, source: "camera", media: picture, silent: presence.microphone === false };
  return screen ? [tile, { ...base, key: `${id}-screen`, source: "screen", media: screen, silent: false }] : [tile];
}
