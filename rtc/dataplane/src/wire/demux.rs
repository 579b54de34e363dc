//! What a datagram is, told from its first bytes.

/// The protocols that share one 5-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
}

/// Classify by first bytes (RFC 7983, RFC 5761); `None` is a datagram to drop.
pub fn classify(datagram: &[u8]) -> Option<Kind> {
    match *datagram {
        [0..=3, ..] => Some(Kind::Stun),
        [20..=63, ..] => Some(Kind::Dtls),
        [128..=191, 192..=223, ..] => Some(Kind::Rtcp),
        [128..=191, _, ..] => Some(Kind::Rtp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_range_of_rfc_7983_is_told_apart() {
        assert_eq!(classify(&[0, 1]), Some(Kind::Stun));
        assert_eq!(classify(&[3]), Some(Kind::Stun));
        assert_eq!(classify(&[20]), Some(Kind::Dtls));
        assert_eq!(classify(&[63]), Some(Kind::Dtls));
        assert_eq!(classify(&[128, 96]), Some(Kind::Rtp));
        assert_eq!(classify(&[191, 0x80 | 111]), Some(Kind::Rtp));
        assert_eq!(classify(&[128, 200]), Some(Kind::Rtcp));
        assert_eq!(classify(&[129, 223]), Some(Kind::Rtcp));
    }

    #[test]
    fn channel_data_zrtp_and_fragments_are_dropped() {
        for datagram in [
            &[][..],
            &[4],
            &[16],
            &[19],
            &[64],
            &[79],
            &[127],
            &[192],
            &[255],
            &[128],
        ] {
            assert_eq!(classify(datagram), None, "{datagram:?}");
        }
    }
}
