import type { Room } from "@hubbub/client";
import { useChat, useMediaState, useParticipants, usePresence, useRoomState } from "@hubbub/react";
import { useEffect, useState } from "react";
import { ChatPanel } from "../chat/chat_panel.js";
import type { LocalMedia } from "../media/local_media.js";
import { SignalLog } from "../peer/signal_log.js";
import { invitationLink, type Wish } from "../session.js";
import { Wordmark } from "../ui/wordmark.js";
import { Banner } from "./banner.js";
import { Control, Controls } from "./controls.js";
import { CopyLink } from "./copy_link.js";
import { Panel } from "./panel.js";
import { People } from "./people.js";
import { Sounds } from "./sounds.js";
import { Stage } from "./stage.js";
import { useAnnounced } from "./use_announced.js";
import { useCall } from "./use_call.js";
import { useKeys } from "./use_keys.js";

interface CallProps {
  readonly room: Room;
  readonly wish: Wish;
  readonly media: LocalMedia;
}

type Side = "people" | "chat" | "signal" | null;

export function CallView({ room, wish, media }: CallProps) {
  const { outgoing, own, scene, mesh } = useCall(room, media, wish.peerToPeer);
  const participants = useParticipants(room);
  const state = useRoomState(room);
  const mediaState = useMediaState(room);
  const [side, setSide] = useState<Side>(null);
  const [draining, setDraining] = useState(false);
  const announced = useAnnounced(room);
  const { unread } = useChat(room);
  const [{ hand }, presence] = usePresence(room);
  const silent = new Set(scene.tiles.filter((tile) => tile.silent).map((tile) => tile.participant.id));
  const toggle = (which: Side): void => setSide(side === which ? null : which);
  const canShare = "getDisplayMedia" in navigator.mediaDevices;

  useKeys({ m: outgoing.toggleMicrophone, v: outgoing.toggleCamera });
  useEffect(() => room.on("draining", () => setDraining(true)), [room]);
  useEffect(() => room.on("joined", () => setDraining(false)), [room]);

  return (
    <div className="call" data-side={side ?? undefined}>
      <header className="call-head">
        <Wordmark />
        <h1>{room.name}</h1>
        {mesh && <span className="tag">Peer to peer</span>}
        <CopyLink link={invitationLink(wish)} />
      </header>
      <Banner state={state} media={mediaState} alone={participants.length < 2} draining={draining} />
      {own.problem && (
        <p className="banner banner-problem" role="alert">
          {own.problem}
          <button type="button" onClick={outgoing.forgetProblem}>
            Close
          </button>
        </p>
      )}
      <main className="stage" aria-label="Call">
        <Stage room={room} tiles={scene.tiles} />
        {participants.length < 2 && (
          <p className="stage-hint">Nobody else is here yet. Send the link to whoever you want to meet.</p>
        )}
      </main>
      {side === "people" && (
        <Panel title={`People (${participants.length})`} onClose={() => setSide(null)}>
          <People participants={participants} silent={silent} />
        </Panel>
      )}
      {side === "chat" && (
        <Panel title="Chat" onClose={() => setSide(null)}>
          <ChatPanel room={room} />
        </Panel>
      )}
      {side === "signal" && mesh && (
        <Panel title="Signals" onClose={() => setSide(null)}>
          <SignalLog signals={mesh.signals} participants={participants} />
        </Panel>
      )}
      <Controls>
        <Control
          icon={own.muted ? "micOff" : "mic"}
          label={own.muted ? "Unmute" : "Mute"}
          testId="toggle-mic"
          warn={own.muted}
          onClick={() => void outgoing.toggleMicrophone()}
        />
        <Control
          icon={own.cameraOn ? "camera" : "cameraOff"}
          label={own.cameraOn ? "Camera off" : "Camera on"}
          testId="toggle-camera"
          warn={!own.cameraOn}
          onClick={() => void outgoing.toggleCamera()}
        />
        {canShare && (
          <Control
            icon="screen"
            label={own.screen ? "Stop sharing" : "Share screen"}
            testId="share-screen"
            onClick={() => void outgoing.toggleScreen()}
          />
        )}
        <Control
          icon="hand"
          label={hand === true ? "Lower hand" : "Raise hand"}
          testId="toggle-hand"
          onClick={() => presence.update({ hand: hand === true ? undefined : true })}
          pressed={hand === true}
        />
        <Control
          icon="chat"
          label="Chat"
          testId="toggle-chat"
          pressed={side === "chat"}
          badge={side === "chat" ? 0 : unread}
          onClick={() => toggle("chat")}
        />
        <Control
          icon="people"
          label="People"
          testId="toggle-people"
          pressed={side === "people"}
          badge={participants.length}
          onClick={() => toggle("people")}
        />
        {mesh && (
          <Control
            icon="signal"
            label="Signals"
            testId="toggle-signal"
            pressed={side === "signal"}
            onClick={() => toggle("signal")}
          />
        )}
        <Control icon="leave" label="Leave" testId="leave" tone="leave" onClick={() => void room.leave()} />
      </Controls>
      <Sounds sounds={scene.sounds} />
      <p className="visually-hidden" role="status" aria-live="polite">
        {announced}
      </p>
    </div>
  );
}
