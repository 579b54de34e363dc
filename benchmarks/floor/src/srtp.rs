//! As much of SRTP as a stream of sequence numbers that never goes back needs.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::hmac;

pub const GCM_TAG: usize = 16;
const SHA1_TAG: usize = 10;
pub const RTP_HEADER: usize = 12;

/// One direction of one session, for SRTP only.
pub enum Context {
    Gcm {
        key: LessSafeKey,
        salt: [u8; 12],
    },
    CmSha1 {
        key: EncryptingKey,
        salt: [u8; 14],
        auth: hmac::Key,
    },
}

impl Context {
    /// `profile` as in DTLS-SRTP: 7 is AEAD_AES_128_GCM, 1 is AES_CM_128_HMAC_SHA1_80.
    pub fn new(profile: u16, master_key: &[u8], master_salt: &[u8]) -> Self {
        let mut salt = [0u8; 14];
        salt[..master_salt.len()].copy_from_slice(master_salt);
        let derive = |label: u8, length: usize| derive(master_key, salt, label, length);
        match profile {
            7 => Self::Gcm {
                key: LessSafeKey::new(
                    UnboundKey::new(&AES_128_GCM, &derive(0, 16)).expect("16 bytes"),
                ),
                salt: derive(2, 12).try_into().expect("12 bytes"),
            },
            1 => Self::CmSha1 {
                key: counter_key(&derive(0, 16)),
                salt: derive(2, 14).try_into().expect("14 bytes"),
                auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &derive(1, 20)),
            },
            other => panic!("profile {other} is none of 1 and 7"),
        }
    }

    pub fn overhead(&self) -> usize {
        match self {
            Self::Gcm { .. } => GCM_TAG,
            Self::CmSha1 { .. } => SHA1_TAG,
        }
    }

    /// Encrypt in place; the last `overhead` bytes of `packet` are room for the tag.
    pub fn protect(&self, packet: &mut [u8], roc: u32) {
        let end = packet.len() - self.overhead();
        match self {
            Self::Gcm { key, salt } => {
                let nonce = gcm_nonce(salt, packet, roc);
                let (header, rest) = packet.split_at_mut(RTP_HEADER);
                let (payload, room) = rest.split_at_mut(end - RTP_HEADER);
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(header), payload)
                    .expect("seal");
                room.copy_from_slice(tag.as_ref());
            }
            Self::CmSha1 { key, salt, auth } => {
                let context = EncryptionContext::Iv128(counter_block(salt, packet, roc).into());
                key.less_safe_encrypt(&mut packet[RTP_HEADER..end], context)
                    .expect("encrypt");
                let tag = sha1_tag(auth, &packet[..end], roc);
                packet[end..].copy_from_slice(&tag);
            }
        }
    }

    /// Decrypt in place; the length without the tag, or `None` where it is not genuine.
    pub fn unprotect(&self, packet: &mut [u8], roc: u32) -> Option<usize> {
        let end = packet
            .len()
            .checked_sub(self.overhead())
            .filter(|&end| end >= RTP_HEADER)?;
        match self {
            Self::Gcm { key, salt } => {
                let nonce = gcm_nonce(salt, packet, roc);
                let (header, rest) = packet.split_at_mut(RTP_HEADER);
                key.open_in_place(nonce, Aad::from(header), rest).ok()?;
            }
            Self::CmSha1 { key, salt, auth } => {
                if sha1_tag(auth, &packet[..end], roc) != packet[end..] {
                    return None;
                }
                let context = EncryptionContext::Iv128(counter_block(salt, packet, roc).into());
                key.less_safe_encrypt(&mut packet[RTP_HEADER..end], context)
                    .ok()?;
            }
        }
        Some(end)
    }
}

/// The rollover counter of a stream that arrives in order.
#[derive(Default)]
pub struct Rollover {
    last: u16,
    count: u32,
}

impl Rollover {
    pub fn of(&mut self, packet: &[u8]) -> u32 {
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        self.count += u32::from(sequence < self.last);
        self.last = sequence;
        self.count
    }
}

