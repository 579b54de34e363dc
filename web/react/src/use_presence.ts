import type { ParticipantView, Presence, Room } from "@hubbub/client";
import { useCallback, useMemo } from "react";
import { useTold } from "./store.js";
import { useParticipants } from "./use_people.js";

/** One's own state as others see it, and how to change it. What others show is in their `presence`. */
export function usePresence(room: Room): [state: Readonly<Record<string, unknown>>, presence: Presence] {
  const { presence } = room;
  return [useTold(presence, ["change"], useCallback(() => presence.state, [presence])), presence];
}

/** The others who are typing right now. Tell of oneself by `room.presence.typing()`. */
export function useTyping(room: Room): readonly ParticipantView[] {
  const participants = useParticipants(room);
  return useMemo(
    () => participants.filter(({ local, presence }) => !local && presence.typing === true),
    [participants],
  );
}
