import type { EventOf, JoinReply, Kind, ServerEvent, WireParticipant, WireTrack } from "./wire.js";

/** A published track, and the slot that carries it here, if one does. Replaced when anything in it changes. */
export interface TrackView {
  readonly id: string;
  readonly participant: string;
  readonly kind: Kind;
  readonly source: string;
  readonly name: string | null;
  readonly muted: boolean;
  readonly simulcast: boolean;
  /** The slot's mid; null while the track is not received. */
  readonly mid: string | null;
  /** Index of the simulcast layer that is received, 0 the smallest. */
  readonly layer: number | null;
  /** The server holds it back, by a mute or for want of bandwidth. */
  readonly paused: boolean;
  readonly media: MediaStreamTrack | null;
}

/** A participant as it is now. Replaced when anything in it changes, so that it can be compared by identity. */
export interface ParticipantView {
  readonly id: string;
  readonly identity: string;
  readonly name: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly presence: Readonly<Record<string, unknown>>;
  readonly tracks: readonly TrackView[];
  readonly speaking: boolean;
  /** Connection quality, 0 (lost) to 5 (excellent); null before the server has an opinion. */
  readonly quality: number | null;
  readonly local: boolean;
}

export type Change =
  | { readonly is: "joined"; readonly participant: ParticipantView }
  | { readonly is: "left"; readonly participant: ParticipantView; readonly reason: string | null }
  | { readonly is: "updated"; readonly participant: ParticipantView }
  | { readonly is: "published" | "changed" | "unpublished"; readonly participant: ParticipantView; readonly track: TrackView }
  | { readonly is: "received" | "lost"; readonly participant: ParticipantView; readonly track: TrackView };

interface Person {
  wire: WireParticipant;
  tracks: Map<string, WireTrack>;
  presence: Readonly<Record<string, unknown>>;
  speaking: boolean;
  quality: number | null;
  view: ParticipantView;
}

interface Slot {
  track: string | null;
  layer: number | null;
  paused: boolean;
  media: MediaStreamTrack | null;
}

/** Who is in the room, what they publish and which slot carries what: the fold of the server's events. */
export class Roster {
  readonly #people = new Map<string, Person>();
  readonly #slots = new Map<string, Slot>();
  #localId = "";
  #all: readonly ParticipantView[] | null = null;

  get local(): ParticipantView {
    const person = this.#people.get(this.#localId);
    if (!person) throw new Error("the roster is empty before the first join");
    return person.view;
  }

  /** Everybody, oneself first. The same array until something changes. */
  get all(): readonly ParticipantView[] {
    this.#all ??= [...this.#people.values()].map((person) => person.view);
    return this.#all;
  }

  find(id: string): ParticipantView | null {
    return this.#people.get(id)?.view ?? null;
  }

  track(id: string): TrackView | null {
    for (const { view } of this.#people.values()) {
      const found = view.tracks.find((track) => track.id === id);
      if (found) return found;
    }
    return null;
  }

  /** The whole state, as a join reply has it, told as the difference to what was known. */
  reset(reply: JoinReply, resumed: boolean): Change[] {
    if (!resumed) this.#slots.clear();
    const local = { ...reply.participant, tracks: resumed ? this.#tracksOf(this.#localId) : [] };
    const others = reply.participants.filter((other) => other.id !== reply.participant.id);
    const present = new Set([reply.participant.id, ...others.map((other) => other.id)]);
    const gone = [...this.#people.keys()].filter((id) => !present.has(id));
    const changes = gone.flatMap((id) => (id === this.#localId ? this.#forget(id) : this.#left(id, null)));
    this.#localId = reply.participant.id;
    return [...changes, ...this.#replace(local).filter(isNews), ...others.flatMap((other) => this.#replace(other))];
  }

  apply(event: ServerEvent): Change[] {
    switch (event.type) {
      case "participant.joined":
        return this.#replace(event.participant);
      case "participant.left":
        return this.#left(event.id, event.reason);
      case "participant.updated":
        return this.#updated(event.participant);
      case "track.published":
      case "track.updated":
        return this.#setTrack(event.participant, event.track);
      case "track.unpublished":
        return this.#dropTrack(event.participant, event.track);
      case "slot":
        return this.#setSlot(event);
      case "presence":
        return this.#alter(event.participant, (person) => (person.presence = event.state));
      case "quality":
        return this.#alter(event.participant, (person) => (person.quality = event.score));
      case "speakers":
        return this.#setSpeakers(event.levels);
      default:
        return [];
    }
  }

  /** The media of a slot; null when the connection that it belonged to is gone. */
  attach(mid: string, media: MediaStreamTrack | null): Change[] {
    const slot = this.#slot(mid);
    if (slot.media === media) return [];
    return this.#around(slot.track, () => (slot.media = media));
  }

  /** All slots are gone, with the connection that they were of. */
  detachAll(): Change[] {
    return [...this.#slots].flatMap(([mid, slot]) => this.#around(slot.track, () => this.#slots.delete(mid)));
  }

  #replace(wire: WireParticipant): Change[] {
    const known = this.#people.get(wire.id);
    if (!known) {
      const person = this.#newPerson(wire);
      this.#people.set(wire.id, person);
      this.#orderLocalFirst();
      this.#all = null;
      return [
        { is: "joined", participant: person.view },
        ...person.view.tracks.flatMap((track) => published(person.view, track)),
      ];
    }
    known.wire = wire;
    known.presence = wire.presence;
    const gone = [...known.tracks.keys()].filter((id) => !wire.tracks.some((track) => track.id === id));
    return [
      ...gone.flatMap((id) => this.#dropTrack(wire.id, id)),
      ...wire.tracks.flatMap((track) => this.#setTrack(wire.id, track)),
      ...this.#alter(wire.id, () => undefined),
    ];
  }

  #updated(wire: WireParticipant): Change[] {
    // Tracks and presence have events of their own; this one may come without them.
    return this.#alter(wire.id, (person) => (person.wire = wire));
  }

  #left(id: string, reason: string | null): Change[] {
    const person = this.#people.get(id);
    if (!person) return [];
    const lost = [...person.tracks.keys()].flatMap((track) => this.#dropTrack(id, track));
    this.#forget(id);
    return [...lost, { is: "left", participant: person.view, reason }];
  }

  #forget(id: string): Change[] {
    this.#people.delete(id);
    this.#all = null;
    return [];
  }

  #setTrack(id: string, track: WireTrack): Change[] {
    const person = this.#people.get(id);
    if (!person) return [];
    const before = person.view.tracks.find((view) => view.id === track.id);
    person.tracks.set(track.id, track);
    this.#refresh(person);
    const after = person.view.tracks.find((view) => view.id === track.id);
    if (!after || after === before) return [];
    return before ? [{ is: "changed", participant: person.view, track: after }] : published(person.view, after);
  }

  #dropTrack(id: string, trackId: string): Change[] {
    const person = this.#people.get(id);
    const track = person?.view.tracks.find((view) => view.id === trackId);
    if (!person || !track) return [];
    person.tracks.delete(trackId);
    this.#refresh(person);
    const lost: Change[] = track.media ? [{ is: "lost", participant: person.view, track }] : [];
    return [...lost, { is: "unpublished", participant: person.view, track }];
  }

  #setSlot(event: EventOf<"slot">): Change[] {
    const slot = this.#slot(event.mid);
    const { track: before } = slot;
    const emptied = before === event.track ? [] : this.#around(before, () => (slot.track = null));
    const filled = this.#around(event.track, () => {
      slot.track = event.track;
      slot.layer = event.layer;
      slot.paused = event.paused;
    });
    return [...emptied, ...filled];
  }

