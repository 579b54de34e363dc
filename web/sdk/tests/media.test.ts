import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { fakeTrack } from "./fake_peer_connection.js";
import { Refusal, SILENT } from "./fake_server.js";
import { makeToken, Meeting, settle, someone, video } from "./meeting.js";

let meeting: Meeting;

beforeEach(() => {
  vi.useFakeTimers();
  meeting = new Meeting();
});

afterEach(() => {
  vi.useRealTimers();
});

const offers = (): Record<string, unknown>[] => meeting.server.requestsOf("media.offer");
const slotsOf = (kind: string): number =>
  meeting.peer.sections.filter((section) => section.direction === "receive" && section.kind === kind).length;

describe("publishing", () => {
  test("what is published in the same moment, and the slots, go into one offer", async () => {
    const room = await meeting.join();
    const [camera, microphone] = await Promise.all([
      room.publish(fakeTrack("video"), { source: "camera" }),
      room.publish(fakeTrack("audio"), { source: "microphone", name: "headset", muted: true }),
    ]);
    expect(offers().length).toBeLessThanOrEqual(2);
    expect(offers().pop()?.tracks).toEqual({
      [camera.sending?.mid ?? "?"]: { source: "camera", muted: false },
      [microphone.sending?.mid ?? "?"]: { source: "microphone", name: "headset", muted: true },
    });
    expect(camera.id).toBe(`t-${camera.sending?.mid ?? ""}`);
    expect(room.localTracks).toEqual([camera, microphone]);
  });

  test("a camera is sent in three sizes, a screen in one", async () => {
    const room = await meeting.join({ receive: false });
    await room.publish(fakeTrack("video", 720), { source: "camera" });
    await room.publish(fakeTrack("video", 1080), { source: "screen" });
    const [camera, screen] = meeting.peer.sections.map((section) => section.options?.encodings);
    expect(camera?.map(({ rid, scaleResolutionDownBy }) => [rid, scaleResolutionDownBy])).toEqual([
      ["q", 4],
      ["h", 2],
      ["f", 1],
    ]);
    expect(screen?.map(({ rid }) => rid)).toEqual([undefined]);
  });

  test("a refused track is taken back, and its caller is told", async () => {
    const room = await meeting.join({ receive: false });
    const answer = meeting.server.handlers.get("media.offer");
    meeting.server.handlers.set("media.offer", () => {
      throw new Refusal("bad_request");
    });
    await expect(room.publish(fakeTrack("video"), { source: "camera" })).rejects.toMatchObject({
      reason: "bad_request",
    });
    expect(meeting.peer.log).toContain("rollback");
    expect(room.localTracks).toEqual([]);
    meeting.server.handlers.set("media.offer", answer!);
    const track = await room.publish(fakeTrack("audio"), { source: "microphone" });
    expect(track.id).not.toBeNull();
  });

  test("a section that the server did not take is a refusal", async () => {
    const room = await meeting.join({ receive: false });
    meeting.server.handlers.set("media.offer", () => ({ sdp: "answer", slots: [], tracks: {} }));
    await expect(room.publish(fakeTrack("video"), { source: "camera" })).rejects.toMatchObject({ reason: "forbidden" });
  });

  test("waits over a lost connection", async () => {
    const room = await meeting.join({ receive: false });
    const answer = meeting.server.handlers.get("media.offer");
    meeting.server.handlers.set("media.offer", () => SILENT);
    const publishing = room.publish(fakeTrack("video"), { source: "camera" });
    await settle();
    meeting.server.last.serverClose(1006);
    meeting.server.handlers.set("media.offer", answer!);
    await settle(1_000);
    expect((await publishing).id).not.toBeNull();
    expect(meeting.peers).toHaveLength(1);
  });

  test("mutes stop the media at once and are told in order", async () => {
    const room = await meeting.join({ receive: false });
    const track = await room.publish(fakeTrack("audio"), { source: "microphone" });
    const muting = room.mute(track, true);
    expect(track.media?.enabled).toBe(false);
    await Promise.all([muting, room.mute(track, false), room.mute(track, true)]);
    const told = meeting.server.requestsOf("media.mute");
    expect(told[told.length - 1]).toMatchObject({ track: track.id, muted: true });
  });

  test("a mute while away is told after coming back", async () => {
    const room = await meeting.join({ receive: false });
    const track = await room.publish(fakeTrack("audio"), { source: "microphone" });
    meeting.server.last.serverClose(1006);
    await room.mute(track, true);
    await settle(2_000);
    expect(meeting.server.requestsOf("media.mute")).toMatchObject([{ track: track.id, muted: true }]);
  });

  test("another camera takes the place of the first without an offer", async () => {
    const room = await meeting.join({ receive: false });
    const track = await room.publish(fakeTrack("video"), { source: "camera" });
    const before = offers().length;
    const other = fakeTrack("video");
    await room.replaceTrack(track, other);
    expect(meeting.peer.sections[0]?.sent).toBe(other);
    expect(offers()).toHaveLength(before);
    await expect(room.replaceTrack(track, fakeTrack("audio"))).rejects.toMatchObject({ reason: "misuse" });
  });

  test("what is unpublished is gone with the next offer", async () => {
    const room = await meeting.join({ receive: false });
    const track = await room.publish(fakeTrack("video"), { source: "camera" });
    await room.unpublish(track);
    expect(meeting.peer.sections[0]?.stopped).toBe(true);
    expect(offers().pop()?.tracks).toEqual({});
    expect(room.localTracks).toEqual([]);
  });
});