/// RFC 3711 section 4.3.1, with key derivation rate 0.
fn derive(master_key: &[u8], mut salt: [u8; 14], label: u8, length: usize) -> Vec<u8> {
    salt[7] ^= label;
    let mut block = [0u8; 16];
    block[..14].copy_from_slice(&salt);
    let mut stream = vec![0u8; length];
    let context = EncryptionContext::Iv128(block.into());
    let _: DecryptionContext = counter_key(master_key)
        .less_safe_encrypt(&mut stream, context)
        .expect("key stream");
    stream
}

fn counter_key(key: &[u8]) -> EncryptingKey {
    EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, key).expect("16 bytes"))
        .expect("counter mode")
}

/// RFC 7714 section 8.1: two zeroes, SSRC, rollover counter, sequence number; xor salt.
fn gcm_nonce(salt: &[u8; 12], packet: &[u8], roc: u32) -> Nonce {
    let mut nonce = *salt;
    xor(&mut nonce[2..6], &packet[8..12]);
    xor(&mut nonce[6..10], &roc.to_be_bytes());
    xor(&mut nonce[10..12], &packet[2..4]);
    Nonce::assume_unique_for_key(nonce)
}

/// RFC 3711 section 4.1.1: (salt * 2^16) xor (SSRC * 2^64) xor (index * 2^16).
fn counter_block(salt: &[u8; 14], packet: &[u8], roc: u32) -> [u8; 16] {
    let mut block = [0u8; 16];
    block[..14].copy_from_slice(salt);
    xor(&mut block[4..8], &packet[8..12]);
    xor(&mut block[8..12], &roc.to_be_bytes());
    xor(&mut block[12..14], &packet[2..4]);
    block
}

fn sha1_tag(auth: &hmac::Key, authenticated: &[u8], roc: u32) -> [u8; SHA1_TAG] {
    let mut context = hmac::Context::with_key(auth);
    context.update(authenticated);
    context.update(&roc.to_be_bytes());
    context.sign().as_ref()[..SHA1_TAG]
        .try_into()
        .expect("ten bytes of twenty")
}

fn xor(target: &mut [u8], with: &[u8]) {
    for (target, with) in target.iter_mut().zip(with) {
        *target ^= with;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(profile: u16, salt: usize) {
        let (ours, theirs) = (0..2)
            .map(|_| Context::new(profile, &[7; 16], &vec![9; salt]))
            .fold((None, None), |(first, _), next| {
                if first.is_none() {
                    (Some(next), None)
                } else {
                    (first, Some(next))
                }
            });
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5];
        packet.extend(1..=100u8);
        packet.resize(112 + ours.overhead(), 0);
        ours.protect(&mut packet, 3);
        let mut forged = packet.clone();
        assert_eq!(theirs.unprotect(&mut packet, 3), Some(112));
        assert_eq!(packet[12..112], (1..=100u8).collect::<Vec<_>>());
        assert_eq!(theirs.unprotect(&mut forged, 4), None);
    }

    #[test]
    fn both_profiles_agree_with_themselves() {
        round_trip(7, 12);
        round_trip(1, 14);
    }

    #[test]
    fn keys_are_derived_as_in_rfc_3711_appendix_b_3() {
        let key = [
            0xE1, 0xF9, 0x7A, 0x0D, 0x3E, 0x01, 0x8B, 0xE0, 0xD6, 0x4F, 0xA3, 0x2C, 0x06, 0xDE,
            0x41, 0x39,
        ];
        let salt = [
            0x0E, 0xC6, 0x75, 0xAD, 0x49, 0x8A, 0xFE, 0xEB, 0xB6, 0x96, 0x0B, 0x3A, 0xAB, 0xE6,
        ];
        assert_eq!(derive(&key, salt, 0, 4), [0xC6, 0x1E, 0x7A, 0x93]);
        assert_eq!(derive(&key, salt, 2, 4), [0x30, 0xCB, 0xBC, 0x08]);
        assert_eq!(derive(&key, salt, 1, 4), [0xCE, 0xBE, 0x32, 0x1F]);
    }
}
