import type { WebSocketLike } from "../src/socket.js";

type Json = Record<string, unknown>;
export type Handler = (message: Json, connection: FakeConnection) => unknown;

interface Member {
  readonly id: string;
  readonly session: string;
  readonly participant: Json;
  connection: FakeConnection | null;
}

/** A refusal that a handler throws. */
export class Refusal extends Error {
  readonly error: Json;

  constructor(code: string, more: Json = {}) {
    super(code);
    this.error = { code, message: code, retry: false, ...more };
  }
}

/**
 * Speaks the room protocol in memory: joins and resumes for real, answers what tests tell it to, and relays
 * signals. Its sockets carry text in a microtask of their own, as real ones never answer in the same turn.
 */
export class FakeServer {
  readonly connections: FakeConnection[] = [];
  readonly members = new Map<string, Member>();
  /** Every request in order, as it came. */
  readonly requests: Json[] = [];
  readonly tokens: string[] = [];
  /** Handlers by request type; they answer the reply's fields, or throw a Refusal. */
  readonly handlers = new Map<string, Handler>();
  /** Events of the room's log after the cursor that is asked for; null: it cannot be recovered. */
  missed: Json[] | null = [];
  /** Close every new socket at once with this code. */
  refuseWith: number | null = null;
  #offset = 0;
  #people = 0;

  constructor() {
    this.handlers.set("join", (message, connection) => this.#join(message, connection));
    this.handlers.set("leave", (_, connection) => this.#leave(connection));
    this.handlers.set("ping", () => ({ at_ms: 1 }));
    this.handlers.set("auth.refresh", () => ({}));
    this.handlers.set("signal", (message, connection) => this.#signal(message, connection));
    for (const type of ["presence.set", "media.subscribe", "media.unsubscribe", "media.policy", "media.mute"]) {
      this.handlers.set(type, () => ({}));
    }
  }

  readonly open = (_url: string, protocols: string[]): FakeConnection => {
    this.tokens.push(protocols[1]?.replace("bearer.", "") ?? "");
    const connection = new FakeConnection(this);
    this.connections.push(connection);
    queueMicrotask(() => {
      if (this.refuseWith === null) connection.emit("open");
      else connection.serverClose(this.refuseWith);
    });
    return connection;
  };

  get last(): FakeConnection {
    const connection = this.connections[this.connections.length - 1];
    if (!connection) throw new Error("nobody has connected");
    return connection;
  }

  /** To everybody; logged events get the cursor that the next join may start from. */
  tell(event: Json, logged = false): void {
    const message = logged ? { ...event, cursor: `c-${++this.#offset}` } : event;
    for (const { connection } of this.members.values()) connection?.tell(message);
  }

  requestsOf(type: string): Json[] {
    return this.requests.filter((request) => request.type === type);
  }

  handle(message: Json, connection: FakeConnection): void {
    this.requests.push(message);
    const handler = this.handlers.get(message.type as string);
    try {
      if (!handler) throw new Refusal("bad_request");
      const reply = handler(message, connection);
      if (reply !== SILENT) connection.tell({ re: message.id, ...(reply as Json) });
    } catch (problem) {
      if (!(problem instanceof Refusal)) throw problem;
      connection.tell({ re: message.id, error: problem.error });
    }
  }

  /** The server was restarted: nobody is known any more. */
  restart(): void {
    this.members.clear();
    for (const connection of this.connections) connection.serverClose(1006);
  }

  #join(message: Json, connection: FakeConnection): Json {
    const known = this.members.get(String(message.resume).split(".")[0] ?? "");
    const member = known && known.session === message.resume ? known : this.#admit(message);
    member.connection = connection;
    const others = [...this.members.values()].filter((other) => other !== member);
    const recovers = message.since !== undefined && this.missed !== null;
    return {
      session: member.session,
      participant: member.participant,
      room: { name: message.room, cursor: `c-${this.#offset}` },
      participants: others.map((other) => other.participant),
      recovered: recovers,
      events: recovers ? this.missed : [],
      ice_servers: [{ urls: ["stun:stun.example.org"] }],
      limits: {},
    };
  }

  #admit(message: Json): Member {
    const id = `p-${++this.#people}`;
    const participant = { id, identity: `user-${id}`, name: null, meta: {}, presence: message.presence ?? {}, tracks: [] };
    const member: Member = { id, session: `${id}.secret`, participant, connection: null };
    this.tell({ type: "participant.joined", participant }, true);
    this.members.set(id, member);
    return member;
  }

  #leave(connection: FakeConnection): Json {
    for (const [id, member] of this.members) {
      if (member.connection !== connection) continue;
      this.members.delete(id);
      this.tell({ type: "participant.left", id, reason: "left" }, true);
    }
    queueMicrotask(() => connection.serverClose(1000));
    return {};
  }

  #signal(message: Json, connection: FakeConnection): Json {
    const from = [...this.members.values()].find((member) => member.connection === connection)?.id;
    const to = this.members.get(message.to as string);
    if (!to) throw new Refusal("not_found");
    to.connection?.tell({ type: "signal", from, data: message.data });
    return {};
  }
}

/** A handler that gives no answer. */
export const SILENT = Symbol("no answer");

type Listeners = Record<string, ((event: never) => void)[]>;

/** Both ends of one socket. */
export class FakeConnection implements WebSocketLike {
  readonly #server: FakeServer;
  readonly #listeners: Listeners = {};
  #closed = false;
  /** Nothing passes any more, and nobody is told: a cable was pulled. */
  dead = false;

  constructor(server: FakeServer) {
    this.#server = server;
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    (this.#listeners[type] ??= []).push(listener);
  }

  emit(type: string, event?: unknown): void {
    if (this.dead) return;
    for (const listener of this.#listeners[type] ?? []) listener(event as never);
  }

  send(text: string): void {
    if (this.#closed || this.dead) return;
    queueMicrotask(() => this.#server.handle(JSON.parse(text) as Json, this));
  }

  close(code = 1005): void {
    if (this.#closed) return;
    this.#closed = true;
    queueMicrotask(() => this.emit("close", { code, reason: "" }));
  }

  tell(message: Json): void {
    const text = JSON.stringify(message);
    queueMicrotask(() => {
      if (!this.#closed) this.emit("message", { data: text });
    });
  }

  tellRaw(text: string): void {
    this.emit("message", { data: text });
  }

  serverClose(code: number, reason = ""): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const member of this.#server.members.values()) {
      if (member.connection === this) member.connection = null;
    }
    this.emit("close", { code, reason });
  }
}
