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
