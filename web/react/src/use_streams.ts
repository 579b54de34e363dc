import {
  EventStream,
  TokenStream,
  type HubbubError,
  type StreamEntry,
  type TokenProvider,
  type TokenStreamState,
} from "@hubbub/client";
import { useCallback, useEffect, useRef, useState } from "react";

export interface EventStreamHandle {
  /** The latest entries, oldest first. */
  readonly entries: readonly StreamEntry[];
  /** `closed` is for good; `error` says why. */
  readonly state: EventStream["state"];
  readonly error: HubbubError | null;
  /** Topics of which entries were missed since they were first read. */
  readonly gaps: ReadonlySet<string>;
}

export interface UseEventStreamOptions {
  /** A cursor, or `earliest`. */
  readonly since?: string;
  /** How many entries are kept here. */
  readonly limit?: number;
  readonly onEntry?: (entry: StreamEntry) => void;
}

const DEFAULT_LIMIT = 200;
const FRESH: EventStreamHandle = { entries: [], state: "connecting", error: null, gaps: new Set() };

/** Entries of topics as they come, over all tabs by one connection. */
export function useEventStream(
  url: string,
  token: TokenProvider,
  topics: readonly string[],
  options: UseEventStreamOptions = {},
): EventStreamHandle {
  const [handle, setHandle] = useState(FRESH);
  const { since, limit = DEFAULT_LIMIT } = options;
  const latest = useRef(options.onEntry);
  useEffect(() => {
    latest.current = options.onEntry;
  });
  const names = topics.join("\n");
  useEffect(() => {
    const stream = new EventStream(url, token, { topics: names.split("\n"), ...(since !== undefined && { since }) });
    stream.on("entry", (entry) => {
      latest.current?.(entry);
      setHandle((before) => ({ ...before, entries: [...before.entries, entry].slice(-limit) }));
    });
    stream.on("gap", (topic) => setHandle((before) => ({ ...before, gaps: new Set([...before.gaps, topic]) })));
    stream.on("state", (state, error) => setHandle((before) => ({ ...before, state, error })));
    return () => {
      stream.close();
      setHandle(FRESH);
    };
  }, [url, token, names, since, limit]);
  return handle;
}

export interface TokenStreamHandle {
  readonly text: string;
  readonly state: TokenStreamState | "idle";
  readonly error: HubbubError | null;
  /** Tell the producer to stop. */
  readonly stop: () => Promise<void>;
}

interface Reading extends Omit<TokenStreamHandle, "stop"> {
  /** What was read; an answer about another stream is none about this one. */
  readonly id: string | null;
}

const IDLE: Reading = { id: null, text: "", state: "idle", error: null };

/** Text that grows piece by piece. `id` null reads nothing. */
export function useTokenStream(url: string, token: TokenProvider, id: string | null): TokenStreamHandle {
  const [reading, setReading] = useState<Reading>(IDLE);
  const current = useRef<TokenStream | null>(null);
  useEffect(() => {
    if (id === null) return undefined;
    const stream = new TokenStream(url, token, id);
    current.current = stream;
    stream.on("token", () => setReading({ id, text: stream.text, state: "reading", error: null }));
    stream.on("end", (state, _, error) => {
      if (state !== "closed") setReading({ id, text: stream.text, state, error });
    });
    return () => {
      current.current = null;
      stream.close();
    };
  }, [url, token, id]);
  const stop = useCallback(() => current.current?.stop() ?? Promise.resolve(), []);
  const { text, state, error } = reading.id === id ? reading : { ...IDLE, state: "reading" as const };
  return { text, state, error, stop };
}
