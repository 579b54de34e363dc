import { HubbubError, Room, type RoomOptions, type RoomState, type TokenProvider } from "@hubbub/client";
import { useCallback, useEffect, useState } from "react";
import { useTold } from "./store.js";

export interface UseRoomOptions extends Omit<RoomOptions, "signal"> {
  readonly url: string;
  readonly token: TokenProvider;
}

export type RoomStatus = "idle" | "joining" | RoomState | "failed";

export interface RoomHandle {
  /** `failed`: the room could not be joined; `closed`: it was joined and is over. `error` says why. */
  readonly status: RoomStatus;
  readonly room: Room | null;
  readonly error: HubbubError | null;
  /** Join anew after `failed` or `closed`. */
  readonly rejoin: () => void;
}

interface Joining {
  readonly room: Room | null;
  readonly error: HubbubError | null;
}

const NOTHING: Joining = { room: null, error: null };

/**
 * Be in a room for as long as the component is mounted.
 *
 * Joins when `options` is another object than before, so keep it in state or in a memo; null joins nothing.
 */
export function useRoom(options: UseRoomOptions | null): RoomHandle {
  const [joining, setJoining] = useState<Joining>(NOTHING);
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    if (!options) return undefined;
    const abort = new AbortController();
    let room: Room | null = null;
    const { url, token, ...rest } = options;
    Room.connect(url, token, { ...rest, signal: abort.signal }).then(
      (joined) => {
        room = joined;
        if (abort.signal.aborted) void joined.leave();
        else setJoining({ room: joined, error: null });
      },
      (problem: unknown) => {
        if (!abort.signal.aborted) setJoining({ room: null, error: HubbubError.from(problem, "protocol") });
      },
    );
    return () => {
      abort.abort();
      void room?.leave();
      setJoining(NOTHING);
    };
  }, [options, attempt]);

  const { room, error } = joining;
  const state = useTold(room, ["state"], useCallback(() => room?.state ?? null, [room]));
  const rejoin = useCallback(() => setAttempt((count) => count + 1), []);
  return { status: statusOf(options !== null, state, error), room, error: error ?? room?.closed ?? null, rejoin };
}

function statusOf(wanted: boolean, state: RoomState | null, error: HubbubError | null): RoomStatus {
  if (!wanted) return "idle";
  if (error) return "failed";
  return state ?? "joining";
}
