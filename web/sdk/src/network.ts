/** Tells of moments at which the network may have changed: back online, another interface, page woken up. */

export type NetworkChange = "online" | "interface" | "awake";

interface NetworkInformation {
  /** `wifi`, `cellular`, …; only phones say. */
  readonly type?: string;
  addEventListener(name: "change", listener: () => void): void;
  removeEventListener(name: "change", listener: () => void): void;
}

/** Returns the function that stops watching. Outside browsers nothing is ever told. */
export function watchNetwork(tell: (change: NetworkChange) => void): () => void {
  if (typeof window === "undefined" || typeof document === "undefined") return () => undefined;
  const connection = (navigator as Navigator & { connection?: NetworkInformation }).connection;
  const online = (): void => tell("online");
  let type = connection?.type;
  // The event also fires for every new estimate of the bandwidth: only another kind of network is news.
  const change = (): void => {
    if (connection?.type === type) return;
    type = connection?.type;
    tell("interface");
  };
  const visible = (): void => {
    if (document.visibilityState === "visible") tell("awake");
  };
  window.addEventListener("online", online);
  document.addEventListener("visibilitychange", visible);
  connection?.addEventListener("change", change);
  return () => {
    window.removeEventListener("online", online);
    document.removeEventListener("visibilitychange", visible);
    connection?.removeEventListener("change", change);
  };
}

/** Calls `leave` when the page goes away for good. Returns the function that stops watching. */
export function onPageHide(leave: () => void): () => void {
  if (typeof window === "undefined") return () => undefined;
  const hidden = ({ persisted }: PageTransitionEvent): void => {
    if (!persisted) leave();
  };
  window.addEventListener("pagehide", hidden);
  return () => window.removeEventListener("pagehide", hidden);
}
