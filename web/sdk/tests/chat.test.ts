import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Room } from "../src/room.js";
import { Refusal, SILENT } from "./fake_server.js";
import { Meeting, settle } from "./meeting.js";

let meeting: Meeting;
let room: Room;
let stored: Map<string, string>;

beforeEach(async () => {
  vi.useFakeTimers();
  meeting = new Meeting();
  stored = new Map();
  let offset = 10;
  const seen = new Map<string, number>();
  meeting.server.handlers.set("chat.send", ({ key }) => {
    const known = seen.get(key as string) ?? ++offset;
    seen.set(key as string, known);
    return { offset: known, at_ms: 1000 + known };
  });
  meeting.server.handlers.set("chat.history", () => ({ messages: [], more: false }));
  meeting.server.handlers.set("chat.read", ({ offset = null }) => ({ offset }));
  room = await join();
});

afterEach(() => {
  vi.useRealTimers();
});

function join(): Promise<Room> {
  const store = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, text: string) => void stored.set(key, text),
    removeItem: (key: string) => void stored.delete(key),
  };
  return meeting.join({ receive: false, store });
}

const message = (offset: number, text: string, identity = "bob"): Record<string, unknown> => ({
  offset,
  at_ms: offset,
  from: { id: `p-${identity}`, identity, name: null },
  text,
  data: null,
  to: null,
});

const texts = (): string[] => room.chat.messages.map(({ text }) => text);
const sent = (): unknown[] => meeting.server.requestsOf("chat.send").map(({ text }) => text);

describe("what comes in", () => {
  test("is told once, in its place, however often it comes", async () => {
    const told: number[] = [];
    room.chat.on("message", ({ offset }) => told.push(offset));
    for (const offset of [12, 11, 12]) meeting.server.tell({ type: "chat", message: message(offset, String(offset)) });
    await settle();
    expect(texts()).toEqual(["11", "12"]);
    expect(told).toEqual([12, 11]);
  });

  test("history is loaded in pages, backwards", async () => {
    meeting.server.handlers.set("chat.history", ({ before }) =>
      before === 4
        ? { messages: [message(2, "b"), message(3, "c")], more: false }
        : { messages: [message(4, "d"), message(5, "e")], more: true },
    );
    await room.chat.load();
    expect([texts(), room.chat.more]).toEqual([["d", "e"], true]);
    await room.chat.load();
    expect([texts(), room.chat.more]).toEqual([["b", "c", "d", "e"], false]);
  });

  test("edits, deletions and reactions change what is there", async () => {
    meeting.server.tell({ type: "chat", message: message(11, "helo") });
    const from = { id: "p-bob", identity: "bob", name: null };
    const edited = { ...message(11, "hello"), edited: { at_ms: 99, by: "bob" } };
    meeting.server.tell({ type: "chat.edited", message: edited, by: from });
    meeting.server.tell({ type: "chat.reaction", message: { offset: 11 }, reaction: "👍", on: true, from });
    await settle();
    expect(room.chat.messages[0]).toMatchObject({
      text: "hello",
      edited: { atMs: 99, by: "bob" },
      reactions: { "👍": ["bob"] },
    });
    meeting.server.tell({ type: "chat.reaction", message: { offset: 11 }, reaction: "👍", on: false, from });
    await settle();
    expect(room.chat.messages[0]?.reactions).toEqual({});
    meeting.server.tell({ type: "chat.deleted", message: { ...message(11, ""), deleted: true }, by: from });
    meeting.server.tell({ type: "chat.deleted", message: { ...message(3, ""), deleted: true }, by: from });
    await settle();
    expect(room.chat.messages).toMatchObject([{ text: "", deleted: true }]);
  });

  test("a hole makes it start over", async () => {
    await room.chat.load();
    meeting.server.tell({ type: "chat", message: message(11, "old") });
    await settle();
    meeting.server.handlers.set("chat.history", () => ({ messages: [message(99, "new")], more: true }));
    meeting.server.missed = null;
    meeting.server.last.serverClose(1006);
    await settle(1_000);
    expect(texts()).toEqual(["new"]);
  });

  test("what others wrote is unread until it is marked, on any device", async () => {
    for (const offset of [11, 12, 13]) meeting.server.tell({ type: "chat", message: message(offset, "x") });
    meeting.server.tell({ type: "chat", message: message(14, "mine", room.local.identity) });
    await settle();
    expect(room.chat.unread).toBe(3);
    meeting.server.tell({ type: "chat.read", identity: room.local.identity, offset: 12 });
    await settle();
    expect(room.chat.unread).toBe(1);
    await room.chat.markRead();
    expect(room.chat.unread).toBe(0);
    expect(meeting.server.requestsOf("chat.read").pop()).toMatchObject({ offset: 14 });
  });
});