describe("slots", () => {
  test("are asked for on joining by those who may subscribe, in pairs", async () => {
    await meeting.join();
    await settle();
    expect([slotsOf("audio"), slotsOf("video")]).toEqual([4, 4]);
    const kinds = meeting.peer.sections.map(({ kind }) => kind);
    expect(kinds).toEqual(["audio", "video", "audio", "video", "audio", "video", "audio", "video"]);
  });

  test("are not asked for by others", async () => {
    await meeting.join({}, makeToken({ grants: ["chat"] }));
    await settle();
    expect(meeting.peers).toHaveLength(0);
  });

  test("grow with the room, by new offers, up to their limit", async () => {
    await meeting.join({ maxSlots: { audio: 4, video: 8 } });
    await settle();
    for (let k = 0; k < 12; k += 1) {
      meeting.server.tell({ type: "participant.joined", participant: someone(`p-1${k}`) }, true);
      meeting.server.tell({ type: "track.published", participant: `p-1${k}`, track: video(`v-${k}`) }, true);
    }
    await settle();
    expect([slotsOf("audio"), slotsOf("video")]).toEqual([4, 8]);
    expect(offers().length).toBeLessThanOrEqual(3);
  });

  test("carry the track that the server says, and only that", async () => {
    const room = await meeting.join();
    const told: string[] = [];
    room.on("trackReceived", ({ id }) => told.push(`received ${id}`));
    room.on("trackLost", ({ id }) => told.push(`lost ${id}`));
    meeting.server.tell({ type: "participant.joined", participant: someone("p-8", [video("v-8")]) }, true);
    meeting.server.tell({ type: "participant.joined", participant: someone("p-9", [video("v-9")]) }, true);
    await settle();
    const slot = { type: "slot", mid: "1", participant: "p-8", track: "v-8", layer: 2, paused: false };
    meeting.server.tell(slot);
    await settle();
    const track = room.participants.find(({ id }) => id === "p-8")?.tracks[0];
    expect(track).toMatchObject({ id: "v-8", mid: "1", layer: 2, media: meeting.peer.sections[1]?.track });
    meeting.server.tell({ ...slot, participant: "p-9", track: "v-9" });
    meeting.server.tell({ ...slot, participant: null, track: null, layer: null });
    await settle();
    expect(told).toEqual(["received v-8", "lost v-8", "received v-9", "lost v-9"]);
  });

  test("the size of the picture that is shown is asked for", async () => {
    const room = await meeting.join();
    meeting.server.tell({ type: "participant.joined", participant: someone("p-9", [video("v-9")]) }, true);
    meeting.server.tell({ type: "slot", mid: "1", participant: "p-9", track: "v-9", layer: 0, paused: false });
    const [small, large] = [{}, {}];
    room.subscriptions.set("v-9", small, 100);
    room.subscriptions.set("v-9", large, 500);
    await settle(300);
    const asked = meeting.server.requestsOf("media.subscribe");
    expect(asked).toMatchObject([{ mid: "1", track: "v-9", max_height: 540 }]);
    room.subscriptions.set("v-9", large, 530);
    await settle(300);
    expect(meeting.server.requestsOf("media.subscribe")).toHaveLength(1);
    room.subscriptions.set("v-9", large, null);
    room.subscriptions.set("v-9", small, 0);
    await settle(300);
    expect(meeting.server.requestsOf("media.subscribe")[1]).toMatchObject({ max_height: 90, priority: 0 });
  });

  test("with more pictures than slots nothing is nailed down", async () => {
    const room = await meeting.join({ maxSlots: { audio: 1, video: 1 } });
    meeting.server.tell({ type: "participant.joined", participant: someone("p-9", [video("v-9")]) }, true);
    meeting.server.tell({ type: "slot", mid: "1", participant: "p-9", track: "v-9", layer: 0, paused: false });
    room.subscriptions.set("v-9", {}, 360);
    await settle(300);
    meeting.server.tell({ type: "track.published", participant: "p-9", track: video("v-10") }, true);
    await settle(300);
    expect(meeting.server.requestsOf("media.unsubscribe")).toMatchObject([{ mid: "1" }]);
  });
});

