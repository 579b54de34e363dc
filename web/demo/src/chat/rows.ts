import type { ChatMessage } from "@hubbub/client";

/** What a conversation looks like from above: days, one mark for what is new, and messages. */
export type Row =
  | { readonly is: "day"; readonly key: string; readonly atMs: number }
  | { readonly is: "unread"; readonly key: string }
  | { readonly is: "message"; readonly key: string; readonly message: ChatMessage; readonly joined: boolean };

/** Messages of one person within this time stand together under one name. */
const TOGETHER_MS = 3 * 60_000;

/** `readOffset`: where the mark was when the panel was opened; null puts none. */
export function rowsOf(messages: readonly ChatMessage[], readOffset: number | null, identity: string): Row[] {
  const rows: Row[] = [];
  let before: ChatMessage | null = null;
  let marked = readOffset === null;
  for (const message of messages) {
    if (!before || dayOf(before.atMs) !== dayOf(message.atMs)) {
      rows.push({ is: "day", key: `day-${message.offset}`, atMs: message.atMs });
      before = null;
    }
    if (!marked && message.offset > (readOffset ?? 0) && message.from.identity !== identity) {
      rows.push({ is: "unread", key: "unread" });
      marked = true;
      before = null;
    }
    rows.push({ is: "message", key: String(message.offset), message, joined: before !== null && together(before, message) });
    before = message;
  }
  return rows;
}

function together(before: ChatMessage, message: ChatMessage): boolean {
  const close = message.atMs - before.atMs < TOGETHER_MS;
  return close && before.from.identity === message.from.identity && String(before.to) === String(message.to);
}

function dayOf(atMs: number): string {
  return new Date(atMs).toDateString();
}
