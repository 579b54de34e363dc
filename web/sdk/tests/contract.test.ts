import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isRetryable, reasonOf } from "../src/codes.js";
import { HubbubError } from "../src/errors.js";
import { decodeFrame, REPLIES, isEventType, type RequestType } from "../src/wire.js";

interface Named {
  readonly name: string;
  readonly message: Readonly<Record<string, unknown>>;
}

describe("events", () => {
  test.each(fixtures<Named>("events"))("$name is decoded whole", ({ message }) => {
    const frame = decodeFrame(JSON.stringify(message));
    expect(frame.is).toBe("event");
    // Of a track that is gone the id is all that is of use.
    const expected: Record<string, unknown> = message.type === "track.unpublished" ? { ...message, track: "t-1" } : message;
    expect(frame).toMatchObject({ event: expected });
  });

  test("every event type of the protocol has a fixture", () => {
    const covered = new Set(fixtures<Named>("events").map(({ message }) => String(message.type)));
    expect([...covered].every(isEventType)).toBe(true);
    expect(covered.size).toBe(20);
  });

  test("an event of a later version is no error", () => {
    expect(decodeFrame('{"type": "weather", "sun": true}')).toEqual({ is: "unknown", type: "weather" });
  });

  test.each(['{"type": "slot"}', '{"type": "speakers", "levels": 3}', "[]", "7", "{}", '{"re": "1"}', "{"])(
    "%s is refused",
    (text) => {
      expect(() => decodeFrame(text)).toThrow();
    },
  );
});

describe("replies", () => {
  test.each(fixtures<Named & { to: RequestType }>("replies"))("$to: $name", ({ to, message }) => {
    const frame = decodeFrame(JSON.stringify(message));
    if (frame.is === "refusal") {
      const error = HubbubError.fromWire(frame.error);
      expect(error.reason).toBe((message.error as { code: string }).code);
      expect(error.retryable).toBe((message.error as { retry: boolean }).retry);
    } else {
      expect(frame.is).toBe("reply");
      const { re, ...fields } = message;
      expect(re).toBe(1);
      expect(REPLIES[to](message, to)).toMatchObject(fields);
    }
  });

  test("every request type has a reply and a request among the fixtures", () => {
    const types = Object.keys(REPLIES).sort();
    expect([...new Set(fixtures<{ to: string }>("replies").map(({ to }) => to))].sort()).toEqual(types);
    expect([...new Set(fixtures<Named>("requests").map(({ message }) => message.type))].sort()).toEqual(types);
  });
});

test.each(fixtures<{ code: number; reason: string; reconnect: boolean }>("close_codes"))(
  "close code $code: reconnect $reconnect",
  ({ code, reason, reconnect }) => {
    expect(isRetryable(code)).toBe(reconnect);
    expect(reasonOf(code)).toBe(reason);
  },
);

function fixtures<T>(name: string): T[] {
  const path = new URL(`../../../tests/contract/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf8")) as T[];
}
