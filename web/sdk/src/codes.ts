/** Every code by which the server ends a connection or refuses a request (protocol sections 2 and 3). */

export const CloseCode = {
  normal: 1000,
  badMessage: 4400,
  unauthorized: 4401,
  forbidden: 4403,
  heartbeatLost: 4408,
  resumedElsewhere: 4409,
  roomClosed: 4410,
  tooLarge: 4413,
  rateLimited: 4429,
  internal: 4500,
  draining: 4503,
  tooSlow: 4508,
} as const;

export const ERROR_CODES = [
  "bad_request",
  "unauthorized",
  "forbidden",
  "not_found",
  "conflict",
  "too_large",
  "rate_limited",
  "room_full",
  "unavailable",
  "internal",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Why something failed. The server's error codes, and what only a client can see. */
export type Reason =
  | ErrorCode
  /** No connection, or it was lost before the answer came. */
  | "network"
  /** No answer in time. */
  | "timeout"
  | "heartbeat_lost"
  /** The session was resumed by another socket. */
  | "resumed_elsewhere"
  | "room_closed"
  | "too_slow"
  /** The caller closed it, or aborted the call. */
  | "closed"
  /** The other side does not speak this protocol. */
  | "protocol"
  /** The media connection cannot be built. */
  | "media"
  /** This browser cannot do it. */
  | "unsupported"
  /** The caller broke a rule of this library. */
  | "misuse";

const REASONS: ReadonlyMap<number, Reason> = new Map<number, Reason>([
  [CloseCode.badMessage, "bad_request"],
  [CloseCode.unauthorized, "unauthorized"],
  [CloseCode.forbidden, "forbidden"],
  [CloseCode.heartbeatLost, "heartbeat_lost"],
  [CloseCode.resumedElsewhere, "resumed_elsewhere"],
  [CloseCode.roomClosed, "room_closed"],
  [CloseCode.tooLarge, "too_large"],
  [CloseCode.rateLimited, "rate_limited"],
  [CloseCode.internal, "internal"],
  [CloseCode.draining, "unavailable"],
  [CloseCode.tooSlow, "too_slow"],
]);

const RETRYABLE_44XX: ReadonlySet<number> = new Set([CloseCode.heartbeatLost, CloseCode.rateLimited]);

/** Whether a connection that ended with this code is opened again: 4408, 4429, 45xx and all that is not 44xx. */
export function isRetryable(closeCode: number): boolean {
  return closeCode < 4400 || closeCode > 4499 || RETRYABLE_44XX.has(closeCode);
}

export function reasonOf(closeCode: number): Reason {
  return REASONS.get(closeCode) ?? (isRetryable(closeCode) ? "network" : "forbidden");
}

/** A server of a later version may know more codes than this client. */
export function asErrorCode(code: string): ErrorCode {
  return ERROR_CODES.find((known) => known === code) ?? "internal";
}
