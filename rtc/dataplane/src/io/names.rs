//! The words by which the other side of the binding names what the plane knows: one table for each kind of thing.

use crate::core::{Codec, ExtensionKind, Kind, Profile};

/// A value with a word for it.
pub trait Named: Copy + PartialEq + Sized + 'static {
    /// What such a value is, for messages.
    const WHAT: &'static str;
    const WORDS: &'static [(&'static str, Self)];

    fn parse(word: &str) -> Option<Self> {
        let mut words = Self::WORDS.iter();
        words
            .find(|(known, _)| *known == word)
            .map(|&(_, value)| value)
    }

    fn word(self) -> &'static str {
        let mut words = Self::WORDS.iter();
        words
            .find(|(_, value)| *value == self)
            .map_or("?", |&(word, _)| word)
    }
}

impl Named for Kind {
    const WHAT: &'static str = "kind of media";
    const WORDS: &'static [(&'static str, Self)] =
        &[("audio", Self::Audio), ("video", Self::Video)];
}

impl Named for Codec {
    const WHAT: &'static str = "codec";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("opus", Self::Opus),
        ("red", Self::Red),
        ("vp8", Self::Vp8),
        ("vp9", Self::Vp9),
        ("h264", Self::H264),
        ("av1", Self::Av1),
        ("g722", Self::G722),
        ("pcmu", Self::Pcmu),
        ("pcma", Self::Pcma),
        ("other", Self::Other),
    ];
}

impl Named for ExtensionKind {
    const WHAT: &'static str = "header extension";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("audio_level", Self::AudioLevel),
        ("abs_send_time", Self::AbsSendTime),
        ("transport_sequence", Self::TransportSequence),
        ("mid", Self::Mid),
        ("rid", Self::Rid),
        ("repaired_rid", Self::RepairedRid),
        ("dependency_descriptor", Self::DependencyDescriptor),
        ("video_layers_allocation", Self::VideoLayersAllocation),
        ("video_orientation", Self::VideoOrientation),
        ("playout_delay", Self::PlayoutDelay),
        ("abs_capture_time", Self::AbsCaptureTime),
        ("other", Self::Other),
    ];
}

/// DTLS-SRTP protection profiles by number (RFC 5764, RFC 7714), with the lengths of master key and salt in bytes.
pub const PROFILES: [(u16, Profile, usize, usize); 3] = [
    (1, Profile::Aes128CmSha1_80, 16, 14),
    (7, Profile::AeadAes128Gcm, 16, 12),
    (8, Profile::AeadAes256Gcm, 32, 12),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_its_value_and_no_other() {
        fn check<T: Named + std::fmt::Debug>() {
            for &(word, value) in T::WORDS {
                assert_eq!(T::parse(word), Some(value));
                assert_eq!(value.word(), word);
            }
            assert_eq!(T::parse("nonsense"), None);
        }
        check::<Kind>();
        check::<Codec>();
        check::<ExtensionKind>();
    }
}