  #setSpeakers(levels: EventOf<"speakers">["levels"]): Change[] {
    const speaking = new Set(levels.filter((level) => level.speaking).map((level) => level.participant));
    return [...this.#people.values()]
      .filter((person) => person.speaking !== speaking.has(person.wire.id))
      .flatMap((person) => this.#alter(person.wire.id, () => (person.speaking = speaking.has(person.wire.id))));
  }

  #alter(id: string, alter: (person: Person) => void): Change[] {
    const person = this.#people.get(id);
    if (!person) return [];
    alter(person);
    this.#refresh(person);
    return [{ is: "updated", participant: person.view }];
  }

  /** Run `alter` on a slot and tell what it means for the track in it. */
  #around(trackId: string | null, alter: () => void): Change[] {
    const before = trackId === null ? null : this.track(trackId);
    alter();
    const person = before && this.#people.get(before.participant);
    if (!person) return [];
    this.#refresh(person);
    const after = person.view.tracks.find((view) => view.id === trackId);
    if (!after || after === before) return [];
    const is = !before.media && after.media ? "received" : before.media && !after.media ? "lost" : "changed";
    return [{ is, participant: person.view, track: is === "lost" ? before : after }];
  }

  #slot(mid: string): Slot {
    const slot = this.#slots.get(mid) ?? { track: null, layer: null, paused: false, media: null };
    this.#slots.set(mid, slot);
    return slot;
  }

  #newPerson(wire: WireParticipant): Person {
    const tracks = new Map(wire.tracks.map((track) => [track.id, track]));
    const person = { wire, tracks, presence: wire.presence, speaking: false, quality: null };
    return { ...person, view: this.#viewOf(person, []) };
  }

  #refresh(person: Person): void {
    person.view = this.#viewOf(person, person.view.tracks);
    this.#all = null;
  }

  #viewOf(person: Omit<Person, "view">, before: readonly TrackView[]): ParticipantView {
    const { id, identity, name, meta } = person.wire;
    const tracks = [...person.tracks.values()].map((track) => {
      const view = this.#trackView(id, track);
      return before.find((old) => sameTrack(old, view)) ?? view;
    });
    const { presence, speaking, quality } = person;
    return { id, identity, name: name ?? identity, meta, presence, tracks, speaking, quality, local: id === this.#localId };
  }

  #trackView(participant: string, track: WireTrack): TrackView {
    const [mid, slot] = [...this.#slots].find(([, slot]) => slot.track === track.id) ?? [null, null];
    return {
      ...track,
      participant,
      mid,
      layer: slot?.layer ?? null,
      paused: slot?.paused ?? false,
      media: slot?.media ?? null,
    };
  }

  #tracksOf(id: string): WireTrack[] {
    return [...(this.#people.get(id)?.tracks.values() ?? [])];
  }

  #orderLocalFirst(): void {
    const local = this.#people.get(this.#localId);
    if (!local || this.#people.keys().next().value === this.#localId) return;
    const others = [...this.#people].filter(([id]) => id !== this.#localId);
    this.#people.clear();
    this.#people.set(this.#localId, local);
    for (const [id, person] of others) this.#people.set(id, person);
  }
}

/** One's own joining is no news to oneself. */
function isNews(change: Change): boolean {
  return change.is !== "joined";
}

function published(participant: ParticipantView, track: TrackView): Change[] {
  const first: Change = { is: "published", participant, track };
  return track.media ? [first, { is: "received", participant, track }] : [first];
}

function sameTrack(a: TrackView, b: TrackView): boolean {
  return (Object.keys(a) as (keyof TrackView)[]).every((key) => a[key] === b[key]);
}
