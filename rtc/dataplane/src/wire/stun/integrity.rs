//! MESSAGE-INTEGRITY (HMAC-SHA1) and FINGERPRINT (CRC-32) of a STUN message.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use super::HEADER_LEN;

/// Bytes of an HMAC-SHA1.
pub(super) const TAG_LEN: usize = 20;
/// The attribute with its type and length.
pub(super) const ATTRIBUTE_LEN: usize = 4 + TAG_LEN;

/// RFC 8489 section 14.7: keeps the CRC from being that of an enclosing protocol.
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// An ICE password, keyed once: checking a message then hashes only the message.
#[derive(Clone, Debug)]
pub struct IntegrityKey(hmac::Key);

impl IntegrityKey {
    /// For short-term credentials the key is the password itself (RFC 8489 section 9.1.1).
    pub fn new(password: &[u8]) -> Self {
        Self(hmac::Key::new(
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            password,
        ))
    }

    /// `at` is where the attribute starts in `message`, which reaches behind it.
    pub(super) fn verify(&self, message: &[u8], at: usize) -> bool {
        let Some(told) = message.get(at + 4..at + ATTRIBUTE_LEN) else {
            return false;
        };
        verify_slices_are_equal(self.sign(message, at).as_ref(), told).is_ok()
    }

    /// The tag of `message[..at]`, with the header's length ending behind the attribute itself.
    pub(super) fn sign(&self, message: &[u8], at: usize) -> hmac::Tag {
        let length = (at + ATTRIBUTE_LEN - HEADER_LEN) as u16;
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&message[..2]);
        context.update(&length.to_be_bytes());
        context.update(&message[4..at]);
        context.sign()
    }
}

/// The value of a FINGERPRINT attribute that follows `message`, whose length field already counts it.
pub(super) fn fingerprint(message: &[u8]) -> u32 {
    crc32(message) ^ FINGERPRINT_XOR
}

/// The CRC-32 of ITU V.42, as in Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)]
    })
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 * (crc & 1));
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_the_customary_check_string() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    /// RFC 2202 section 3, cases 1, 2 and 6: the primitive underneath.
    #[test]
    fn hmac_sha1_gives_the_tags_of_rfc_2202() {
        let cases: [(&[u8], &[u8], [u8; 4]); 3] = [
            (&[0x0b; 20], b"Hi There", [0xb6, 0x17, 0x31, 0x86]),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                [0xef, 0xfc, 0xdf, 0x6a],
            ),
            (
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                [0xaa, 0x4a, 0xe5, 0xe1],
            ),
        ];
        for (key, data, head) in cases {
            let tag = hmac::sign(&IntegrityKey::new(key).0, data);
            assert_eq!(tag.as_ref()[..4], head);
        }
    }
}
