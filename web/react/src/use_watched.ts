import type { Room } from "@hubbub/client";
import { useEffect, type RefObject } from "react";

/** The element shows this track: it is received in a size that fits the element. Null: it shows none. */
export function useWatched(room: Room, trackId: string | null, element: RefObject<Element | null>): void {
  useEffect(() => {
    if (trackId === null || !element.current) return undefined;
    return room.watch(trackId, element.current);
  }, [room, trackId, element]);
}
