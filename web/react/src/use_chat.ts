import type { Chat, ChatMessage, PendingMessage, Room } from "@hubbub/client";
import { useEffect, useMemo } from "react";
import { useTold } from "./store.js";

export interface ChatHandle {
  /** Oldest first. */
  readonly messages: readonly ChatMessage[];
  /** Written, and not confirmed by the server yet. */
  readonly pending: readonly PendingMessage[];
  /** Whether there are older messages to load. */
  readonly more: boolean;
  readonly loading: boolean;
  readonly unread: number;
  readonly readOffset: number | null;
  /** The chat itself, for everything that is done to it. */
  readonly chat: Chat;
}

/** The room's conversation; its latest messages are loaded at once. */
export function useChat(room: Room): ChatHandle {
  const { chat } = room;
  const read = useMemo(() => snapshots(chat), [chat]);
  useEffect(() => {
    // Without a connection the next joining loads them.
    if (chat.messages.length === 0 && chat.more) chat.load().catch(() => undefined);
  }, [chat]);
  return useTold(chat, ["change"], read);
}

/** Answers the same object until something in it is another. */
function snapshots(chat: Chat): () => ChatHandle {
  let last: ChatHandle | null = null;
  return () => {
    const { messages, pending, more, loading, unread, readOffset } = chat;
    const now: ChatHandle = { messages, pending, more, loading, unread, readOffset, chat };
    if (!last || (Object.keys(now) as (keyof ChatHandle)[]).some((key) => now[key] !== last?.[key])) last = now;
    return last;
  };
}