describe("what is sent", () => {
  test("stands in pending until it is confirmed", async () => {
    room.chat.send("hello", { data: { reply: 3 }, to: ["p-2"] });
    expect(room.chat.pending).toMatchObject([{ text: "hello", failed: null }]);
    await settle();
    expect(room.chat.pending).toEqual([]);
    expect(meeting.server.requestsOf("chat.send")).toMatchObject([
      { text: "hello", data: { reply: 3 }, to: ["p-2"], key: expect.any(String) as string },
    ]);
  });

  test("is not seen twice when it comes back before the answer", async () => {
    meeting.server.handlers.set("chat.send", () => SILENT);
    room.chat.send("hello");
    await settle();
    const own = { ...message(11, "hello"), from: { id: room.local.id, identity: room.local.identity, name: null } };
    meeting.server.tell({ type: "chat", message: own });
    await settle();
    expect([texts(), room.chat.pending]).toEqual([["hello"], []]);
  });

  test("waits without a connection, and goes out in order", async () => {
    meeting.server.last.serverClose(1006);
    for (const text of ["one", "two", "three"]) room.chat.send(text);
    await settle(2_000);
    expect(sent()).toEqual(["one", "two", "three"]);
    expect(room.chat.pending).toEqual([]);
  });

  test("is sent again under the same key when the answer was lost", async () => {
    meeting.server.handlers.set("chat.send", () => SILENT);
    room.chat.send("hello");
    await settle();
    meeting.server.last.serverClose(1006);
    await settle();
    meeting.server.handlers.set("chat.send", () => ({ offset: 11, at_ms: 1 }));
    await settle(2_000);
    const [first, second] = meeting.server.requestsOf("chat.send");
    expect(second?.key).toBe(first?.key);
    expect(room.chat.pending).toEqual([]);
  });

  test("outlives the page", async () => {
    meeting.server.last.serverClose(1006);
    room.chat.send("written offline");
    meeting.server.refuseWith = 1006;
    await settle(100);
    meeting.server.refuseWith = null;
    const next = await meeting.join({ receive: false, store: storeOf(stored) }, undefined);
    // The reloaded page is the same identity at the same room.
    expect([...stored.keys()]).toEqual([`hubbub.chat.demo.user-p-1`]);
    expect(next.chat.pending).toEqual([]);
  });

  test("tries again when the server is busy", async () => {
    let tries = 0;
    meeting.server.handlers.set("chat.send", () => {
      tries += 1;
      if (tries === 1) throw new Refusal("rate_limited", { retry: true, retry_after_ms: 50 });
      return { offset: 11, at_ms: 1 };
    });
    room.chat.send("hello");
    await settle(100);
    expect([tries, room.chat.pending]).toEqual([2, []]);
  });

  test("says what was refused, and lets the rest pass", async () => {
    meeting.server.handlers.set("chat.send", ({ text }) => {
      if (text === "bad") throw new Refusal("too_large");
      return { offset: 11, at_ms: 1 };
    });
    room.chat.send("bad");
    room.chat.send("good");
    await settle();
    expect(room.chat.pending).toMatchObject([{ text: "bad", failed: { reason: "too_large" } }]);
    room.chat.discard(room.chat.pending[0]?.key ?? "");
    expect(room.chat.pending).toEqual([]);
  });

  test("is refused when two hundred wait", () => {
    meeting.server.last.serverClose(1006);
    for (let k = 0; k < 200; k += 1) room.chat.send(String(k));
    expect(() => room.chat.send("more")).toThrow("200");
  });
});

describe("presence", () => {
  test("is merged, and sent at most ten times a second", async () => {
    room.presence.update({ hand: true });
    await settle();
    for (let k = 0; k < 20; k += 1) room.presence.update({ x: k });
    await settle(100);
    expect(meeting.server.requestsOf("presence.set").map(({ state }) => state)).toEqual([
      { hand: true },
      { hand: true, x: 19 },
    ]);
    room.presence.update({ hand: undefined });
    await settle(100);
    expect(room.presence.state).toEqual({ x: 19 });
  });

  test("typing ends by itself and leaves the rest alone", async () => {
    room.presence.update({ hand: true });
    room.presence.typing();
    await settle(200);
    room.presence.typing();
    await settle(5_000);
    expect(meeting.server.requestsOf("presence.set").map(({ state }) => state)).toEqual([
      { hand: true, typing: true },
      { hand: true },
    ]);
  });

  test("is presented again to a restarted server", async () => {
    room.presence.update({ hand: true });
    await settle(100);
    meeting.server.restart();
    await settle(2_000);
    expect(meeting.server.requestsOf("join")[1]).toMatchObject({ presence: { hand: true } });
  });
});

function storeOf(map: Map<string, string>): { getItem: (key: string) => string | null; setItem: () => void; removeItem: () => void } {
  return { getItem: (key) => map.get(key) ?? null, setItem: () => undefined, removeItem: () => undefined };
}
