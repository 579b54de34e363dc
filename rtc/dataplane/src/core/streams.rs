//! Which SSRC of a peer is which source: signalled, or learnt from MID, RID and repaired RID (RFC 8843, RFC 8852).

use super::told::Told;
use super::{SourceConfig, SourceId};
use crate::srtp::{ReplayWindow, RocEstimator};

#[cfg(test)]
mod tests;

/// SSRCs of one peer that are remembered. A new one needs an authentic packet; of more, the one bound to nothing or else
/// the oldest is forgotten.
const MAX_STREAMS: usize = 64;

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Unknown,
    Media(SourceId),
    /// Retransmissions of a source's packets (RFC 4588).
    Repair(SourceId),
    /// A source's before it came under another SSRC; what is still under way has no place any more.
    Retired,
}

/// One SSRC's place in SRTP, and its meaning.
#[derive(Clone, Debug)]
pub struct Stream {
    pub ssrc: u32,
    pub roc: RocEstimator,
    pub window: ReplayWindow,
    pub role: Role,
}

impl Stream {
    pub fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            roc: RocEstimator::default(),
            window: ReplayWindow::default(),
            role: Role::Unknown,
        }
    }

    pub fn accept(&mut self, index: u64) {
        self.roc.update(index);
        self.window.accept(index);
    }
}

#[derive(Clone, Debug, Default)]
pub struct Streams {
    streams: Vec<Stream>,
}

impl Streams {
    pub fn position(&self, ssrc: u32) -> Option<usize> {
        self.streams.iter().position(|stream| stream.ssrc == ssrc)
    }

    pub fn at(&mut self, position: usize) -> &mut Stream {
        &mut self.streams[position]
    }

    pub fn role(&self, ssrc: u32) -> Role {
        self.position(ssrc)
            .map_or(Role::Unknown, |at| self.streams[at].role)
    }

    /// Remembers a stream that has sent an authentic packet; answers its position.
    pub fn add(&mut self, stream: Stream) -> usize {
        if self.streams.len() == MAX_STREAMS {
            let unknown = |stream: &Stream| stream.role == Role::Unknown;
            self.streams
                .remove(self.streams.iter().position(unknown).unwrap_or(0));
        }
        self.streams.push(stream);
        self.streams.len() - 1
    }

    /// The stream at `position` carries the source from now on.
    pub fn assign(&mut self, position: usize, role: Role) {
        for stream in &mut self.streams {
            if stream.role == role && matches!(role, Role::Media(_)) {
                stream.role = Role::Retired;
            }
        }
        self.streams[position].role = role;
    }

    /// The source is gone; its SSRCs may come to mean another.
    pub fn forget(&mut self, source: SourceId) {
        for stream in &mut self.streams {
            if matches!(stream.role, Role::Media(id) | Role::Repair(id) if id == source) {
                stream.role = Role::Unknown;
            }
        }
    }
}

/// What is known of a source when a packet of an unknown SSRC comes.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub id: SourceId,
    pub config: &'a SourceConfig,
    /// It has an SSRC already.
    pub bound: bool,
}

impl Candidate<'_> {
    fn has_payload(&self, payload_type: u8) -> bool {
        self.config
            .payloads
            .iter()
            .any(|payload| payload.pt == payload_type)
    }

    fn has_repair(&self, payload_type: u8) -> bool {
        let repair = Some(payload_type);
        self.config
            .payloads
            .iter()
            .any(|payload| payload.rtx_pt == repair)
    }

    fn is_of(&self, mid: Option<&str>) -> bool {
        mid.is_none_or(|mid| self.config.mid == mid)
    }
}

/// Finds the source of a packet, the surest sign first: its SSRC was signalled, it names MID and RID, or only one
/// source can have such a payload type (RFC 8843 section 9.2).
pub fn find_role<'a>(
    candidates: impl Iterator<Item = Candidate<'a>> + Clone,
    ssrc: u32,
    payload_type: u8,
    told: &Told<'_>,
) -> Role {
    for candidate in candidates.clone() {
        if candidate.config.ssrc == Some(ssrc) {
            return Role::Media(candidate.id);
        }
        if candidate.config.rtx_ssrc == Some(ssrc) {
            return Role::Repair(candidate.id);
        }
    }
    if let Some(rid) = told.repaired_rid.or(told.rid) {
        let named = candidates
            .clone()
            .find(|one| one.is_of(told.mid) && one.config.rid.as_deref() == Some(rid));
        return match named {
            Some(one) if told.repaired_rid.is_some() => Role::Repair(one.id),
            Some(one) => Role::Media(one.id),
            None => Role::Unknown,
        };
    }
    if let Some(mid) = told.mid {
        return only(
            candidates.filter(|one| one.config.mid == mid),
            payload_type,
            true,
        );
    }
    only(candidates, payload_type, false)
}

/// The one among `candidates` that sends this payload type, if it is one; of several, the one without an SSRC.
fn only<'a>(
    candidates: impl Iterator<Item = Candidate<'a>> + Clone,
    payload_type: u8,
    may_rebind: bool,
) -> Role {
    let media = candidates
        .clone()
        .filter(|one| one.has_payload(payload_type));
    if let Some(id) = single(media.clone().filter(|one| !one.bound)) {
        return Role::Media(id);
    }
    // A new SSRC with the section's name replaces the one before.
    if let Some(id) = single(media).filter(|_| may_rebind) {
        return Role::Media(id);
    }
    let repair = candidates.filter(|one| one.has_repair(payload_type));
    single(repair).map_or(Role::Unknown, Role::Repair)
}

fn single<'a>(mut candidates: impl Iterator<Item = Candidate<'a>>) -> Option<SourceId> {
    let first = candidates.next()?;
    candidates.next().is_none().then_some(first.id)
}
