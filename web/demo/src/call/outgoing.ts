import { HubbubError, type Room } from "@hubbub/client";
import type { LocalMedia } from "../media/local_media.js";
import { explain, type Device } from "../media/problems.js";
import type { Road } from "../media/road.js";

export interface OutgoingState {
  readonly muted: boolean;
  readonly cameraOn: boolean;
  readonly screen: MediaStreamTrack | null;
  /** Why the last wish could not be met, in plain words. */
  readonly problem: string | null;
}

/** Puts into words for presence what is sent. */
export type Described = (state: OutgoingState) => Readonly<Record<string, unknown>>;

/** What a participant sends in a call, and the switches for it. */
export class Outgoing {
  readonly #room: Room;
  readonly #road: Road;
  readonly #media: LocalMedia;
  /** In calls without the server it is presence that tells the others of mutes. */
  readonly #presence: Described | null;
  readonly #listeners = new Set<() => void>();
  #started = false;
  #state: OutgoingState = { muted: true, cameraOn: false, screen: null, problem: null };

  constructor(room: Room, road: Road, media: LocalMedia, presence: Described | null) {
    this.#room = room;
    this.#road = road;
    this.#media = media;
    this.#presence = presence;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly state = (): OutgoingState => this.#state;

  /** Send what the lobby has switched on. */
  async start(): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    const { camera, microphone } = this.#media.state();
    this.#update({ muted: !microphone.track, cameraOn: camera.track !== null });
    await this.#attempt(async () => {
      // Together, so that both go into one offer.
      await Promise.all([
        microphone.track && this.#road.send("microphone", microphone.track),
        camera.track && this.#road.send("camera", camera.track),
      ]);
    });
  }

  toggleMicrophone = (): Promise<void> =>
    this.#attempt(async () => {
      if (!this.#media.state().microphone.track) return this.#startDevice("microphone");
      const muted = !this.#state.muted;
      this.#update({ muted });
      await this.#road.mute("microphone", muted);
    });

  toggleCamera = (): Promise<void> =>
    this.#attempt(async () => {
      if (!this.#state.cameraOn) return this.#startDevice("camera");
      // Stopped, not only muted: the light beside the lens goes out.
      this.#media.stop("camera");
      this.#update({ cameraOn: false });
      await this.#road.send("camera", null);
    });

  chooseDevice = (device: Device, deviceId: string): Promise<void> =>
    this.#attempt(() => this.#startDevice(device, deviceId));

  toggleScreen = (): Promise<void> => this.#attempt(() => (this.#state.screen ? this.#stopScreen() : this.#shareScreen()));

  forgetProblem = (): void => this.#update({ problem: null });

  close(): void {
    this.#state.screen?.stop();
    this.#road.close();
    this.#media.close();
  }

  async #startDevice(device: Device, deviceId?: string): Promise<void> {
    const track = await this.#media.start(device, deviceId);
    if (!track) {
      const { problem } = this.#media.state()[device];
      this.#update({ problem: explain(device, problem ?? "failed") });
      return;
    }
    this.#update(device === "camera" ? { cameraOn: true } : { muted: false });
    await this.#road.send(device, track);
  }

  async #shareScreen(): Promise<void> {
    const stream = await chooseScreen();
    const [screen] = stream?.getVideoTracks() ?? [];
    const [sound] = stream?.getAudioTracks() ?? [];
    if (!screen) return;
    screen.contentHint = "detail";
    // The browser has a button of its own for this.
    screen.addEventListener("ended", () => void this.#attempt(() => this.#stopScreen()));
    this.#update({ screen });
    await Promise.all([this.#road.send("screen", screen), sound && this.#road.send("screen_audio", sound)]);
  }

  async #stopScreen(): Promise<void> {
    this.#state.screen?.stop();
    this.#update({ screen: null });
    await this.#road.withdraw("screen_audio");
    await this.#road.withdraw("screen");
  }

  async #attempt(wish: () => Promise<void>): Promise<void> {
    try {
      await wish();
    } catch (problem) {
      const error = HubbubError.from(problem, "media");
      // Whoever leaves wants no more of it.
      if (error.reason !== "closed") this.#update({ problem: sentence(error) });
    }
  }

  #update(change: Partial<OutgoingState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
    if (this.#presence) this.#room.presence.update(this.#presence(this.#state));
  }
}

/** Null when the choice was cancelled, or is not allowed: the browser has said so itself. */
async function chooseScreen(): Promise<MediaStream | null> {
  try {
    return await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: true });
  } catch (problem) {
    if (problem instanceof DOMException && problem.name === "NotAllowedError") return null;
    throw problem;
  }
}

function sentence(error: HubbubError): string {
  if (error.reason === "forbidden") return "You may watch and listen in this room, but not send.";
  return `That did not work: ${error.message}.`;
}
