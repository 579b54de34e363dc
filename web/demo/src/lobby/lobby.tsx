import { useEffect, useId, useState, useSyncExternalStore, type SubmitEvent } from "react";
import type { LocalMedia } from "../media/local_media.js";
import type { Invitation, Wish } from "../session.js";
import { Wordmark } from "../ui/wordmark.js";
import { DeviceRow } from "./device_row.js";
import { LevelMeter } from "./level_meter.js";
import { Preview } from "./preview.js";

interface LobbyProps {
  readonly invitation: Invitation;
  readonly media: LocalMedia;
  readonly joining: boolean;
  /** Why the last try to join failed, in plain words. */
  readonly problem: string | null;
  readonly onJoin: (wish: Wish) => void;
}

/** Room names become part of addresses and of storage: the server takes up to 256 bytes. */
const MAX_NAME = 80;

export function Lobby({ invitation, media, joining, problem, onJoin }: LobbyProps) {
  const state = useSyncExternalStore(media.subscribe, media.state);
  const [name, setName] = useState(invitation.name);
  const [room, setRoom] = useState(invitation.room || "demo");
  const [peerToPeer, setPeerToPeer] = useState(invitation.peerToPeer);
  const ids = { name: useId(), room: useId(), mode: useId() };

  useEffect(() => {
    if (media.state().camera.state === "off") void media.open();
  }, [media]);

  const join = (event: SubmitEvent): void => {
    event.preventDefault();
    onJoin({ name: name.trim(), room: room.trim(), peerToPeer });
  };

  return (
    <main className="lobby">
      <header className="lobby-head">
        <Wordmark />
      </header>
      <section className="lobby-preview" aria-label="Preview">
        <Preview camera={state.camera} name={name} />
        <div className="lobby-devices">
          <DeviceRow device="camera" label="Camera" state={state.camera} choices={state.cameras} media={media} />
          <DeviceRow
            device="microphone"
            label="Microphone"
            state={state.microphone}
            choices={state.microphones}
            media={media}
          />
          {state.microphone.track && <LevelMeter track={state.microphone.track} />}
        </div>
      </section>
      <form className="lobby-form" onSubmit={join} aria-busy={joining}>
        <h1>{invitation.room ? `Join “${invitation.room}”` : "Join a room"}</h1>
        <p className="lobby-lead">Everybody who knows the room’s name can come in and will see and hear you.</p>
        <label htmlFor={ids.name}>Your name</label>
        <input
          id={ids.name}
          data-testid="lobby-name"
          value={name}
          onChange={(event) => setName(event.target.value)}
          maxLength={MAX_NAME}
          autoComplete="name"
          readOnly={invitation.token !== null}
          required
        />
        <label htmlFor={ids.room}>Room</label>
        <input
          id={ids.room}
          data-testid="lobby-room"
          value={room}
          onChange={(event) => setRoom(event.target.value)}
          maxLength={MAX_NAME}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          readOnly={invitation.token !== null && invitation.room !== ""}
          required
        />
        <label className="lobby-mode" htmlFor={ids.mode}>
          <input
            id={ids.mode}
            type="checkbox"
            data-testid="mode-p2p"
            checked={peerToPeer}
            onChange={(event) => setPeerToPeer(event.target.checked)}
          />
          <span>
            <strong>Peer to peer</strong>
            <small>Video and sound go straight to each person instead of through the server. Best for two or three.</small>
          </span>
        </label>
        {problem !== null && (
          <p className="problem" role="alert" data-testid="lobby-problem">
            {problem}
          </p>
        )}
        <button className="primary" data-testid="lobby-join" disabled={joining || !name.trim() || !room.trim()}>
          {joining ? "Joining…" : "Join"}
        </button>
      </form>
    </main>
  );
}
