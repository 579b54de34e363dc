// @vitest-environment happy-dom
import { act, cleanup, renderHook } from "@testing-library/react";
import { StrictMode } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeToken, Meeting, someone, video } from "../../sdk/tests/meeting.js";
import { useChat, useLocalTracks, useParticipants, usePresence, useRoom, useTyping } from "../src/index.js";
import type { UseRoomOptions } from "../src/index.js";
import type { Room } from "@hubbub/client";

let meeting: Meeting;

beforeEach(() => {
  vi.useFakeTimers();
  meeting = new Meeting();
  meeting.server.handlers.set("chat.history", () => ({ messages: [], more: false }));
  meeting.server.handlers.set("chat.read", () => ({ offset: null }));
  meeting.server.handlers.set("chat.send", () => ({ offset: 7, at_ms: 1 }));
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const settle = (ms = 0): Promise<void> => act(() => vi.advanceTimersByTimeAsync(ms).then(() => undefined));
const options = (): UseRoomOptions => ({
  url: "http://server.example",
  token: makeToken(),
  ...meeting.options({ receive: false, store: null }),
});

async function joined(): Promise<Room> {
  const room = await meeting.join({ receive: false, store: null });
  await settle();
  return room;
}

test("a room is joined when the component comes and left when it goes", async () => {
  const wanted = options();
  const { result, unmount } = renderHook(() => useRoom(wanted));
  expect(result.current).toMatchObject({ status: "joining", room: null });
  await settle();
  expect(result.current.status).toBe("connected");
  const { room } = result.current;
  unmount();
  await settle();
  expect(room?.state).toBe("closed");
  expect(meeting.server.requestsOf("leave")).toHaveLength(1);
});

test("strict mode leaves one participant in the room", async () => {
  const wanted = options();
  const { result } = renderHook(() => useRoom(wanted), { wrapper: StrictMode });
  await settle();
  expect(result.current.status).toBe("connected");
  expect(meeting.server.members.size).toBe(1);
});

test("a refusal is told, and joining again is possible", async () => {
  meeting.server.refuseWith = 4403;
  const wanted = options();
  const { result } = renderHook(() => useRoom(wanted));
  await settle();
  expect(result.current).toMatchObject({ status: "failed", error: { reason: "forbidden" } });
  meeting.server.refuseWith = null;
  act(() => result.current.rejoin());
  await settle();
  expect(result.current.status).toBe("connected");
});

test("reconnecting and the end of the room are told", async () => {
  const wanted = options();
  const { result } = renderHook(() => useRoom(wanted));
  await settle();
  act(() => meeting.server.last.serverClose(1006));
  expect(result.current.status).toBe("reconnecting");
  await settle(1_000);
  expect(result.current.status).toBe("connected");
  act(() => meeting.server.last.serverClose(4410));
  expect(result.current).toMatchObject({ status: "closed", error: { reason: "room_closed" } });
});

test("nothing is joined without options", () => {
  const { result } = renderHook(() => useRoom(null));
  expect(result.current.status).toBe("idle");
});

test("participants follow who comes, publishes and goes", async () => {
  const room = await joined();
  const { result } = renderHook(() => useParticipants(room));
  meeting.server.tell({ type: "participant.joined", participant: someone("p-9") }, true);
  meeting.server.tell({ type: "track.published", participant: "p-9", track: video("v-9") }, true);
  await settle();
  expect(result.current.map(({ id, tracks }) => [id, tracks.length])).toEqual([
    ["p-1", 0],
    ["p-9", 1],
  ]);
  meeting.server.tell({ type: "participant.left", id: "p-9", reason: "left" }, true);
  await settle();
  expect(result.current).toHaveLength(1);
});

test("whoever types is named until they stop", async () => {
  const room = await joined();
  const { result } = renderHook(() => useTyping(room));
  meeting.server.tell({ type: "participant.joined", participant: someone("p-9") }, true);
  meeting.server.tell({ type: "presence", participant: "p-9", state: { typing: true } });
  await settle();
  expect(result.current.map(({ id }) => id)).toEqual(["p-9"]);
  meeting.server.tell({ type: "presence", participant: "p-9", state: {} });
  await settle();
  expect(result.current).toEqual([]);
});

test("one's own presence is there at once", async () => {
  const room = await joined();
  const { result } = renderHook(() => usePresence(room));
  act(() => result.current[1].update({ hand: true }));
  expect(result.current[0]).toEqual({ hand: true });
});

test("the conversation shows what is on its way and what has come", async () => {
  const room = await joined();
  const { result } = renderHook(() => useChat(room));
  await settle();
  expect(result.current).toMatchObject({ messages: [], more: false, loading: false });
  act(() => result.current.chat.send("hello"));
  expect(result.current.pending.map(({ text }) => text)).toEqual(["hello"]);
  await settle();
  expect(result.current.pending).toEqual([]);
  const from = { id: "p-9", identity: "bob", name: null };
  meeting.server.tell({ type: "chat", message: { offset: 8, at_ms: 1, from, text: "hi", data: null, to: null } });
  await settle();
  expect(result.current).toMatchObject({ messages: [{ text: "hi" }], unread: 1 });
});

test("nothing is published in a room that was only joined", async () => {
  const room = await joined();
  const { result, rerender } = renderHook(() => useLocalTracks(room));
  const first = result.current;
  rerender();
  expect(first).toEqual([]);
  expect(result.current).toBe(first);
});
