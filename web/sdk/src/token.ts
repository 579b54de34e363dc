import { HubbubError } from "./errors.js";
import { array, DecodeError, nullable, number, object, string, withDefault, type Infer } from "./schema.js";

/** A token, or a function that fetches a fresh one: only the latter survives the token's expiry. */
export type TokenProvider = string | (() => Promise<string> | string);

const claims = object({
  sub: string,
  name: nullable(string),
  /** Unix seconds. */
  exp: number,
  room: nullable(string),
  grants: withDefault(array(string), []),
});
export type TokenClaims = Infer<typeof claims>;

/** Refresh when this part of the lifetime is left, but no later than `REFRESH_AHEAD_MS` before the end. */
const REFRESH_PART = 0.2;
const REFRESH_AHEAD_MS = 30_000;
/** A token that ends sooner than this is not used to connect if a fresh one can be had. */
const STALE_MS = 10_000;
/** Timers of browsers hold 31 bits of milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What a token says; its signature is the server's to check. Throws HubbubError `unauthorized`. */
export function readToken(token: string): TokenClaims {
  const body = token.split(".")[1];
  try {
    if (body === undefined) throw new DecodeError("token", "a JWT");
    const binary = atob(body.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    return claims(JSON.parse(new TextDecoder().decode(bytes)), "token");
  } catch (problem) {
    throw new HubbubError("unauthorized", "the token cannot be read", { cause: problem });
  }
}

/** Keeps a token that is good to use, and says when to exchange it. */
export class TokenSource {
  readonly #provider: TokenProvider;
  #token: string | null = null;
  #fetchedAt = 0;

  constructor(provider: TokenProvider) {
    this.#provider = provider;
  }

  /** Whether a new token can be had when this one ends. */
  get renewable(): boolean {
    return typeof this.#provider === "function";
  }

  get claims(): TokenClaims | null {
    return this.#token === null ? null : readToken(this.#token);
  }

  /** A token that is valid for a while yet. Throws HubbubError: `unauthorized`, or what the provider threw. */
  async current(now = Date.now()): Promise<string> {
    if (this.#token !== null && (!this.renewable || this.#expiresAt() - now > STALE_MS)) return this.#token;
    return this.fresh(now);
  }

  /**
   * For another connection: a new token, since the server may have other keys by now; the old one where none can
   * be had and it is still valid. Throws HubbubError.
   */
  async renewed(now = Date.now()): Promise<string> {
    try {
      return await this.fresh(now);
    } catch (problem) {
      if (this.#token !== null && this.#expiresAt() > now) return this.#token;
      throw problem;
    }
  }

  /** A new token from the provider (the same one when it is fixed). */
  async fresh(now = Date.now()): Promise<string> {
    const token = await this.#provide();
    readToken(token);
    this.#token = token;
    this.#fetchedAt = now;
    return token;
  }

  /** Milliseconds until the token is to be exchanged; null when it cannot be. */
  refreshInMs(now = Date.now()): number | null {
    if (!this.renewable || this.#token === null) return null;
    const ahead = Math.max(REFRESH_AHEAD_MS, (this.#expiresAt() - this.#fetchedAt) * REFRESH_PART);
    // A lifetime shorter than the usual lead is refreshed half-way.
    const due = Math.max(this.#expiresAt() - ahead, (this.#fetchedAt + this.#expiresAt()) / 2);
    return Math.min(Math.max(0, due - now), MAX_TIMER_MS);
  }

  async #provide(): Promise<string> {
    if (typeof this.#provider === "string") return this.#provider;
    try {
      return await this.#provider();
    } catch (problem) {
      // A token endpoint that cannot be reached is a matter of the network.
      throw HubbubError.from(problem, "network", { retryable: true });
    }
  }

  #expiresAt(): number {
    return (this.claims?.exp ?? 0) * 1000;
  }
}
