import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SseParser, type Block } from "../src/events/sse.js";
import { EventStream, type StreamEntry, type StreamOptions } from "../src/events/stream.js";
import { TokenStream } from "../src/events/tokenstream.js";
import { makeToken } from "./meeting.js";
import { SseSource } from "./sse_source.js";

describe("server-sent events", () => {
  const stream = 'retry: 1500\n: hi\nid: a\nevent: x\ndata: one\ndata: two\n\ndata:three\r\n\r\nid: b\n\nid\n\nevent: y\ndata\n\n';
  const expected: Block[] = [
    { id: "a", event: "x", data: "one\ntwo" },
    { id: "a", event: "message", data: "three" },
    { id: "", event: "y", data: "" },
  ];

  test.each([1, 2, 3, 7, 1000])("are read in pieces of %i characters", (size) => {
    const parser = new SseParser();
    const blocks: Block[] = [];
    for (let at = 0; at < stream.length; at += size) blocks.push(...parser.push(stream.slice(at, at + size)));
    expect(blocks).toEqual(expected);
    expect(parser.retryMs).toBe(1500);
  });

  test("an id without data moves the cursor and tells nothing", () => {
    const parser = new SseParser("a");
    expect(parser.push("id: b\n\n")).toEqual([]);
    expect(parser.lastEventId).toBe("b");
  });

  test("an event without end is refused", () => {
    expect(() => new SseParser().push("data: " + "x".repeat(5 * 1024 * 1024))).toThrow(RangeError);
  });
});

let source: SseSource;

