/**
 * One reader for all tabs: whoever holds a lock reads and passes everything on; when that tab closes, the next
 * one gets the lock and goes on behind the last thing that it heard. Browsers open no more than six HTTP/1.1
 * connections to a server, all tabs together, and a stream holds one of them.
 */

import { HubbubError } from "../errors.js";
import type { SseReader } from "./reader.js";
import type { Told } from "./stream.js";

export interface Shared {
  close(): void;
}

type Read = (tell: (told: Told) => void) => SseReader;

/** What is posted between tabs: errors lose their class on the way. */
interface Posted {
  readonly told: Told;
  readonly reason: { readonly name: HubbubError["reason"]; readonly message: string } | null;
}

export function shareAcrossTabs(name: string, read: Read, listen: (told: Told) => void): Shared {
  const locks = typeof navigator === "undefined" ? undefined : (navigator.locks as LockManager | undefined);
  if (!locks || typeof BroadcastChannel === "undefined") {
    const reader = read(listen);
    return { close: () => reader.close() };
  }
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }: MessageEvent<Posted>) => listen(revived(data));
  const abort = new AbortController();
  let release: () => void = () => undefined;

  const lead = (): Promise<void> => {
    const reader = read((told) => {
      if (abort.signal.aborted) return;
      channel.postMessage(posted(told));
      listen(told);
    });
    return new Promise((resolve) => {
      release = () => {
        reader.close();
        resolve();
      };
    });
  };
  locks.request(name, { signal: abort.signal }, lead).catch((problem: unknown) => {
    // Closed while another tab was reading.
    if (!(problem instanceof DOMException && problem.name === "AbortError")) throw problem;
  });

  return {
    close: () => {
      // The end of this tab's reading is not the end of the others'.
      abort.abort();
      channel.onmessage = null;
      release();
      channel.close();
    },
  };
}

function posted(told: Told): Posted {
  if (told.is === "block" || !told.reason) return { told, reason: null };
  return { told: { ...told, reason: null }, reason: { name: told.reason.reason, message: told.reason.message } };
}

function revived({ told, reason }: Posted): Told {
  if (told.is === "block" || !reason) return told;
  return { ...told, reason: new HubbubError(reason.name, reason.message) };
}
