import type { Chat, ChatMessage, ParticipantView } from "@hubbub/client";
import { useState } from "react";
import { Avatar } from "../ui/avatar.js";

interface MessageProps {
  readonly message: ChatMessage;
  /** Stands under the one before, without a name of its own. */
  readonly joined: boolean;
  readonly me: ParticipantView;
  readonly chat: Chat;
  readonly onProblem: (problem: unknown) => void;
}

const REACTIONS = ["👍", "❤️", "😄", "🎉", "🤔"] as const;

export function Message({ message, joined, me, chat, onProblem }: MessageProps) {
  const [editing, setEditing] = useState(false);
  const mine = message.from.identity === me.identity;
  const name = message.from.name ?? message.from.identity;
  const react = (reaction: string): void => {
    const on = !message.reactions[reaction]?.includes(me.identity);
    chat.react(message.offset, reaction, on).catch(onProblem);
  };

  return (
    <li className="message" data-joined={joined || undefined} data-mine={mine || undefined} data-testid="chat-message">
      {!joined && <Avatar identity={message.from.identity} name={name} />}
      <div className="message-body">
        {!joined && (
          <p className="message-head">
            <strong>{mine ? "You" : name}</strong>
            <time dateTime={new Date(message.atMs).toISOString()}>{clock(message.atMs)}</time>
            {message.to && <span className="tag">only for some</span>}
          </p>
        )}
        {editing ? (
          <Editor
            text={message.text}
            onDone={(text) => {
              setEditing(false);
              if (text !== null && text !== message.text) chat.edit(message.offset, text).catch(onProblem);
            }}
          />
        ) : (
          <Text message={message} />
        )}
        <Reactions message={message} me={me} onReact={react} />
        {!message.deleted && !editing && (
          <div className="message-tools" role="group" aria-label={`Message of ${mine ? "yours" : name}`}>
            {REACTIONS.map((reaction) => (
              <button key={reaction} type="button" aria-label={`React with ${reaction}`} onClick={() => react(reaction)}>
                {reaction}
              </button>
            ))}
            {mine && (
              <>
                <button type="button" onClick={() => setEditing(true)}>
                  Edit
                </button>
                <button type="button" onClick={() => void chat.delete(message.offset).catch(onProblem)}>
                  Delete
                </button>
              </>
            )}
          </div>
        )}
      </div>
    </li>
  );
}

function Text({ message: { text, deleted, edited } }: { readonly message: ChatMessage }) {
  if (deleted) return <p className="message-text message-gone">This message was deleted.</p>;
  return (
    <p className="message-text">
      {text}
      {edited && <small> (edited)</small>}
    </p>
  );
}

interface ReactionsProps {
  readonly message: ChatMessage;
  readonly me: ParticipantView;
  readonly onReact: (reaction: string) => void;
}

function Reactions({ message: { reactions }, me, onReact }: ReactionsProps) {
  const entries = Object.entries(reactions);
  if (entries.length === 0) return null;
  return (
    <p className="reactions">
      {entries.map(([reaction, identities]) => (
        <button
          key={reaction}
          type="button"
          aria-pressed={identities.includes(me.identity)}
          aria-label={`${reaction}, ${identities.length}`}
          onClick={() => onReact(reaction)}
        >
          {reaction} {identities.length}
        </button>
      ))}
    </p>
  );
}

interface EditorProps {
  readonly text: string;
  /** With null when nothing shall change. */
  readonly onDone: (text: string | null) => void;
}

function Editor({ text, onDone }: EditorProps) {
  const [draft, setDraft] = useState(text);
  return (
    <form
      className="message-edit"
      onSubmit={(event) => {
        event.preventDefault();
        onDone(draft.trim() || null);
      }}
    >
      <input
        aria-label="Edit your message"
        value={draft}
        autoFocus
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          onDone(null);
        }}
      />
      <button className="quiet">Save</button>
    </form>
  );
}

function clock(atMs: number): string {
  return new Date(atMs).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