beforeEach(() => {
  vi.useFakeTimers();
  source = new SseSource();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("an event stream", () => {
  const open = (options: Partial<StreamOptions> = {}): { stream: EventStream; told: unknown[] } => {
    const stream = new EventStream("https://server.example", makeToken(), {
      topics: ["a", "b/c"],
      share: false,
      fetch: source.fetch,
      random: () => 0.5,
      ...options,
    });
    const told: unknown[] = [];
    stream.on("entry", (entry: StreamEntry) => told.push(entry.data));
    stream.on("gap", (topic) => told.push(`gap ${topic}`));
    return { stream, told };
  };
  const entry = (id: string, data: unknown): string =>
    `id: ${id}\nevent: news\ndata: ${JSON.stringify({ topic: "a", offset: 1, at_ms: 2, data })}\n\n`;

  test("asks for its topics with the token in a header", async () => {
    open({ since: "earliest" });
    await settle();
    expect(source.last.url.searchParams.getAll("topic")).toEqual(["a", "b/c"]);
    expect(source.last.url.searchParams.get("since")).toBe("earliest");
    expect(source.last.url.searchParams.has("token")).toBe(false);
    expect(source.last.headers.get("authorization")).toMatch(/^Bearer /);
  });

  test("goes on behind the last entry when it is cut", async () => {
    const { stream, told } = open();
    await settle();
    source.last.write(entry("c1", "one") + entry("c2", "two"));
    await settle();
    source.last.fail();
    await settle(1_000);
    expect(source.calls).toHaveLength(2);
    expect(source.last.headers.get("last-event-id")).toBe("c2");
    source.last.write(entry("c3", "three"));
    await settle();
    expect(told).toEqual(["one", "two", "three"]);
    expect(stream.cursor).toBe("c3");
  });

  test("waits as long as the server asked for after a regular end", async () => {
    open();
    await settle();
    source.last.write("retry: 3000\n\n");
    source.last.end();
    await settle(2_900);
    expect(source.calls).toHaveLength(1);
    await settle(500);
    expect(source.calls).toHaveLength(2);
  });

  test("tells gaps in their place", async () => {
    const { told } = open();
    await settle();
    source.last.write(`event: gap\ndata: {"topic": "a"}\n\n` + entry("c9", "after"));
    await settle();
    expect(told).toEqual(["gap a", "after"]);
  });

  test("tries again when the server is busy, and ends where it refuses", async () => {
    source.statuses.push(503, 403);
    const { stream } = open();
    const states: unknown[] = [];
    stream.on("state", (state, reason) => states.push([state, reason?.reason]));
    await settle(5_000);
    expect(source.calls).toHaveLength(2);
    expect(states).toContainEqual(["closed", "forbidden"]);
    await settle(60_000);
    expect(source.calls).toHaveLength(2);
  });

  test("is cut and opened again when it falls silent", async () => {
    open();
    await settle();
    source.last.write(": still here\n\n");
    await settle(44_000);
    source.last.write(": still here\n\n");
    await settle(44_000);
    expect(source.calls).toHaveLength(1);
    await settle(3_000);
    expect(source.calls).toHaveLength(2);
  });

  test("is quiet after it was closed", async () => {
    const { stream, told } = open();
    await settle();
    stream.close();
    expect(stream.state).toBe("closed");
    await settle(60_000);
    expect([source.calls.length, told]).toEqual([1, []]);
  });

  test.each(["not json", '{"topic": 7}', "[]"])("an entry that is %s disturbs nothing", async (data) => {
    const { told } = open();
    await settle();
    source.last.write(`event: news\ndata: ${data}\n\n` + entry("c1", "good"));
    await settle();
    expect(told).toEqual(["good"]);
  });
});

describe("tabs", () => {
  test("share one reader, and the next one goes on when the first is closed", async () => {
    vi.useRealTimers();
    vi.stubGlobal("navigator", { locks: new FakeLocks() });
    const streams = [1, 2].map(
      () => new EventStream("https://server.example", makeToken(), { topics: ["a"], fetch: source.fetch }),
    );
    const told: unknown[][] = [[], []];
    streams.forEach((stream, index) => stream.on("entry", ({ data }) => told[index]?.push(data)));
    const line = (id: string, data: string): string =>
      `id: ${id}\nevent: n\ndata: ${JSON.stringify({ topic: "a", offset: 1, at_ms: 2, data })}\n\n`;
    await vi.waitUntil(() => source.calls.length === 1);
    source.last.write(line("c1", "one"));
    await vi.waitUntil(() => told.every((entries) => entries.length === 1));
    streams[0]?.close();
    await vi.waitUntil(() => source.calls.length === 2);
    expect(source.last.headers.get("last-event-id")).toBe("c1");
    source.last.write(line("c2", "two"));
    await vi.waitUntil(() => told[1]?.length === 2);
    expect(told).toEqual([["one"], ["one", "two"]]);
    streams[1]?.close();
    vi.unstubAllGlobals();
  });
});

describe("a token stream", () => {
  const read = (): TokenStream =>
    new TokenStream("https://server.example", makeToken(), "s-1", { fetch: source.fetch, random: () => 0.5 });
  const token = (id: number, text: string): string => `id: ${id}\nevent: token\ndata: ${JSON.stringify({ text })}\n\n`;

  test("grows piece by piece and ends once", async () => {
    const stream = read();
    const ends: unknown[] = [];
    stream.on("end", (state, data) => ends.push([state, data]));
    await settle();
    source.last.write(token(1, "Hel") + token(2, "lo"));
    await settle();
    expect(stream.text).toBe("Hello");
    source.last.write('id: 3\nevent: done\ndata: {"data": {"tokens": 2}}\n\n');
    await settle();
    expect(ends).toEqual([["done", { tokens: 2 }]]);
    await settle(60_000);
    expect(source.calls).toHaveLength(1);
  });

  test("loses and repeats nothing when it is cut", async () => {
    const stream = read();
    await settle();
    source.last.write(token(1, "a") + token(2, "b"));
    await settle();
    source.last.fail();
    await settle(1_000);
    expect(source.last.headers.get("last-event-id")).toBe("2");
    source.last.write(token(2, "b") + token(3, "c"));
    await settle();
    expect(stream.text).toBe("abc");
  });

  test("is read as an async iterable, its failure thrown", async () => {
    const stream = read();
    const pieces: string[] = [];
    const reading = (async () => {
      for await (const piece of stream) pieces.push(piece);
    })();
    const outcome = expect(reading).rejects.toMatchObject({ reason: "internal", message: "out of memory" });
    await settle();
    source.last.write(token(1, "a"));
    await settle();
    source.last.write('id: 2\nevent: error\ndata: {"message": "out of memory"}\n\n');
    await outcome;
    expect(pieces).toEqual(["a"]);
  });

  test("can be stopped at its producer", async () => {
    const stream = read();
    await settle();
    const reading = source.last;
    await stream.stop();
    expect([source.last.method, source.last.url.pathname]).toEqual(["POST", "/v1/streams/s-1/stop"]);
    reading.write("id: 1\nevent: stopped\ndata: {}\n\n");
    await settle();
    expect(stream.state).toBe("stopped");
  });

  test("is made by a handler and read by its id", async () => {
    source.headers["x-stream-id"] = "s-9";
    const stream = await TokenStream.generate("https://server.example", makeToken(), "poem", { about: "rain" }, {
      fetch: source.fetch,
    });
    await settle();
    expect(source.calls.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
      "POST /v1/generate/poem",
      "GET /v1/streams/s-9",
    ]);
    expect(source.calls[0]?.body).toEqual({ about: "rain" });
    stream.close();
  });
});

/** Streams take a few turns of the real event loop, which fake timers do not hold. */
async function settle(ms = 0): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) {
    await vi.advanceTimersByTimeAsync(turn === 6 ? ms : 0);
    await new Promise((resolve) => setImmediateNow(resolve));
  }
}

const setImmediateNow = setImmediate;

class FakeLocks {
  #tail: Promise<unknown> = Promise.resolve();

  request(_: string, { signal }: { signal: AbortSignal }, lead: () => Promise<void>): Promise<void> {
    const result = this.#tail.then(() => {
      if (signal.aborted) throw new DOMException("aborted", "AbortError");
      return lead();
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }
}
