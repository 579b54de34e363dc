import type { Room } from "@hubbub/client";
import { useEffect, useState } from "react";

/** A sentence about the last coming or going, for screen readers. */
export function useAnnounced(room: Room): string {
  const [sentence, setSentence] = useState("");
  useEffect(() => {
    const offs = [
      room.on("participantJoined", ({ name }) => setSentence(`${name} joined`)),
      room.on("participantLeft", ({ name }) => setSentence(`${name} left`)),
      room.on("trackPublished", ({ source }, { name, local }) => {
        if (source === "screen" && !local) setSentence(`${name} shares a screen`);
      }),
    ];
    return () => offs.forEach((off) => off());
  }, [room]);
  return sentence;
}
