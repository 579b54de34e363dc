//! The last packets of one source, decrypted: what is being forwarded now, and what receivers may ask for again.
//!
//! Two rings, one of slots and one of bytes. Both start small and double rather than overwrite what came within a second.
//! When they may not grow any more, the newest packet overwrites the oldest.

use super::Kind;
use super::packet::Packet;
use super::time::Micros;

#[cfg(test)]
mod tests;

/// How much one source may keep. All are powers of two.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub first_packets: usize,
    pub packets: usize,
    pub first_bytes: usize,
    pub bytes: usize,
}

impl Limits {
    /// 4 Mbit/s of video for a second, 100 audio packets a second of up to 256 bytes.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Video => Self {
                first_packets: 64,
                packets: 1024,
                first_bytes: 32 << 10,
                bytes: 512 << 10,
            },
            Kind::Audio => Self {
                first_packets: 32,
                packets: 128,
                first_bytes: 4 << 10,
                bytes: 32 << 10,
            },
        }
    }
}

/// A receiver asks again for about a second; after that it wants a keyframe.
const WORTH_KEEPING: Micros = 1_000_000;

#[derive(Clone, Copy, Debug)]
struct Slot {
    packet: Packet,
    /// Where the bytes begin in the endless row whose end the ring holds.
    at: u64,
    extensions: u16,
    len: u16,
}

/// A packet with its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Cached<'a> {
    pub packet: &'a Packet,
    /// Header extensions to pass on: kind, length, value, and so on.
    pub extensions: &'a [u8],
    /// Without padding; empty where there was nothing else.
    pub payload: &'a [u8],
}

#[derive(Debug)]
pub struct Cache {
    limits: Limits,
    slots: Vec<Option<Slot>>,
    ring: Vec<u8>,
    /// When the ring was last begun from the front.
    ring_turned: Option<Micros>,
    end: u64,
}

impl Cache {
    /// Takes no memory before the first packet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: Vec::new(),
            ring: Vec::new(),
            ring_turned: None,
            end: 0,
        }
    }

    pub fn get(&self, sequence: u64) -> Option<Cached<'_>> {
        let slot = self.slots.get(self.index(sequence))?.as_ref()?;
        if slot.packet.sequence != sequence || !self.holds(slot) {
            return None;
        }
        let start = self.offset(slot.at);
        let bytes = &self.ring[start..start + usize::from(slot.len)];
        let (extensions, payload) = bytes.split_at(usize::from(slot.extensions));
        Some(Cached {
            packet: &slot.packet,
            extensions,
            payload,
        })
    }

    /// Answers false for what is too old or too long to be kept.
    pub fn insert(&mut self, packet: Packet, extensions: &[u8], payload: &[u8]) -> bool {
        let len = extensions.len() + payload.len();
        let Ok(short) = u16::try_from(len) else {
            return false;
        };
        if len > self.limits.bytes {
            return false;
        }
        self.make_slots(packet.sequence, packet.arrival);
        let index = self.index(packet.sequence);
        let newer = |slot: &Slot| slot.packet.sequence > packet.sequence;
        if self.slots[index].as_ref().is_some_and(newer) {
            return false;
        }
        let at = self.reserve(len, packet.arrival);
        let start = self.offset(at);
        self.ring[start..start + extensions.len()].copy_from_slice(extensions);
        self.ring[start + extensions.len()..start + len].copy_from_slice(payload);
        self.slots[index] = Some(Slot {
            packet,
            at,
            extensions: extensions.len() as u16,
            len: short,
        });
        true
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> usize {
        self.ring.len() + self.slots.len() * size_of::<Option<Slot>>()
    }

    fn index(&self, sequence: u64) -> usize {
        sequence as usize & self.slots.len().wrapping_sub(1)
    }

    fn offset(&self, at: u64) -> usize {
        at as usize & (self.ring.len() - 1)
    }

    fn holds(&self, slot: &Slot) -> bool {
        slot.at + self.ring.len() as u64 >= self.end
    }

    fn make_slots(&mut self, sequence: u64, now: Micros) {
        if self.slots.is_empty() {
            self.slots = vec![None; self.limits.first_packets];
        }
        while self.slots.len() < self.limits.packets && self.overwrites_young(sequence, now) {
            self.grow_slots();
        }
    }

    fn overwrites_young(&self, sequence: u64, now: Micros) -> bool {
        let young = |slot: &Slot| {
            slot.packet.sequence < sequence && is_lively(Some(slot.packet.arrival), now)
        };
        self.slots[self.index(sequence)].as_ref().is_some_and(young)
    }

    fn grow_slots(&mut self) {
        let larger = vec![None; self.slots.len() * 2];
        for slot in std::mem::replace(&mut self.slots, larger)
            .into_iter()
            .flatten()
        {
            let index = self.index(slot.packet.sequence);
            self.slots[index] = Some(slot);
        }
    }

    /// Room for `len` bytes in one piece, at the end of the row.
    fn reserve(&mut self, len: usize, now: Micros) -> u64 {
        if self.ring.is_empty() {
            self.ring = vec![0; self.limits.first_bytes];
            self.ring_turned = Some(now);
        }
        let mut at = self.end;
        let room = self.ring.len() - self.offset(at);
        if len > room {
            at += room as u64;
            let lively = is_lively(self.ring_turned.replace(now), now) || len > self.ring.len();
            if lively && self.ring.len() < self.limits.bytes {
                self.grow_ring();
                return self.reserve(len, now);
            }
        }
        self.end = at + len as u64;
        at
    }

    fn grow_ring(&mut self) {
        let oldest = self.end.saturating_sub(self.ring.len() as u64);
        for slot in &mut self.slots {
            slot.take_if(|slot| slot.at < oldest);
        }
        let larger = vec![0; self.ring.len() * 2];
        let old = std::mem::replace(&mut self.ring, larger);
        let mut slots: Vec<&mut Slot> = self.slots.iter_mut().flatten().collect();
        slots.sort_unstable_by_key(|slot| slot.at);
        self.end = 0;
        for slot in slots {
            let start = slot.at as usize & (old.len() - 1);
            let (end, len) = (self.end as usize, usize::from(slot.len));
            self.ring[end..end + len].copy_from_slice(&old[start..start + len]);
            slot.at = self.end;
            self.end += len as u64;
        }
    }
}

fn is_lively(since: Option<Micros>, now: Micros) -> bool {
    since.is_some_and(|since| now - since < WORTH_KEEPING)
}
