export {
  useLevel,
  useLocalTracks,
  useMediaState,
  useParticipant,
  useParticipants,
  useRoomState,
} from "./use_people.js";
export { useRoom, type RoomHandle, type RoomStatus, type UseRoomOptions } from "./use_room.js";
export { useWatched } from "./use_watched.js";
export { useChat, type ChatHandle } from "./use_chat.js";
export { usePresence, useTyping } from "./use_presence.js";
export {
  useEventStream,
  useTokenStream,
  type EventStreamHandle,
  type TokenStreamHandle,
  type UseEventStreamOptions,
} from "./use_streams.js";
