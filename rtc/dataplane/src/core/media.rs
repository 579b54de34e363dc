//! RTP from a peer: opened once, given to its source.

use std::time::Instant;

use super::arrivals::FEEDBACK_EVERY;
use super::deadlines::Who;
use super::source::{Arrived, News};
use super::streams::{Candidate, Role, Stream, find_role};
use super::told::Told;
use super::transport::Transport;
use super::{Counters, Event, Plane, SourceId, TransportId};
use crate::srtp::roc;
use crate::wire::extensions::LayersAllocation;
use crate::wire::rtp::Header;

/// Number of the original packet in front of a retransmitted payload (RFC 4588 section 4).
const ORIGINAL_NUMBER: usize = 2;

/// An authentic packet.
struct Opened {
    header: Header,
    /// Bytes of header and payload.
    len: usize,
    index: u64,
    position: usize,
}

impl Plane {
    pub(super) fn take_rtp(&mut self, now: Instant, id: TransportId, data: &mut [u8]) {
        let arrival = self.micros(now);
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let Some(opened) = transport.open(data, &mut self.counters) else {
            return;
        };
        let packet = &data[..opened.len];
        let header = opened.header;
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        let told = Told::read(header.extensions(packet), &transport.incoming, &mut kept);
        if let Some(sequence) = told.transport_sequence
            && transport.arrivals.note(sequence, arrival)
        {
            let at = now + FEEDBACK_EVERY;
            transport.arrivals_ssrc = header.ssrc;
            transport.feedback_at = Some(at);
            self.deadlines.ask(Who::Transport(id), at);
        }
        match header.payload(packet) {
            Ok(payload) => {
                let arrived = Arrived {
                    now,
                    arrival,
                    payload_type: header.payload_type,
                    marker: header.marker,
                    timestamp: header.timestamp,
                    told,
                    kept: &kept,
                    payload,
                    offset: None,
                };
                self.give_to_source(id, &opened, arrived);
            }
            Err(_) => self.counters.drop_rtp_malformed += 1,
        }
        self.kept = kept;
    }

    fn give_to_source(&mut self, id: TransportId, opened: &Opened, mut arrived: Arrived<'_>) {
        let role = self.role(id, opened, &arrived.told);
        let (Role::Media(source_id) | Role::Repair(source_id)) = role else {
            self.counters.drop_rtp_unknown_ssrc += 1;
            return;
        };
        let Some(source) = self.sources.get_mut(&source_id) else {
            return;
        };
        let participant = self.participants.get(&source.config.participant);
        arrived.offset = participant.and_then(|(clock, _)| clock.offset());
        let was_fresh = !source.fresh.is_empty();
        let news = match role {
            Role::Media(_) => source.receive(opened.index, &arrived, &mut self.counters),
            _ => {
                let Some((number, payload)) = arrived.payload.split_first_chunk() else {
                    // Padding, to find out how much the network carries.
                    return;
                };
                debug_assert_eq!(number.len(), ORIGINAL_NUMBER);
                arrived.payload = payload;
                source.repair(u16::from_be_bytes(*number), &arrived, &mut self.counters)
            }
        };
        let Some(news) = news else {
            return;
        };
        if news.fresh && !was_fresh {
            self.batch.sources.push(source_id);
        }
        let is_full = source.is_full();
        self.spread(id, source_id, &arrived, news);
        if is_full {
            self.forward_at_once(arrived.now);
        }
    }

    /// The role of a packet's stream, learnt from this packet if it has to be.
    fn role(&mut self, id: TransportId, opened: &Opened, told: &Told<'_>) -> Role {
        let Some(transport) = self.transports.get_mut(&id) else {
            return Role::Unknown;
        };
        let stream = transport.streams.at(opened.position);
        if stream.role != Role::Unknown {
            return stream.role;
        }
        let sources = &self.sources;
        let candidates = transport.sources.iter().filter_map(|source| {
            let source = sources.get(source)?;
            Some(Candidate {
                id: source.id,
                config: &source.config,
                bound: source.ssrc.is_some(),
            })
        });
        let header = &opened.header;
        let role = find_role(candidates, header.ssrc, header.payload_type, told);
        transport.streams.assign(opened.position, role);
        self.bind(role, header.ssrc);
        role
    }

    fn bind(&mut self, role: Role, ssrc: u32) {
        match role {
            Role::Media(source) => {
                if let Some(source) = self.sources.get_mut(&source) {
                    source.bind(ssrc);
                }
            }
            Role::Repair(source) => {
                if let Some(source) = self.sources.get_mut(&source) {
                    source.rtx_ssrc = Some(ssrc);
                }
            }
            Role::Unknown | Role::Retired => {}
        }
    }

