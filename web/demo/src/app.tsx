import type { HubbubError, Room } from "@hubbub/client";
import { useRoom, type UseRoomOptions } from "@hubbub/react";
import { useEffect, useState } from "react";
import { CallView } from "./call/call.js";
import { Ended } from "./call/ended.js";
import { Lobby } from "./lobby/lobby.js";
import { LocalMedia } from "./media/local_media.js";
import { invitation, settle, tokenProvider, type Wish } from "./session.js";

declare global {
  interface Window {
    /** For tests, and for the curious at the console. */
    hubbub: { room: Room | null };
  }
}

interface Joining {
  readonly wish: Wish;
  readonly options: UseRoomOptions;
}

/** Lobby, then call, then the end of it. */
export function App() {
  const [media] = useState(() => new LocalMedia());
  const [invited, setInvited] = useState(invitation);
  const [joining, setJoining] = useState<Joining | null>(null);
  const { status, room, error, rejoin } = useRoom(joining?.options ?? null);

  useEffect(() => {
    window.hubbub = { room };
  }, [room]);

  const join = (wish: Wish): void => {
    settle(wish);
    if (status === "failed" && joining && sameWish(joining.wish, wish)) rejoin();
    else setJoining({ wish, options: roomOptions(wish, invited.token) });
  };

  const toLobby = (): void => {
    setInvited(invitation());
    setJoining(null);
  };

  const again = async (): Promise<void> => {
    await media.open();
    rejoin();
  };

  if (joining && room && status === "closed") {
    return <Ended error={error} onRejoin={() => void again()} onLobby={toLobby} />;
  }
  if (joining && room) return <CallView room={room} wish={joining.wish} media={media} />;
  return (
    <Lobby
      invitation={invited}
      media={media}
      joining={status === "joining"}
      problem={status === "failed" && error ? refusal(error) : null}
      onJoin={join}
    />
  );
}

function roomOptions(wish: Wish, token: string | null): UseRoomOptions {
  return {
    url: location.origin,
    token: tokenProvider(wish, token),
    room: wish.room,
    ...(wish.peerToPeer && { receive: false, presence: { p2p: true } }),
  };
}

function sameWish(a: Wish, b: Wish): boolean {
  return a.name === b.name && a.room === b.room && a.peerToPeer === b.peerToPeer;
}

function refusal(error: HubbubError): string {
  switch (error.reason) {
    case "room_full":
      return "This room is full. Try again when somebody has left.";
    case "forbidden":
      return "Your invitation is not for this room.";
    case "network":
    case "timeout":
      return "The server cannot be reached. Check your connection and try again.";
    case "unavailable":
      return "The server is restarting. Try again in a moment.";
    default:
      return error.message;
  }
}
