/** Server-sent events as the HTML standard has them (section 9.2.6), read from a response's body. */

export interface Block {
  /** Of this block or of the last one that had an id; empty before the first. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** A block that is larger than this is not read on: nothing that the server sends comes near. */
const MAX_BLOCK = 4 * 1024 * 1024;

/** Turns pieces of text, however they are cut, into blocks. */
export class SseParser {
  #rest = "";
  #id: string;
  #event = "";
  #data: string[] = [];
  /** Milliseconds of the last `retry:`; null before the first. */
  retryMs: number | null = null;

  constructor(lastEventId = "") {
    this.#id = lastEventId;
  }

  /** The cursor behind everything that was read. */
  get lastEventId(): string {
    return this.#id;
  }

  /** Throws RangeError for a block without end. */
  push(text: string): Block[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > MAX_BLOCK) throw new RangeError("an event without end");
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): Block[] {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    this.#field(field, colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, ""));
    return [];
  }

  #field(field: string, value: string): void {
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch(): Block[] {
    const block = { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#event = "";
    this.#data = [];
    return empty ? [] : [block];
  }
}

/** Reads a response to its end, or until `signal` aborts it. Throws what the network does. */
export async function readBlocks(response: Response, parser: SseParser, tell: (block: Block) => void): Promise<void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    for (const block of parser.push(part.value)) tell(block);
  }
}
