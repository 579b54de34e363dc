import { HubbubError, type Chat, type PendingMessage, type Room } from "@hubbub/client";
import { useChat, useParticipants, useRoomState, useTyping } from "@hubbub/react";
import { useEffect, useMemo, useRef, useState } from "react";
import { Composer } from "./composer.js";
import { Message } from "./message.js";
import { rowsOf } from "./rows.js";

/** Within this many pixels of the end a reader is taken to follow it. */
const NEAR_END = 48;

export function ChatPanel({ room }: { readonly room: Room }) {
  const { messages, pending, more, loading, readOffset, chat } = useChat(room);
  const [me] = useParticipants(room);
  const connected = useRoomState(room) === "connected";
  const [problem, setProblem] = useState<string | null>(null);
  // The mark stays where it was when the panel was opened, while what is below it is read.
  const [markedAt, setMarkedAt] = useState<number | null>(null);
  if (markedAt === null && readOffset !== null) setMarkedAt(readOffset);
  const rows = useMemo(() => rowsOf(messages, markedAt, me?.identity ?? ""), [messages, markedAt, me?.identity]);
  const list = useFollowedEnd(messages.length + pending.length);
  const fail = (reason: unknown): void => setProblem(HubbubError.from(reason, "protocol").message);

  useEffect(() => {
    // Told again with the next message where there is no connection.
    if (!document.hidden) chat.markRead().catch(() => undefined);
  }, [chat, messages]);

  return (
    <div className="chat" data-testid="chat-panel">
      <ol className="chat-list" ref={list} tabIndex={0} aria-live="polite" aria-label="Messages" aria-busy={loading}>
        {more && messages.length > 0 && (
          <li className="chat-more">
            <button type="button" className="quiet" disabled={loading} onClick={() => void chat.load().catch(fail)}>
              {loading ? "Loading…" : "Show older messages"}
            </button>
          </li>
        )}
        {messages.length + pending.length === 0 && (
          <li className="panel-empty">{loading ? "Loading the conversation…" : "Nothing has been said yet."}</li>
        )}
        {rows.map((row) => {
          if (row.is === "day") return <Day key={row.key} atMs={row.atMs} />;
          if (row.is === "unread") {
            return (
              <li key={row.key} className="chat-mark">
                New
              </li>
            );
          }
          const { message, joined } = row;
          return me && <Message key={row.key} message={message} joined={joined} me={me} chat={chat} onProblem={fail} />;
        })}
        {pending.map((message) => (
          <Pending key={message.key} message={message} chat={chat} connected={connected} />
        ))}
      </ol>
      <Typing room={room} />
      {problem !== null && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <Composer room={room} disabled={!room.may("chat")} onProblem={fail} onSent={() => setProblem(null)} />
    </div>
  );
}

function Day({ atMs }: { readonly atMs: number }) {
  const day = new Date(atMs).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
  return <li className="chat-day">{day}</li>;
}

interface PendingProps {
  readonly message: PendingMessage;
  readonly chat: Chat;
  readonly connected: boolean;
}

function Pending({ message: { key, text, failed }, chat, connected }: PendingProps) {
  return (
    <li className="message" data-joined data-pending data-testid="chat-pending">
      <div className="message-body">
        <p className="message-text">{text}</p>
        {failed ? (
          <p className="message-failed" role="alert">
            Not sent: {failed.message}
            <button type="button" onClick={() => chat.retry(key)}>
              Try again
            </button>
            <button type="button" onClick={() => chat.discard(key)}>
              Discard
            </button>
          </p>
        ) : (
          <small>{connected ? "Sending…" : "Will be sent when you are back online"}</small>
        )}
      </div>
    </li>
  );
}

function Typing({ room }: { readonly room: Room }) {
  const names = useTyping(room).map(({ name }) => name);
  return (
    <p className="typing" aria-live="polite" data-testid="typing">
      {names.length > 0 && `${new Intl.ListFormat("en").format(names)} ${names.length > 1 ? "are" : "is"} typing…`}
    </p>
  );
}

/** A list that stays at its end while its reader is there, and where it is otherwise. */
function useFollowedEnd(length: number): React.RefObject<HTMLOListElement | null> {
  const list = useRef<HTMLOListElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    const element = list.current;
    if (!element) return undefined;
    const scrolled = (): void => {
      follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END;
    };
    element.addEventListener("scroll", scrolled, { passive: true });
    return () => element.removeEventListener("scroll", scrolled);
  }, []);
  useEffect(() => {
    if (follows.current) list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [length]);
  return list;
}
