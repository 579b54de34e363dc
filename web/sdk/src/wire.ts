/**
 * The messages of the room WebSocket (protocol section 3), as decoders and as types.
 *
 * Field names are the wire's. Everything else in this library is built from these types.
 */

import { wireError } from "./errors.js";
import {
  anything,
  array,
  boolean,
  DecodeError,
  integer,
  literal,
  nullable,
  number,
  object,
  record,
  string,
  withDefault,
  type Decoder,
  type Infer,
} from "./schema.js";

export const kind = literal("audio", "video");
export type Kind = Infer<typeof kind>;

export const track = object({
  id: string,
  kind,
  source: string,
  name: nullable(string),
  muted: withDefault(boolean, false),
  simulcast: withDefault(boolean, false),
});
export type WireTrack = Infer<typeof track>;

export const participant = object({
  id: string,
  identity: string,
  name: nullable(string),
  meta: withDefault(record(anything), {}),
  presence: withDefault(record(anything), {}),
  tracks: withDefault(array(track), []),
});
export type WireParticipant = Infer<typeof participant>;

/** Who said it: kept with the message, since the participant may be long gone. */
export const sender = object({ id: string, identity: string, name: nullable(string) });
export type Sender = Infer<typeof sender>;

export const chatMessage = object({
  offset: integer,
  at_ms: integer,
  from: sender,
  text: string,
  data: anything,
  to: nullable(array(string)),
  /** The last edit: when, and by which identity. */
  edited: nullable(object({ at_ms: integer, by: string })),
  deleted: withDefault(boolean, false),
  /** Identities by reaction. */
  reactions: withDefault(record(array(string)), {}),
});
export type WireChatMessage = Infer<typeof chatMessage>;

export const iceServer = object({
  urls: (value: unknown, path: string): string[] =>
    typeof value === "string" ? [value] : [...array(string)(value, path)],
  username: nullable(string),
  credential: nullable(string),
});
export type WireIceServer = Infer<typeof iceServer>;

const cursor = nullable(string);

/** Decoders of every event by its `type`. Logged events carry a `cursor`. */
const EVENTS = {
  "participant.joined": object({ participant, cursor }),
  "participant.left": object({ id: string, reason: nullable(string), cursor }),
  "participant.updated": object({ participant }),
  "track.published": object({ participant: string, track, cursor }),
  "track.updated": object({ participant: string, track }),
  "track.unpublished": object({ participant: string, track: reference, cursor }),
  slot: object({
    mid: string,
    participant: nullable(string),
    track: nullable(string),
    layer: nullable(integer),
    paused: withDefault(boolean, false),
  }),
  speakers: object({ levels: array(object({ participant: string, level: number, speaking: boolean })) }),
  presence: object({ participant: string, state: withDefault(record(anything), {}) }),
  chat: object({ message: chatMessage, cursor }),
  "chat.edited": object({ message: chatMessage, by: sender, offset: nullable(integer), cursor }),
  "chat.deleted": object({ message: chatMessage, by: sender, offset: nullable(integer), cursor }),
  "chat.reaction": object({
    message: object({ offset: integer }),
    reaction: string,
    on: boolean,
    from: sender,
    offset: nullable(integer),
    cursor,
  }),
  "chat.read": object({ identity: string, offset: integer }),
  event: object({ name: string, data: anything, from: sender, offset: nullable(integer), cursor }),
  signal: object({ from: reference, data: anything }),
  recording: object({ id: string, state: string, cursor }),
  quality: object({ participant: string, score: number }),
  "room.closed": object({}),
  "server.draining": object({ deadline_ms: integer }),
} as const;

export type EventType = keyof typeof EVENTS;
export type EventOf<T extends EventType> = { readonly type: T } & Infer<(typeof EVENTS)[T]>;
export type ServerEvent = { [T in EventType]: EventOf<T> }[EventType];

export const joinReply = object({
  session: string,
  participant,
  room: object({ name: string, cursor }),
  participants: array(participant),
  recovered: withDefault(boolean, false),
  events: withDefault(array(anything), []),
  ice_servers: withDefault(array(iceServer), []),
  limits: withDefault(record(anything), {}),
});
export type JoinReply = Infer<typeof joinReply>;

