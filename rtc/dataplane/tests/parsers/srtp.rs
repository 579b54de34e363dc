//! Packets from the network into every profile, and packets of ours out and in again; windows and rollover counters.

use std::sync::LazyLock;

use _dataplane::srtp::{MAX_RTCP_INDEX, Profile, ReplayWindow, RocEstimator, Session, roc};
use _dataplane::wire::rtp::Header;

const PROFILES: [Profile; 3] = [
    Profile::Aes128CmSha1_80,
    Profile::AeadAes128Gcm,
    Profile::AeadAes256Gcm,
];

static SESSIONS: LazyLock<[Session; 3]> = LazyLock::new(|| {
    PROFILES.map(|profile| {
        let key = vec![7; profile.key_len()];
        let salt = vec![9; profile.salt_len()];
        Session::new(profile, &key, &salt).expect("the profile's lengths")
    })
});

pub fn check(input: &[u8]) {
    let Some((number, rest)) = input.split_first_chunk() else {
        return;
    };
    let Some((header_len, packet)) = rest.split_first_chunk() else {
        return;
    };
    let number = u32::from_le_bytes(*number);
    let header_len = u64::from_le_bytes(*header_len) as usize;
    for session in SESSIONS.iter() {
        // Nothing that was not protected with the key is authentic.
        let mut bytes = packet.to_vec();
        assert!(
            session
                .unprotect_rtp(&mut bytes, header_len, number)
                .is_err()
        );
        let mut bytes = packet.to_vec();
        assert!(session.unprotect_rtcp(&mut bytes).is_err());
        round_trip_rtp(session, packet, number);
        round_trip_rtcp(session, packet, number & MAX_RTCP_INDEX);
    }
    follow(packet);
}

fn round_trip_rtp(session: &Session, packet: &[u8], roc: u32) {
    let Ok(header) = Header::parse(packet) else {
        return;
    };
    let mut bytes = packet.to_vec();
    bytes.resize(packet.len() + session.profile().rtp_overhead(), 0);
    session
        .protect_rtp(&mut bytes, header.payload_offset, roc)
        .expect("room for the tag");
    let len = session
        .unprotect_rtp(&mut bytes, header.payload_offset, roc)
        .expect("authentic");
    assert_eq!(bytes[..len], *packet);
}

fn round_trip_rtcp(session: &Session, packet: &[u8], index: u32) {
    let mut bytes = packet.to_vec();
    if session.protect_rtcp(&mut bytes, 0, index).is_err() {
        assert!(packet.len() < 8);
        return;
    }
    assert_eq!(session.rtcp_index(&bytes), Ok(index));
    let len = session.unprotect_rtcp(&mut bytes).expect("authentic");
    assert_eq!(bytes[..len], *packet);
}

/// The bytes as sequence numbers that arrive: none is accepted twice, and none is lost to the estimate.
fn follow(bytes: &[u8]) {
    let (mut window, mut estimator) = (ReplayWindow::default(), RocEstimator::default());
    let mut accepted = std::collections::HashSet::new();
    for pair in bytes.chunks_exact(2) {
        let sequence = u16::from_be_bytes([pair[0], pair[1]]);
        let index = estimator.estimate(sequence);
        assert_eq!(index as u16, sequence);
        assert_eq!(u64::from(roc(index)), index >> 16);
        if window.check(index) {
            assert!(accepted.insert(index), "{index} twice");
            window.accept(index);
            estimator.update(index);
        }
        assert!(!window.check(index));
    }
}
