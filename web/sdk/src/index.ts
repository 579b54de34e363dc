export { Chat, type ChatEvents, type SendOptions } from "./chat/chat.js";
export type { ChatMessage } from "./chat/log.js";
export type { PendingMessage, TextStore } from "./chat/outbox.js";
export { CloseCode, isRetryable, type ErrorCode, type Reason } from "./codes.js";
export { EventStream, type StreamEntry, type StreamEvents, type StreamOptions } from "./events/stream.js";
export {
  TokenStream,
  type TokenStreamEvents,
  type TokenStreamOptions,
  type TokenStreamState,
} from "./events/tokenstream.js";
export { HubbubError } from "./errors.js";
export { BrowserHandler } from "./media/browser.js";
export type { MediaState } from "./media/connection.js";
export type {
  CreateHandler,
  HandlerOptions,
  HandlerState,
  MediaHandler,
  Receiving,
  Sending,
  SendingOptions,
} from "./media/handler.js";
export { LocalTrack, type PublishOptions } from "./media/local_track.js";
export { PeerCall, type PeerCallOptions } from "./peercall.js";
export { Presence } from "./presence.js";
export { Room, type RoomEvent, type RoomEvents, type RoomOptions, type RoomState } from "./room.js";
export type { ParticipantView, TrackView } from "./roster.js";
export { readToken, type TokenClaims, type TokenProvider } from "./token.js";
export type { Sender, ServerEvent, WireIceServer } from "./wire.js";
