import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HubbubError } from "../src/errors.js";
import { Room } from "../src/room.js";
import { HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS } from "../src/socket.js";
import { Refusal, SILENT } from "./fake_server.js";
import { makeToken, Meeting, settle, someone } from "./meeting.js";

let meeting: Meeting;

beforeEach(() => {
  vi.useFakeTimers();
  meeting = new Meeting();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("joining", () => {
  test("presents the token as a subprotocol and joins the token's room", async () => {
    const token = makeToken({ room: "green" });
    const room = await meeting.join({}, token);
    expect(meeting.server.tokens).toEqual([token]);
    expect(meeting.server.requests[0]).toMatchObject({ type: "join", room: "green" });
    expect(room.name).toBe("green");
    expect(room.state).toBe("connected");
  });

  test("names another room where the token is for any", async () => {
    await meeting.join({ room: "blue" }, makeToken({ room: "*" }));
    expect(meeting.server.requests[0]).toMatchObject({ room: "blue" });
  });

  test.each([
    [4401, "unauthorized"],
    [4403, "forbidden"],
    [4410, "room_closed"],
  ])("gives up at once on %i", async (code, reason) => {
    meeting.server.refuseWith = code;
    await expect(meeting.join()).rejects.toMatchObject({ reason, retryable: false, closeCode: code });
    expect(meeting.server.connections).toHaveLength(1);
  });

  test("gives up at once when the join is refused for good", async () => {
    meeting.server.handlers.set("join", () => {
      throw new Refusal("room_full");
    });
    await expect(meeting.join()).rejects.toMatchObject({ reason: "room_full" });
  });

  test("tries again until its time is over, and then says why", async () => {
    meeting.server.refuseWith = 1006;
    const joining = meeting.join({ timeoutMs: 10_000 });
    const outcome = expect(joining).rejects.toMatchObject({ reason: "network", retryable: true });
    await settle(10_000);
    await outcome;
    expect(meeting.server.connections.length).toBeGreaterThan(3);
    const tries = meeting.server.connections.length;
    await settle(60_000);
    expect(meeting.server.connections).toHaveLength(tries);
  });

  test("succeeds when the server comes up in the meantime", async () => {
    meeting.server.refuseWith = 1006;
    const joining = meeting.join();
    await settle(1_000);
    meeting.server.refuseWith = null;
    await settle(5_000);
    expect((await joining).state).toBe("connected");
  });

  test("can be aborted", async () => {
    meeting.server.refuseWith = 1006;
    const abort = new AbortController();
    const joining = meeting.join({ signal: abort.signal });
    abort.abort();
    await expect(joining).rejects.toMatchObject({ reason: "closed" });
  });

  test("a token that cannot be read is refused before anything is sent", async () => {
    await expect(meeting.join({}, "nonsense")).rejects.toMatchObject({ reason: "unauthorized" });
    expect(meeting.server.connections).toHaveLength(0);
  });

  test("what is no address is the caller's mistake", async () => {
    const joining = Room.connect("not a url", makeToken(), meeting.options());
    await expect(joining).rejects.toMatchObject({ reason: "misuse" });
  });
});

describe("a lost connection", () => {
  test("is resumed with the session's secret and the cursor, and nobody is told to have left", async () => {
    const room = await meeting.join({ presence: { hand: true } });
    const left = vi.fn();
    room.on("participantLeft", left);
    meeting.server.tell({ type: "participant.joined", participant: someone("p-9") }, true);
    await settle();
    meeting.server.last.serverClose(1006);
    expect(room.state).toBe("reconnecting");
    const id = room.local.id;
    await settle(1_000);
    expect(room.state).toBe("connected");
    expect(room.local.id).toBe(id);
    expect(meeting.server.requestsOf("join")[1]).toMatchObject({
      resume: "p-1.secret",
      since: "c-2",
      presence: { hand: true },
    });
  });

  test("waits at random within a limit that doubles", async () => {
    const room = await meeting.join();
    meeting.server.refuseWith = 1006;
    const tries: number[] = [];
    const start = Date.now();
    room.on("state", () => tries.push(Date.now() - start));
    meeting.server.last.serverClose(1006);
    await settle(60_000);
    const gaps = tries.slice(1, 8).map((at, index) => at - (tries[index] ?? 0));
    // With `random` at one half: half of 400 ms, of 800 ms, and so on up to half of 6 s.
    expect(gaps).toEqual([200, 400, 800, 1_600, 3_000, 3_000, 3_000]);
  });

  test.each([4408, 4429, 4500, 4503, 4508, 1001, 1006, 1011])("comes back after %i", async (code) => {
    const room = await meeting.join();
    meeting.server.last.serverClose(code);
    await settle(1_000);
    expect(room.state).toBe("connected");
  });

  test.each([
    [4400, "bad_request"],
    [4401, "unauthorized"],
    [4403, "forbidden"],
    [4409, "resumed_elsewhere"],
    [4410, "room_closed"],
    [4413, "too_large"],
  ])("is over for good after %i", async (code, reason) => {
    const room = await meeting.join();
    const states: unknown[] = [];
    room.on("state", (state, problem) => states.push([state, problem?.reason]));
    meeting.server.last.serverClose(code);
    await settle(120_000);
    expect(states).toEqual([["closed", reason]]);
    expect(room.closed).toMatchObject({ reason });
    expect(meeting.server.connections).toHaveLength(1);
    await expect(room.signal("p-2", {})).rejects.toMatchObject({ reason });
  });

  test("fails what is unanswered, so that the caller may try again", async () => {
    const room = await meeting.join();
    meeting.server.handlers.set("signal", () => SILENT);
    const signal = room.signal("p-2", {});
    meeting.server.last.serverClose(1006);
    await expect(signal).rejects.toMatchObject({ reason: "network", retryable: true });
  });

  test("is noticed by silence, although the socket says nothing", async () => {
    const room = await meeting.join();
    meeting.server.last.dead = true;
    await settle(HEARTBEAT_MS + HEARTBEAT_TIMEOUT_MS);
    expect(room.state).toBe("reconnecting");
    await settle(1_000);
    expect(room.state).toBe("connected");
  });

  test("a live one is asked in every quiet spell, and stays", async () => {
    const room = await meeting.join();
    await settle(HEARTBEAT_MS * 4);
    expect(meeting.server.requestsOf("ping").length).toBeGreaterThanOrEqual(3);
    expect(room.state).toBe("connected");
    expect(meeting.server.connections).toHaveLength(1);
  });

  test("missed messages are told once it is back, before newer ones", async () => {
    const room = await meeting.join();
    const seen: unknown[] = [];
    room.on("event", ({ name, replayed }) => seen.push([name, replayed]));
    const from = { id: "p-2", identity: "bob", name: "Bob" };
    meeting.server.missed = [{ type: "event", name: "missed", data: 1, from, offset: 3, cursor: "c-3" }];
    meeting.server.last.serverClose(1006);
    await settle(1_000);
    meeting.server.tell({ type: "event", name: "new", data: 2, from });
    await settle();
    expect(seen).toEqual([
      ["missed", true],
      ["new", false],
    ]);
  });

  test("comes back as somebody new when the session is gone, and says who left and who came", async () => {
    const room = await meeting.join();
    meeting.server.tell({ type: "participant.joined", participant: someone("p-9") }, true);
    await settle();
    const told: string[] = [];
    room.on("participantLeft", ({ id }) => told.push(`left ${id}`));
    room.on("participantJoined", ({ id }) => told.push(`joined ${id}`));
    meeting.server.restart();
    await settle(1_000);
    expect(room.state).toBe("connected");
    expect(told).toEqual(["left p-9"]);
    expect(room.participants.map(({ id }) => id)).toEqual(["p-2"]);
  });
});

describe("leaving", () => {
  test("says so, and is final", async () => {
    const room = await meeting.join();
    await room.leave();
    expect(meeting.server.requestsOf("leave")).toHaveLength(1);
    expect(room.state).toBe("closed");
    expect(room.closed).toMatchObject({ reason: "closed" });
    await settle(60_000);
    expect(meeting.server.connections).toHaveLength(1);
    await room.leave();
  });
});

describe("tokens", () => {
  test("are exchanged before they expire", async () => {
    const tokens = [100, 200].map((seconds) => makeToken({ exp: Math.floor(Date.now() / 1000) + seconds }));
    let given = 0;
    const room = await meeting.join({}, () => tokens[given++] ?? "");
    await settle(75_000);
    expect(meeting.server.requestsOf("auth.refresh")).toEqual([
      expect.objectContaining({ token: tokens[1] }),
    ]);
    expect(room.state).toBe("connected");
  });

  test("a fixed one is not", async () => {
    await meeting.join({}, makeToken({ exp: Math.floor(Date.now() / 1000) + 60 }));
    await settle(59_000);
    expect(meeting.server.requestsOf("auth.refresh")).toEqual([]);
  });

  test("a refusal of a fresh one is tried again", async () => {
    meeting.server.handlers.set("auth.refresh", () => {
      throw new Refusal("unavailable", { retry: true });
    });
    await meeting.join({}, () => makeToken({ exp: Math.floor(Date.now() / 1000) + 100 }));
    await settle(81_000);
    expect(meeting.server.requestsOf("auth.refresh").length).toBeGreaterThanOrEqual(2);
  });

  test("an endpoint that gives none is tried again, as a network failure", async () => {
    let calls = 0;
    const joining = meeting.join({}, () => {
      calls += 1;
      if (calls === 1) throw new TypeError("fetch failed");
      return makeToken();
    });
    await settle(1_000);
    expect((await joining).state).toBe("connected");
  });

  test("another connection gets another one, or the old one where none is to be had", async () => {
    const tokens = ["a", "b"].map((sub) => makeToken({ sub }));
    let given = 0;
    const room = await meeting.join({}, () => {
      const token = tokens[given++];
      if (token === undefined) throw new TypeError("fetch failed");
      return token;
    });
    for (let k = 0; k < 2; k += 1) {
      meeting.server.last.serverClose(1006);
      await settle(2_000);
    }
    expect(room.state).toBe("connected");
    expect(meeting.server.tokens).toEqual([tokens[0], tokens[1], tokens[1]]);
  });

  test("an endpoint that refuses is asked no more", async () => {
    const refusal = new HubbubError("forbidden", "not you");
    await expect(meeting.join({}, () => Promise.reject(refusal))).rejects.toBe(refusal);
  });
});

describe("what a server sends wrongly", () => {
  test.each(["{", "[]", '{"type": 7}', '{"type": "slot", "mid": 3}', '{"re": 999}', '{"type": "weather"}'])(
    "%s disturbs nothing",
    async (text) => {
      const room = await meeting.join();
      meeting.server.last.tellRaw(text);
      await settle();
      expect(room.state).toBe("connected");
    },
  );

  test("a reply of the wrong shape fails its request only", async () => {
    const room = await meeting.join();
    meeting.server.handlers.set("event.send", () => ({ offset: "seven" }));
    await expect(room.sendEvent("poll", 1)).rejects.toMatchObject({ reason: "protocol" });
    expect(room.state).toBe("connected");
  });
});
