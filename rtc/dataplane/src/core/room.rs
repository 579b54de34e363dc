//! A room: its transports, and who speaks in it.

use std::time::Instant;

use super::deadlines::Who;
use super::hash::FastMap;
use super::speakers::{Loudness, Speakers};
use super::{Event, Plane, RoomId, SourceId, SpeakerConfig, TransportId};

#[derive(Debug)]
pub struct Room {
    pub transports: Vec<TransportId>,
    /// Sources that told how loud they are, for as long as they exist.
    pub voices: FastMap<SourceId, Loudness>,
    speakers: Speakers,
}

impl Room {
    pub fn new(speakers: SpeakerConfig) -> Self {
        Self {
            transports: Vec::new(),
            voices: FastMap::default(),
            speakers: Speakers::new(speakers),
        }
    }
}

impl Plane {
    pub(super) fn hear(&mut self, now: Instant, id: RoomId, source: SourceId, level_dbov: u8) {
        let Some(room) = self.rooms.get_mut(&id) else {
            return;
        };
        let voice = room
            .voices
            .entry(source)
            .or_insert_with(|| Loudness::new(now));
        voice.hear(now, level_dbov);
        if voice.is_speaking() || !room.speakers.is_quiet() {
            self.deadlines
                .ask(Who::Room(id), room.speakers.deadline(now));
        }
    }

    pub(super) fn rank_speakers(&mut self, now: Instant, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else {
            return;
        };
        let voices = room
            .voices
            .iter_mut()
            .map(|(source, voice)| (*source, voice));
        if let Some(levels) = room.speakers.rank(now, voices) {
            self.events.push(Event::Speakers { room: id, levels });
        }
        if !room.speakers.is_quiet() {
            self.deadlines
                .ask(Who::Room(id), room.speakers.deadline(now));
        }
    }
}
