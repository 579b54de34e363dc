import { HubbubError } from "./errors.js";

/** Runs asynchronous tasks one after the other, in the order in which they were given. */
export class Serial {
  readonly #limit: number;
  #waiting = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #closed: HubbubError | null = null;

  /** A task that finds `limit` others unfinished is refused: something ahead of it hangs. */
  constructor(limit = 256) {
    this.#limit = limit;
  }

  run<T>(task: () => Promise<T> | T): Promise<T> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#waiting >= this.#limit) {
      return Promise.reject(new HubbubError("misuse", `${this.#limit} operations are waiting already`));
    }
    this.#waiting += 1;
    const result = this.#tail.then(() => {
      if (this.#closed) throw this.#closed;
      return task();
    });
    this.#tail = result.then(this.#done, this.#done);
    return result;
  }

  /** Tasks that have not begun fail with `reason`. */
  close(reason = new HubbubError("closed", "the connection was closed")): void {
    this.#closed ??= reason;
  }

  readonly #done = (): void => {
    this.#waiting -= 1;
  };
}
