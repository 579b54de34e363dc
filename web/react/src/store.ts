import { useCallback, useSyncExternalStore } from "react";

interface Source {
  on(name: never, listener: () => void): () => void;
}

/**
 * What `read` gives, read again whenever `source` tells one of `events`.
 *
 * `read` must answer the same object until something changed. `source` null: `read` is never told of changes.
 */
export function useTold<T>(source: Source | null, events: readonly string[], read: () => T): T {
  const names = events.join(" ");
  const subscribe = useCallback(
    (told: () => void) => {
      const offs = names.split(" ").map((name) => source?.on(name as never, told));
      return () => offs.forEach((off) => off?.());
    },
    [source, names],
  );
  return useSyncExternalStore(subscribe, read, read);
}
