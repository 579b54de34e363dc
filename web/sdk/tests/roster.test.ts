import { expect, test } from "vitest";
import { Roster, type Change } from "../src/roster.js";
import { decodeEvent, joinReply, type JoinReply, type ServerEvent } from "../src/wire.js";
import { someone, video } from "./meeting.js";

const media = { id: "m" } as MediaStreamTrack;

test("everybody is told, oneself is first and no news", () => {
  const roster = new Roster();
  const changes = roster.reset(reply("me", [someone("bob", [video("v-1")])]), false);
  expect(names(changes)).toEqual(["joined bob", "published v-1"]);
  expect(roster.all.map(({ id }) => id)).toEqual(["me", "bob"]);
  expect(roster.local.local).toBe(true);
});

test("views are the same objects until something in them changes", () => {
  const roster = joined([someone("bob", [video("v-1")]), someone("eve")]);
  const [all, bob, eve] = [roster.all, roster.find("bob"), roster.find("eve")];
  roster.apply(event({ type: "presence", participant: "bob", state: { typing: true } }));
  expect(roster.all).not.toBe(all);
  expect(roster.find("bob")).not.toBe(bob);
  expect(roster.find("bob")?.tracks[0]).toBe(bob?.tracks[0]);
  expect(roster.find("eve")).toBe(eve);
});

test("a slot filled before its media is known is received when the media comes", () => {
  const roster = joined([someone("bob", [video("v-1")])]);
  expect(names(roster.apply(slot("3", "v-1")))).toEqual(["changed v-1"]);
  expect(names(roster.attach("3", media))).toEqual(["received v-1"]);
  expect(roster.track("v-1")).toMatchObject({ mid: "3", media });
});

test("a slot that goes from one track to another loses the one and receives the other", () => {
  const roster = joined([someone("bob", [video("v-1"), video("v-2")])]);
  roster.attach("3", media);
  roster.apply(slot("3", "v-1"));
  expect(names(roster.apply(slot("3", "v-2")))).toEqual(["lost v-1", "received v-2"]);
  expect(names(roster.apply(slot("3", null)))).toEqual(["lost v-2"]);
});

test("a track that moves to another slot is not lost on the way", () => {
  const roster = joined([someone("bob", [video("v-1")])]);
  roster.attach("3", media);
  roster.attach("5", { id: "n" } as MediaStreamTrack);
  roster.apply(slot("3", "v-1"));
  roster.apply(slot("5", "v-1"));
  roster.apply(slot("3", null));
  expect(roster.track("v-1")).toMatchObject({ mid: "5" });
});

test("whoever leaves takes the tracks along, once", () => {
  const roster = joined([someone("bob", [video("v-1")])]);
  const left = event({ type: "participant.left", id: "bob", reason: "left", cursor: "c" });
  expect(names(roster.apply(left))).toEqual(["unpublished v-1", "left bob"]);
  expect(roster.apply(left)).toEqual([]);
});

test("a speaker is whoever the last list says", () => {
  const roster = joined([someone("bob"), someone("eve")]);
  const speakers = (...ids: string[]): ServerEvent =>
    event({ type: "speakers", levels: ids.map((participant) => ({ participant, level: 0.5, speaking: true })) });
  roster.apply(speakers("bob"));
  expect(names(roster.apply(speakers("eve")))).toEqual(["updated bob", "updated eve"]);
  expect(roster.apply(speakers("eve"))).toEqual([]);
  expect(roster.all.filter(({ speaking }) => speaking).map(({ id }) => id)).toEqual(["eve"]);
});

test("a resumed join keeps the slots and tells only what changed", () => {
  const roster = joined([someone("bob", [video("v-1")]), someone("eve")]);
  roster.attach("3", media);
  roster.apply(slot("3", "v-1"));
  const changes = roster.reset(reply("me", [someone("bob", [video("v-1", { muted: true })]), someone("dan")]), true);
  expect(names(changes).filter((change) => !change.startsWith("updated"))).toEqual([
    "left eve",
    "changed v-1",
    "joined dan",
  ]);
  expect(roster.track("v-1")).toMatchObject({ mid: "3", media, muted: true });
});

test("a new session starts without slots", () => {
  const roster = joined([someone("bob", [video("v-1")])]);
  roster.attach("3", media);
  roster.apply(slot("3", "v-1"));
  roster.reset(reply("me-again", [someone("bob", [video("v-1")])]), false);
  expect(roster.track("v-1")).toMatchObject({ mid: null, media: null });
  expect(roster.all.map(({ id }) => id)).toEqual(["me-again", "bob"]);
});

test("events about people who are not there change nothing", () => {
  const roster = joined([]);
  expect(roster.apply(event({ type: "quality", participant: "ghost", score: 3 }))).toEqual([]);
  expect(roster.apply(event({ type: "track.published", participant: "ghost", track: video("v") }))).toEqual([]);
  expect(roster.apply(slot("3", "nothing"))).toEqual([]);
});

function joined(others: object[]): Roster {
  const roster = new Roster();
  roster.reset(reply("me", others), false);
  return roster;
}

function reply(id: string, participants: object[]): JoinReply {
  return joinReply({ session: "s", participant: someone(id), room: { name: "demo", cursor: "c" }, participants }, "");
}

function event(message: object): ServerEvent {
  const decoded = decodeEvent(message);
  if (!decoded) throw new Error("no event");
  return decoded;
}

function slot(mid: string, track: string | null): ServerEvent {
  return event({ type: "slot", mid, participant: track && "bob", track, layer: null, paused: false });
}

function names(changes: readonly Change[]): string[] {
  return changes.map((change) => `${change.is} ${"track" in change ? change.track.id : change.participant.id}`);
}