    /// What a packet means to others than its source.
    fn spread(&mut self, id: TransportId, source_id: SourceId, arrived: &Arrived<'_>, news: News) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        if let Some(rtt) = news.answered_after {
            transport.note_rtt(rtt);
        }
        let room = transport.room;
        let mut changed = news.layers;
        if let Some(layers) = arrived.told.layers.and_then(LayersAllocation::parse) {
            changed |= self.allocate(source_id, &layers);
        }
        if news.active {
            self.tell_active(source_id);
        }
        if news.active || news.restarted {
            self.notice(id);
        }
        if news.resized {
            self.tell_size(source_id);
        }
        if changed {
            self.choose_again(arrived.now, source_id);
        }
        if let Some(level) = arrived.told.level
            && self
                .sources
                .get(&source_id)
                .is_some_and(|source| !source.paused)
        {
            self.hear(arrived.now, room, source_id, level.level_dbov);
        }
    }

    /// What a publisher tells of all its encodings. Answers whether one died or is of another size.
    fn allocate(&mut self, source_id: SourceId, layers: &LayersAllocation) -> bool {
        let Some(source) = self.sources.get_mut(&source_id) else {
            return false;
        };
        source.allocation_index = Some(layers.stream);
        let mut changed = false;
        for sibling in self.siblings(source_id) {
            let Some(sibling) = self.sources.get_mut(&sibling) else {
                continue;
            };
            let Some(index) = sibling.allocation_index else {
                continue;
            };
            let is_dead = !layers.is_active(index) && sibling.active && sibling.id != source_id;
            changed |= is_dead && !std::mem::replace(&mut sibling.dead, is_dead);
            let mut news = News::default();
            if let Some(size) = layers.size_of(index) {
                sibling.resize(size, &mut news);
            }
            if news.resized {
                changed = true;
                let sibling = sibling.id;
                self.tell_size(sibling);
            }
        }
        changed
    }

    /// All encodings of a source's track, itself included.
    pub(super) fn siblings(&self, id: SourceId) -> Vec<SourceId> {
        let Some(source) = self.sources.get(&id) else {
            return Vec::new();
        };
        let transport = self.transports.get(&source.transport);
        let of_same = |other: &&SourceId| {
            self.sources
                .get(other)
                .is_some_and(|one| one.config.mid == source.config.mid)
        };
        let all = transport
            .map(|transport| transport.sources.as_slice())
            .unwrap_or_default();
        all.iter().filter(of_same).copied().collect()
    }

    fn tell_active(&mut self, id: SourceId) {
        if let Some(source) = self.sources.get(&id)
            && let (Some(ssrc), Some(codec_key)) = (source.ssrc, source.codec_key)
        {
            self.events.push(Event::SourceActive {
                source: id,
                ssrc,
                codec_key,
            });
        }
    }

    fn tell_size(&mut self, id: SourceId) {
        let size = self.sources.get(&id).and_then(|source| source.size);
        if let Some((width, height)) = size {
            self.events.push(Event::SourceLayer {
                source: id,
                width,
                height,
            });
        }
    }

    /// Look after this transport when the batch is done.
    pub(super) fn notice(&mut self, id: TransportId) {
        if let Some(transport) = self.transports.get_mut(&id)
            && !std::mem::replace(&mut transport.noticed, true)
        {
            self.batch.noticed.push(id);
        }
    }
}

impl Transport {
    /// The cheapest test first: header, replay, and only then the tag.
    fn open(&mut self, data: &mut [u8], counters: &mut Counters) -> Option<Opened> {
        let Some(secure) = &self.secure else {
            counters.drop_no_keys += 1;
            return None;
        };
        let Ok(header) = Header::parse(data) else {
            counters.drop_rtp_malformed += 1;
            return None;
        };
        let known = self.streams.position(header.ssrc);
        let mut unknown = Stream::new(header.ssrc);
        let stream = match known {
            Some(position) => self.streams.at(position),
            None => &mut unknown,
        };
        let index = stream.roc.estimate(header.sequence_number);
        if !stream.window.check(index) {
            counters.drop_srtp_replay += 1;
            return None;
        }
        let opened = secure
            .incoming
            .unprotect_rtp(data, header.payload_offset, roc(index));
        let Ok(len) = opened else {
            counters.drop_srtp_authentication += 1;
            return None;
        };
        stream.accept(index);
        let position = known.unwrap_or_else(|| self.streams.add(unknown));
        Some(Opened {
            header,
            len,
            index,
            position,
        })
    }
}
