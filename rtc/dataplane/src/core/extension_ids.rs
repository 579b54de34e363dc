//! Which header extension has which id in one peer's session. A publisher's id 1 may be audio level and a receiver's id 1
//! MID: an id passed on untranslated has silenced every receiver.

use crate::wire::extensions::ExtensionKind;

/// Of what the peer sends.
#[derive(Clone, Debug)]
pub struct IncomingIds {
    kinds: Box<[ExtensionKind; 256]>,
}

impl IncomingIds {
    pub fn new(ids: &[(u8, ExtensionKind)]) -> Self {
        let mut kinds = Box::new([ExtensionKind::Other; 256]);
        for (id, kind) in ids {
            kinds[usize::from(*id)] = *kind;
        }
        Self { kinds }
    }

    pub fn kind(&self, id: u8) -> ExtensionKind {
        self.kinds[usize::from(id)]
    }
}

/// Of what we send to the peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutgoingIds {
    pub mid: Option<u8>,
    pub transport_sequence: Option<u8>,
    pub abs_send_time: Option<u8>,
    pub audio_level: Option<u8>,
    pub dependency_descriptor: Option<u8>,
    pub video_orientation: Option<u8>,
    pub playout_delay: Option<u8>,
}

impl OutgoingIds {
    pub fn new(ids: &[(u8, ExtensionKind)]) -> Self {
        let mut outgoing = Self::default();
        for (id, kind) in ids {
            if let Some(slot) = outgoing.slot(*kind) {
                *slot = Some(*id).filter(|id| *id != 0);
            }
        }
        outgoing
    }

    /// RIDs and layers are a publisher's affair, a capture time is told in its own clock: they end here.
    fn slot(&mut self, kind: ExtensionKind) -> Option<&mut Option<u8>> {
        match kind {
            ExtensionKind::Mid => Some(&mut self.mid),
            ExtensionKind::TransportSequence => Some(&mut self.transport_sequence),
            ExtensionKind::AbsSendTime => Some(&mut self.abs_send_time),
            ExtensionKind::AudioLevel => Some(&mut self.audio_level),
            ExtensionKind::DependencyDescriptor => Some(&mut self.dependency_descriptor),
            ExtensionKind::VideoOrientation => Some(&mut self.video_orientation),
            ExtensionKind::PlayoutDelay => Some(&mut self.playout_delay),
            ExtensionKind::Rid
            | ExtensionKind::RepairedRid
            | ExtensionKind::VideoLayersAllocation
            | ExtensionKind::AbsCaptureTime
            | ExtensionKind::Other => None,
        }
    }

    /// The id under which a value that is passed on goes out.
    pub fn passed(&self, tag: u8) -> Option<u8> {
        match tag {
            AUDIO_LEVEL => self.audio_level,
            DEPENDENCY_DESCRIPTOR => self.dependency_descriptor,
            VIDEO_ORIENTATION => self.video_orientation,
            PLAYOUT_DELAY => self.playout_delay,
            _ => None,
        }
    }
}

/// How an extension that is passed on is marked while its packet is kept.
pub fn tag(kind: ExtensionKind) -> Option<u8> {
    match kind {
        ExtensionKind::AudioLevel => Some(AUDIO_LEVEL),
        ExtensionKind::DependencyDescriptor => Some(DEPENDENCY_DESCRIPTOR),
        ExtensionKind::VideoOrientation => Some(VIDEO_ORIENTATION),
        ExtensionKind::PlayoutDelay => Some(PLAYOUT_DELAY),
        _ => None,
    }
}

/// Appends a value to those that are kept with a packet: tag, length, value.
pub fn keep(kept: &mut Vec<u8>, tag: u8, value: &[u8]) {
    if let Ok(len) = u8::try_from(value.len()) {
        kept.extend_from_slice(&[tag, len]);
        kept.extend_from_slice(value);
    }
}

/// Walks what `keep` has written.
pub fn kept(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(usize::from(head[1]))?;
        bytes = rest;
        Some((head[0], value))
    })
}

const AUDIO_LEVEL: u8 = 1;
const DEPENDENCY_DESCRIPTOR: u8 = 2;
const VIDEO_ORIENTATION: u8 = 3;
const PLAYOUT_DELAY: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_under_the_receivers_ids() {
        let mut bytes = Vec::new();
        keep(
            &mut bytes,
            tag(ExtensionKind::AudioLevel).expect("passed on"),
            &[30],
        );
        keep(
            &mut bytes,
            tag(ExtensionKind::PlayoutDelay).expect("passed on"),
            &[1, 2, 3],
        );
        let ids = OutgoingIds::new(&[(9, ExtensionKind::AudioLevel), (1, ExtensionKind::Mid)]);
        let passed: Vec<_> = kept(&bytes)
            .filter_map(|(tag, value)| Some((ids.passed(tag)?, value)))
            .collect();
        assert_eq!(passed, [(9, &[30][..])]);
        assert_eq!(ids.mid, Some(1));
    }

    #[test]
    fn a_publishers_capture_time_and_rid_are_not_passed_on() {
        assert_eq!(tag(ExtensionKind::AbsCaptureTime), None);
        assert_eq!(tag(ExtensionKind::Rid), None);
        assert_eq!(tag(ExtensionKind::TransportSequence), None);
    }

    #[test]
    fn unknown_ids_have_no_meaning() {
        let ids = IncomingIds::new(&[(3, ExtensionKind::Mid)]);
        assert_eq!(ids.kind(3), ExtensionKind::Mid);
        assert_eq!(ids.kind(200), ExtensionKind::Other);
    }
}
