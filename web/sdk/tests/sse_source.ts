/** A fetch that answers with streams that a test writes into. */

export interface Call {
  readonly url: URL;
  readonly headers: Headers;
  readonly method: string;
  readonly body: unknown;
  write(text: string): void;
  end(): void;
  fail(): void;
}

export class SseSource {
  readonly calls: Call[] = [];
  /** Statuses of the next answers; 200 when there are none. */
  readonly statuses: number[] = [];
  readonly headers: Record<string, string> = {};

  readonly fetch = ((input: URL | string, init: RequestInit = {}) => {
    const status = this.statuses.shift() ?? 200;
    let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
    const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
    const text = new TextEncoder();
    const call: Call = {
      url: new URL(input),
      headers: new Headers(init.headers),
      method: init.method ?? "GET",
      body: typeof init.body === "string" ? JSON.parse(init.body) : null,
      write: (piece) => controller?.enqueue(text.encode(piece)),
      end: () => controller?.close(),
      fail: () => controller?.error(new TypeError("network error")),
    };
    init.signal?.addEventListener("abort", () => controller?.error(new DOMException("aborted", "AbortError")));
    this.calls.push(call);
    if (status === 200) return Promise.resolve(new Response(body, { headers: this.headers }));
    const error = { code: status === 403 ? "forbidden" : "unavailable", message: "no", retry: status >= 500 };
    return Promise.resolve(Response.json({ error }, { status }));
  }) as typeof fetch;

  get last(): Call {
    const call = this.calls[this.calls.length - 1];
    if (!call) throw new Error("nothing was asked for");
    return call;
  }
}