describe("recovery", () => {
  test("a connection that failed gets new ICE credentials, and no new connection", async () => {
    const room = await meeting.join();
    await settle();
    meeting.peer.become("failed");
    expect(room.media.state).toBe("recovering");
    await settle();
    expect(meeting.peer.offers.pop()).toEqual({ iceRestart: true });
    meeting.peer.become("connected");
    expect(room.media.state).toBe("connected");
    expect(meeting.peers).toHaveLength(1);
  });

  test("one that is merely disconnected may heal by itself first", async () => {
    await meeting.join();
    await settle();
    const before = offers().length;
    meeting.peer.become("disconnected");
    await settle(1_000);
    meeting.peer.become("connected");
    await settle(10_000);
    expect(offers()).toHaveLength(before);
    meeting.peer.become("disconnected");
    await settle(2_500);
    expect(meeting.peer.offers.pop()).toEqual({ iceRestart: true });
  });

  test("restarts that lead nowhere end in a new connection with everything that was published", async () => {
    const room = await meeting.join();
    const track = await room.publish(fakeTrack("video"), { source: "camera" });
    meeting.peer.become("failed");
    await settle(30_000);
    expect(meeting.peers).toHaveLength(2);
    expect(meeting.peers[0]?.log).toContain("close");
    expect(track.id).not.toBeNull();
    expect(meeting.peer.sections.filter(({ direction }) => direction === "send")).toHaveLength(1);
    expect(slotsOf("video")).toBe(4);
    expect(room.media.state).toBe("connected");
  });

  test("a resumed session keeps its connection", async () => {
    await meeting.join();
    await settle();
    const before = offers().length;
    meeting.server.last.serverClose(1006);
    await settle(1_000);
    expect(meeting.peers).toHaveLength(1);
    expect(offers()).toHaveLength(before);
  });

  test("a restarted server gets a new connection with everything that was published", async () => {
    const room = await meeting.join();
    const track = await room.publish(fakeTrack("video"), { source: "camera" });
    meeting.server.restart();
    await settle(1_000);
    expect(meeting.peers).toHaveLength(2);
    expect(meeting.peer.sections.some(({ sent }) => sent === track.media)).toBe(true);
    expect(track.id).not.toBeNull();
  });

  test("leaving closes the connection and fails who still waits", async () => {
    const room = await meeting.join({ receive: false });
    meeting.server.handlers.set("media.offer", () => SILENT);
    const publishing = room.publish(fakeTrack("video"), { source: "camera" });
    const outcome = expect(publishing).rejects.toMatchObject({ reason: "closed" });
    await settle();
    await room.leave();
    await outcome;
    expect(meeting.peer.state).toBe("closed");
  });

  test("offers never overlap", async () => {
    const room = await meeting.join();
    await Promise.all([
      room.publish(fakeTrack("video"), { source: "camera" }),
      room.publish(fakeTrack("audio"), { source: "microphone" }),
      settle().then(() => room.publish(fakeTrack("video"), { source: "screen" })),
    ]);
    const exchange = meeting.peer.log.filter((entry) => entry === "offer" || entry === "answer");
    expect(exchange.join(" ")).toMatch(/^(offer answer ?)+$/);
  });

  test("data channels share one section", async () => {
    const room = await meeting.join();
    await settle();
    const before = offers().length;
    await room.media.openChannel("doc:notes");
    await room.media.openChannel("doc:board");
    expect(offers()).toHaveLength(before + 1);
    expect(meeting.peer.log.filter((entry) => entry.startsWith("channel"))).toEqual([
      "channel doc:notes",
      "channel doc:board",
    ]);
  });
});
