import type { LocalTrack, MediaState, ParticipantView, Room, RoomState } from "@hubbub/client";
import { useCallback, useEffect, useRef } from "react";
import { useTold } from "./store.js";

/** Everybody in the room, oneself first. */
export function useParticipants(room: Room): readonly ParticipantView[] {
  return useTold(room, ["change"], useCallback(() => room.participants, [room]));
}

/** One participant, or null when there is none of this id (any more). */
export function useParticipant(room: Room, id: string): ParticipantView | null {
  const read = useCallback(() => room.participants.find((participant) => participant.id === id) ?? null, [room, id]);
  return useTold(room, ["change"], read);
}

export function useRoomState(room: Room): RoomState {
  return useTold(room, ["state"], useCallback(() => room.state, [room]));
}

export function useMediaState(room: Room): MediaState {
  return useTold(room, ["mediaState"], useCallback(() => room.media.state, [room]));
}

/** What this participant publishes. Empty after the room was left. */
export function useLocalTracks(room: Room): readonly LocalTrack[] {
  return useTold(room, ["localTracks", "state"], useCallback(() => room.localTracks, [room]));
}

/**
 * Calls `listener` with a participant's loudness, 0 to 1, about ten times a second while anybody speaks.
 * It is no state: rendering at that rate is wasteful, so write it into a style instead.
 */
export function useLevel(room: Room, id: string, listener: (level: number) => void): void {
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  }, [listener]);
  useEffect(() => room.on("levels", (levels) => latest.current(levels.get(id) ?? 0)), [room, id]);
}
