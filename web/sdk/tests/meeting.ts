import { vi } from "vitest";
import { Room, type RoomOptions } from "../src/room.js";
import type { TokenProvider } from "../src/token.js";
import { FakePeerConnection, answerTo } from "./fake_peer_connection.js";
import { FakeServer } from "./fake_server.js";

/** A fake server and the peer connections that rooms make at it. */
export class Meeting {
  readonly server = new FakeServer();
  readonly peers: FakePeerConnection[] = [];

  constructor() {
    this.server.handlers.set("media.offer", ({ sdp }) => answerTo(sdp as string));
  }

  async join(options: RoomOptions = {}, token: TokenProvider = makeToken()): Promise<Room> {
    return Room.connect("http://server.example", token, this.options(options));
  }

  options(options: RoomOptions = {}): RoomOptions {
    return {
      openWebSocket: this.server.open,
      createHandler: () => {
        const peer = new FakePeerConnection();
        this.peers.push(peer);
        return peer;
      },
      random: () => 0.5,
      ...options,
    };
  }

  get peer(): FakePeerConnection {
    const peer = this.peers[this.peers.length - 1];
    if (!peer) throw new Error("no media connection was made");
    return peer;
  }
}

/** Let everything that waits for nothing but its turn run. */
export async function settle(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

export function makeToken(claims: object = {}): string {
  const body = {
    sub: "ann",
    room: "demo",
    exp: Math.floor(Date.now() / 1000) + 3600,
    grants: ["publish", "subscribe", "chat"],
    ...claims,
  };
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", kid: "k" })}.${part(body)}.signature`;
}

/** A participant with tracks, as the server describes one. */
export function someone(id: string, tracks: object[] = []): Record<string, unknown> {
  return { id, identity: id, name: id.toUpperCase(), meta: {}, presence: {}, tracks };
}

export function video(id: string, more: object = {}): Record<string, unknown> {
  return { id, kind: "video", source: "camera", name: null, muted: false, simulcast: true, ...more };
}
