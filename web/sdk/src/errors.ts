import { asErrorCode, isRetryable, reasonOf, type Reason } from "./codes.js";
import { boolean, integer, nullable, object, string, withDefault, type Infer } from "./schema.js";

/** The `error` object of a refused request or HTTP call (protocol section 2). */
export const wireError = object({
  code: string,
  message: withDefault(string, ""),
  retry: withDefault(boolean, false),
  retry_after_ms: nullable(integer),
});
export const httpFailure = object({ error: wireError });

export interface Failure {
  readonly retryable?: boolean;
  readonly retryAfterMs?: number | null;
  readonly closeCode?: number;
  readonly cause?: unknown;
}

/** The one error of this library. `reason` says what happened, `retryable` whether trying again can help. */
export class HubbubError extends Error {
  readonly reason: Reason;
  readonly retryable: boolean;
  /** Milliseconds that the server asks to wait, where it does. */
  readonly retryAfterMs: number | null;
  /** The WebSocket close code, where a close is what happened. */
  readonly closeCode: number | null;

  constructor(reason: Reason, message: string, failure: Failure = {}) {
    super(message, failure.cause === undefined ? undefined : { cause: failure.cause });
    this.name = "HubbubError";
    this.reason = reason;
    this.retryable = failure.retryable ?? false;
    this.retryAfterMs = failure.retryAfterMs ?? null;
    this.closeCode = failure.closeCode ?? null;
  }

  static fromWire(error: Infer<typeof wireError>): HubbubError {
    return new HubbubError(asErrorCode(error.code), error.message || error.code, {
      retryable: error.retry,
      retryAfterMs: error.retry_after_ms,
    });
  }

  static fromClose(closeCode: number, explanation: string): HubbubError {
    const reason = reasonOf(closeCode);
    return new HubbubError(reason, explanation || `the connection ended (${closeCode}, ${reason})`, {
      retryable: isRetryable(closeCode),
      closeCode,
    });
  }

  /** From the answer to an HTTP call; the body may be anything, a proxy's error page included. */
  static async fromResponse(response: Response): Promise<HubbubError> {
    try {
      return HubbubError.fromWire(httpFailure(await response.json(), "").error);
    } catch (problem) {
      const reason: Reason = response.status >= 500 ? "unavailable" : "protocol";
      return new HubbubError(reason, `the server answered ${response.status}`, {
        retryable: response.status >= 500 || response.status === 429,
        cause: problem,
      });
    }
  }

  static from(problem: unknown, reason: Reason, failure: Failure = {}): HubbubError {
    if (problem instanceof HubbubError) return problem;
    const message = problem instanceof Error ? problem.message : String(problem);
    return new HubbubError(reason, message, { ...failure, cause: problem });
  }
}
