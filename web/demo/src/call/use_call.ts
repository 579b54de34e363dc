import type { Room } from "@hubbub/client";
import { useParticipants } from "@hubbub/react";
import { useEffect, useState, useSyncExternalStore } from "react";
import type { LocalMedia } from "../media/local_media.js";
import { Relay, type Road } from "../media/road.js";
import { Mesh, type MeshState } from "../peer/mesh.js";
import { Outgoing, type Described, type OutgoingState } from "./outgoing.js";
import { meshScene, relayScene, type Scene } from "./tiles.js";

export interface Call {
  readonly outgoing: Outgoing;
  readonly own: OutgoingState;
  readonly scene: Scene;
  /** Null when the media goes through the server. */
  readonly mesh: MeshState | null;
}

interface Parts {
  readonly outgoing: Outgoing;
  readonly mesh: Mesh | null;
}

const NO_MESH: MeshState = { streams: new Map(), states: new Map(), signals: [] };
const nothing = (): (() => void) => () => undefined;

/** The call of a room: what is sent and what is seen. It lasts as long as the room does. */
export function useCall(room: Room, media: LocalMedia, peerToPeer: boolean): Call {
  const [parts] = useState(() => begin(room, media, peerToPeer));
  const { outgoing, mesh } = parts;
  const participants = useParticipants(room);
  const own = useSyncExternalStore(outgoing.subscribe, outgoing.state);
  const devices = useSyncExternalStore(media.subscribe, media.state);
  const meshState = useSyncExternalStore(mesh?.subscribe ?? nothing, mesh?.state ?? (() => NO_MESH));

  useEffect(() => {
    void outgoing.start();
    return room.on("state", (state) => {
      if (state === "closed") outgoing.close();
    });
  }, [room, outgoing]);

  const shown = { media: devices, muted: own.muted, screen: own.screen };
  const scene = mesh ? meshScene(participants, shown, meshState) : relayScene(participants, shown);
  return { outgoing, own, scene, mesh: mesh ? meshState : null };
}

function begin(room: Room, media: LocalMedia, peerToPeer: boolean): Parts {
  const mesh = peerToPeer ? new Mesh(room) : null;
  const road: Road = mesh ?? new Relay(room);
  const presence: Described | null = mesh && ((state) => meshPresence(mesh, state));
  return { mesh, outgoing: new Outgoing(room, road, media, presence) };
}

/** What others cannot see in a stream: whether it is switched off, and which one is a screen. */
function meshPresence(mesh: Mesh, { muted, cameraOn, screen }: OutgoingState): Readonly<Record<string, unknown>> {
  return { p2p: true, microphone: !muted, camera: cameraOn, screen: screen ? mesh.screenStream : null };
}