export const mediaAnswer = object({
  sdp: string,
  slots: array(object({ mid: string, kind })),
  tracks: record(string),
});
export type MediaAnswer = Infer<typeof mediaAnswer>;

const nothing = object({});
const stored = object({ offset: integer, at_ms: integer });

/** Decoders of every reply by the `type` of its request. */
export const REPLIES = {
  join: joinReply,
  leave: nothing,
  ping: object({ at_ms: integer }),
  "auth.refresh": nothing,
  "presence.set": nothing,
  "chat.send": stored,
  "chat.history": object({ messages: array(chatMessage), more: boolean }),
  "chat.edit": stored,
  "chat.delete": stored,
  "chat.react": stored,
  "chat.read": object({ offset: nullable(integer) }),
  "event.send": object({ offset: nullable(integer) }),
  signal: nothing,
  "media.offer": mediaAnswer,
  "media.subscribe": nothing,
  "media.unsubscribe": nothing,
  "media.policy": nothing,
  "media.mute": nothing,
} as const;

export type RequestType = keyof typeof REPLIES;
export type ReplyOf<T extends RequestType> = Infer<(typeof REPLIES)[T]>;

export interface PublishedSection {
  readonly source: string;
  readonly name?: string;
  readonly muted?: boolean;
}

/** The fields of every request by its `type`. */
export interface RequestFields {
  join: { room: string; presence?: object; since?: string; resume?: string };
  leave: object;
  ping: object;
  "auth.refresh": { token: string };
  "presence.set": { state: object; ttl_ms?: number };
  "chat.send": { text: string; data?: unknown; to?: readonly string[]; key?: string };
  "chat.history": { before?: number; limit?: number };
  "chat.edit": { offset: number; text: string; data?: unknown };
  "chat.delete": { offset: number };
  "chat.react": { offset: number; reaction: string; on: boolean };
  "chat.read": { offset?: number };
  "event.send": { name: string; data: unknown; to?: readonly string[]; keep?: boolean };
  signal: { to: string; data: unknown };
  "media.offer": { sdp: string; tracks: Readonly<Record<string, PublishedSection>> };
  "media.subscribe": {
    mid: string;
    track: string;
    max_height?: number;
    max_fps?: number;
    priority?: number;
  };
  "media.unsubscribe": { mid: string };
  "media.policy": { mode: "auto" | "manual" };
  "media.mute": { track: string; muted: boolean };
}

/** What one text frame of the server is. */
export type Frame =
  | { readonly is: "reply"; readonly re: number; readonly body: unknown }
  | { readonly is: "refusal"; readonly re: number; readonly error: Infer<typeof wireError> }
  | { readonly is: "event"; readonly event: ServerEvent }
  /** An event of a later protocol version. */
  | { readonly is: "unknown"; readonly type: string };

const frame = object({ re: nullable(integer), error: anything, type: nullable(string) });

/** Throws DecodeError or SyntaxError where the frame is not of this protocol. */
export function decodeFrame(text: string): Frame {
  const value: unknown = JSON.parse(text);
  const { re, error, type } = frame(value, "");
  if (re !== null) {
    return error === undefined
      ? { is: "reply", re, body: value }
      : { is: "refusal", re, error: wireError(error, "error") };
  }
  if (type === null) throw new DecodeError("type", "a string where there is no `re`");
  const event = decodeEvent(value, type);
  return event ? { is: "event", event } : { is: "unknown", type };
}

/** An event that stands alone or in the `events` of a join reply; null when its type is not known here. */
export function decodeEvent(value: unknown, type = eventType(value)): ServerEvent | null {
  if (!isEventType(type)) return null;
  const decode: Decoder<object> = EVENTS[type];
  return { type, ...decode(value, type) } as ServerEvent;
}

export function isEventType(type: string): type is EventType {
  return Object.hasOwn(EVENTS, type);
}

function eventType(value: unknown): string {
  return object({ type: string })(value, "event").type;
}

/** Something by its id alone, or by an object that has one. */
function reference(value: unknown, path: string): string {
  return typeof value === "string" ? value : object({ id: string })(value, path).id;
}
