import type { LocalTrack, Room } from "@hubbub/client";

export type Source = "camera" | "microphone" | "screen" | "screen_audio";

/** How one's own media reaches the others: through the server, or straight to each of them. */
export interface Road {
  /** Send this, from now on; null keeps the others waiting for more. */
  send(source: Source, track: MediaStreamTrack | null): Promise<void>;
  mute(source: Source, muted: boolean): Promise<void>;
  /** Others are told that there is no more. */
  withdraw(source: Source): Promise<void>;
  close(): void;
}

/** Through the server: one upload, whoever is in the room. */
export class Relay implements Road {
  readonly #room: Room;
  readonly #tracks = new Map<Source, LocalTrack>();

  constructor(room: Room) {
    this.#room = room;
  }

  async send(source: Source, track: MediaStreamTrack | null): Promise<void> {
    const published = this.#tracks.get(source);
    if (published) {
      await this.#room.replaceTrack(published, track);
      await this.#room.mute(published, track === null);
    } else if (track) {
      this.#tracks.set(source, await this.#room.publish(track, { source }));
    }
  }

  async mute(source: Source, muted: boolean): Promise<void> {
    const published = this.#tracks.get(source);
    if (published) await this.#room.mute(published, muted);
  }

  async withdraw(source: Source): Promise<void> {
    const published = this.#tracks.get(source);
    this.#tracks.delete(source);
    if (published) await this.#room.unpublish(published);
  }

  close(): void {
    this.#tracks.clear();
  }
}
