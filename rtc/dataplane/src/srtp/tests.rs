use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .bytes()
        .filter(u8::is_ascii_hexdigit)
        .map(|digit| (digit as char).to_digit(16).expect("hex") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

const MASTER_KEY: &str = "e1f97a0d3e018be0d64fa32c06de4139";
const MASTER_SALT: &str = "0ec675ad498afeebb6960b3aabe6";

#[test]
fn session_keys_are_derived_as_in_rfc_3711_b_3() {
    let (key, salt) = (bytes(MASTER_KEY), bytes(MASTER_SALT));
    let encryption: [u8; 16] =
        kdf::derive(&key, &salt, kdf::Label::RtpEncryption).expect("lengths");
    assert_eq!(encryption[..], bytes("c61e7a93744f39ee10734afe3ff7a087"));
    let salting: [u8; 14] = kdf::derive(&key, &salt, kdf::Label::RtpSalt).expect("lengths");
    assert_eq!(salting[..], bytes("30cbbc08863d8c85d49db34a9ae1"));
    let authentication: [u8; 20] =
        kdf::derive(&key, &salt, kdf::Label::RtpAuthentication).expect("lengths");
    assert_eq!(
        authentication[..],
        bytes("cebe321f6ff7716b6fd4ab49af256a156d38baa4")
    );
}

/// AEAD_AES_256_GCM derives with AES-256, too (RFC 7714 section 11).
#[test]
fn longer_session_keys_are_derived_as_in_rfc_6188_7_2() {
    let key = bytes("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
    let salt = bytes("3b04803de51ee7c96423ab5b78d2");
    let encryption: [u8; 32] =
        kdf::derive(&key, &salt, kdf::Label::RtpEncryption).expect("lengths");
    assert_eq!(
        encryption[..],
        bytes("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4")
    );
    let salting: [u8; 14] = kdf::derive(&key, &salt, kdf::Label::RtpSalt).expect("lengths");
    assert_eq!(salting[..], bytes("fa31791685ca444a9e07c6c64e93"));
    let authentication: [u8; 20] =
        kdf::derive(&key, &salt, kdf::Label::RtpAuthentication).expect("lengths");
    assert_eq!(
        authentication[..],
        bytes("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05")
    );
}

#[test]
fn the_key_stream_is_that_of_rfc_3711_b_2() {
    let key = kdf::counter_mode(&bytes("2b7e151628aed2a6abf7158809cf4f3c")).expect("16 bytes");
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(&bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfd"));
    let mut stream = [0; 48];
    kdf::apply(&key, iv, &mut stream).expect("an iv of 16 bytes");
    let wanted = "e03ead0935c95e80e166b16dd92b4eb4 d23513162b02d0f72a43a2fe4a5f97ab
        41e95b3bb0a2e8dd477901e4fca894c0";
    assert_eq!(stream[..], bytes(wanted));
}

#[test]
fn counter_mode_protects_as_libsrtp_does() {
    let session = Session::new(
        Profile::Aes128CmSha1_80,
        &bytes(MASTER_KEY),
        &bytes(MASTER_SALT),
    );
    let session = session.expect("lengths");
    let mut packet = bytes("800f1234decafbadcafebabeabababababababababababababababab");
    packet.resize(packet.len() + 10, 0);
    session.protect_rtp(&mut packet, 12, 0).expect("room");
    let wanted = "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb";
    assert_eq!(packet, bytes(wanted));
    let mut compound = bytes("81c8000bcafebabeabababababababababababababababab");
    session
        .protect_rtcp(&mut compound, 0, 1)
        .expect("long enough");
    let wanted = "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798";
    assert_eq!(compound, bytes(wanted));
}

const GCM_SALT: &str = "517569642070726f2071756f";

/// With the key 00 01 02 …, as all vectors of RFC 7714 have it.
fn gcm(key_len: u8) -> gcm::Gcm {
    let key: Vec<u8> = (0..key_len).collect();
    let half = || {
        let salt = bytes(GCM_SALT).try_into().expect("12 bytes");
        gcm::Half::new(&key, salt).expect("16 or 32 bytes")
    };
    gcm::Gcm::of(half(), half())
}

#[test]
fn gcm_protects_rtp_as_in_rfc_7714_16() {
    let clear = "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976
        69736120696e207061727465732074726573";
    let cases = [
        (
            16,
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd5
            0d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            32,
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab1801238
            9a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ];
    for (key_len, wanted) in cases {
        let gcm = gcm(key_len);
        let mut packet = bytes(clear);
        packet.resize(packet.len() + 16, 0);
        gcm.protect_rtp(&mut packet, 12, 0).expect("room");
        assert_eq!(packet, bytes(wanted));
        assert_eq!(gcm.unprotect_rtp(&mut packet, 12, 0), Ok(packet.len() - 16));
        assert_eq!(packet[..packet.len() - 16], bytes(clear));
    }
}

#[test]
fn gcm_protects_rtcp_as_in_rfc_7714_17() {
    let clear = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61
        deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
    let cases = [
        (
            16,
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32d
            c676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf872
            45d9eade800005d4",
        ),
        (
            32,
            "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50
            a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6c
            b26ac3be800005d4",
        ),
    ];
    for (key_len, wanted) in cases {
        let gcm = gcm(key_len);
        let mut packet = bytes(clear);
        packet.resize(packet.len() + 20, 0);
        let word = (0x5d4 | ENCRYPTED).to_be_bytes();
        gcm.protect_rtcp(&mut packet, word).expect("room");
        assert_eq!(packet, bytes(wanted));
        assert_eq!(gcm.unprotect_rtcp(&mut packet, word), Ok(packet.len() - 20));
        assert_eq!(packet[..packet.len() - 20], bytes(clear));
    }
}

const PROFILES: [Profile; 3] = [
    Profile::Aes128CmSha1_80,
    Profile::AeadAes128Gcm,
    Profile::AeadAes256Gcm,
];

fn session(profile: Profile) -> Session {
    let key: Vec<u8> = (0..profile.key_len() as u8).collect();
    let salt: Vec<u8> = (100..100 + profile.salt_len() as u8).collect();
    Session::new(profile, &key, &salt).expect("the profile's lengths")
}

/// A packet without extensions: header, payload, room for the tag.
fn rtp(profile: Profile, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 1, 0, 0, 0, 2]);
    packet.extend(payload);
    packet.resize(packet.len() + profile.rtp_overhead(), 0);
    packet
}

#[test]
fn keys_of_the_wrong_length_are_refused() {
    for profile in PROFILES {
        let (key, salt) = (vec![0; profile.key_len()], vec![0; profile.salt_len()]);
        let short = Session::new(profile, &key[1..], &salt);
        assert_eq!(short.err(), Some(SrtpError::KeyLength));
        let short = Session::new(profile, &key, &salt[1..]);
        assert_eq!(short.err(), Some(SrtpError::KeyLength));
    }
}

#[test]
fn a_changed_bit_or_another_rollover_counter_is_not_authentic() {
    for profile in PROFILES {
        let session = session(profile);
        let mut packet = rtp(profile, 7, b"payload");
        session.protect_rtp(&mut packet, 12, 3).expect("room");
        for byte in 0..packet.len() {
            let mut changed = packet.clone();
            changed[byte] ^= 1;
            let answer = session.unprotect_rtp(&mut changed, 12, 3);
            assert_eq!(
                answer,
                Err(SrtpError::Authentication),
                "{profile:?} byte {byte}"
            );
        }
        let answer = session.unprotect_rtp(&mut packet.clone(), 12, 4);
        assert_eq!(answer, Err(SrtpError::Authentication));
        assert!(session.unprotect_rtp(&mut packet, 12, 3).is_ok());
    }
}

#[test]
fn rtcp_is_refused_when_changed_cut_or_not_encrypted() {
    for profile in PROFILES {
        let session = session(profile);
        let mut packet = bytes("80c90001 00000001 00112233");
        session
            .protect_rtcp(&mut packet, 0, 9)
            .expect("long enough");
        assert_eq!(session.rtcp_index(&packet), Ok(9));
        for byte in 0..packet.len() {
            let mut changed = packet.clone();
            changed[byte] ^= 1;
            assert!(
                session.unprotect_rtcp(&mut changed).is_err(),
                "{profile:?} byte {byte}"
            );
        }
        let word_at = match profile {
            Profile::Aes128CmSha1_80 => packet.len() - 14,
            _ => packet.len() - 4,
        };
        let mut clear = packet.clone();
        clear[word_at] &= 0x7f;
        assert_eq!(
            session.unprotect_rtcp(&mut clear),
            Err(SrtpError::NotEncrypted)
        );
        for len in 0..8 + profile.rtcp_overhead() {
            let answer = session.unprotect_rtcp(&mut packet.clone()[..len]);
            assert_eq!(answer, Err(SrtpError::Truncated));
        }
    }
}

#[test]
fn a_window_refuses_what_it_saw_and_what_is_older_than_itself() {
    let mut window = ReplayWindow::default();
    for index in [5, 7, 6] {
        assert!(window.check(index));
        window.accept(index);
        assert!(!window.check(index));
    }
    assert!(window.check(4));
    window.accept(2000);
    assert!(!window.check(7));
    assert!(!window.check(976));
    assert!(window.check(977));
    window.accept(1_000_000);
    assert!(window.check(999_999) && !window.check(2000));
}

#[test]
fn the_rollover_counter_follows_reordering_around_the_wrap() {
    let mut estimator = RocEstimator::default();
    assert_eq!(estimator.estimate(65_530), 65_530);
    estimator.update(65_530);
    assert_eq!(estimator.estimate(3), 65_539);
    estimator.update(65_539);
    assert_eq!(estimator.estimate(65_535), 65_535);
    assert_eq!(roc(estimator.estimate(4)), 1);
}

proptest! {
    #[test]
    fn what_was_protected_opens_again(
        payload in prop::collection::vec(any::<u8>(), 0..1300), sequence: u16, counter: u32, index in 0u32..1 << 31,
    ) {
        for profile in PROFILES {
            let session = session(profile);
            let mut packet = rtp(profile, sequence, &payload);
            session.protect_rtp(&mut packet, 12, counter).expect("room");
            let len = session.unprotect_rtp(&mut packet, 12, counter);
            prop_assert_eq!(len, Ok(12 + payload.len()));
            prop_assert_eq!(&packet[12..12 + payload.len()], &payload[..]);

            let mut compound = vec![0xaa; 3];
            compound.extend([0x80, 201, 0, 1, 0, 0, 0, 9]);
            compound.extend(&payload);
            session.protect_rtcp(&mut compound, 3, index).expect("long enough");
            prop_assert_eq!(session.rtcp_index(&compound[3..]), Ok(index));
            let len = session.unprotect_rtcp(&mut compound[3..]);
            prop_assert_eq!(len, Ok(8 + payload.len()));
            prop_assert_eq!(&compound[11..11 + payload.len()], &payload[..]);
        }
    }

    #[test]
    fn nothing_that_arrives_makes_opening_panic(packet in prop::collection::vec(any::<u8>(), 0..80), header_len in prop_oneof![0usize..90, any::<usize>()]) {
        for profile in PROFILES {
            let session = session(profile);
            prop_assert!(session.unprotect_rtp(&mut packet.clone(), header_len, 0).is_err());
            prop_assert!(session.unprotect_rtcp(&mut packet.clone()).is_err());
        }
    }

    #[test]
    fn a_window_agrees_with_a_set(indexes in prop::collection::vec(0u64..3000, 1..400)) {
        let mut window = ReplayWindow::default();
        let mut seen = std::collections::HashSet::new();
        let mut highest = 0;
        for index in indexes {
            let new = !seen.contains(&index) && index + 1024 > highest;
            prop_assert_eq!(window.check(index), new, "index {} highest {}", index, highest);
            if new {
                window.accept(index);
                seen.insert(index);
                highest = highest.max(index);
            }
        }
    }
}
