//! AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::kdf::{self, Label};
use super::{Profile, RTCP_CLEAR, RTCP_INDEX, SrtpError, xor_into};

pub(super) const TAG: usize = 16;
const SALT: usize = 12;

pub(super) struct Gcm {
    rtp: Half,
    rtcp: Half,
}

/// Key and salt for one kind of packet.
pub(super) struct Half {
    key: LessSafeKey,
    salt: [u8; SALT],
}

impl Gcm {
    pub(super) fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, SrtpError> {
        let half = |encryption: Label, salting: Label| {
            let session_salt = kdf::derive(key, salt, salting)?;
            match profile {
                Profile::AeadAes256Gcm => {
                    Half::new(&kdf::derive::<32>(key, salt, encryption)?, session_salt)
                }
                _ => Half::new(&kdf::derive::<16>(key, salt, encryption)?, session_salt),
            }
        };
        Ok(Self {
            rtp: half(Label::RtpEncryption, Label::RtpSalt)?,
            rtcp: half(Label::RtcpEncryption, Label::RtcpSalt)?,
        })
    }

    /// From session keys, as the RFC's test vectors give them.
    #[cfg(test)]
    pub(super) fn of(rtp: Half, rtcp: Half) -> Self {
        Self { rtp, rtcp }
    }

    pub(super) fn protect_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        roc: u32,
    ) -> Result<(), SrtpError> {
        let nonce = self.rtp.rtp_nonce(packet, roc);
        let (header, body) = packet.split_at_mut(header_len);
        self.rtp.seal(nonce, header, body)
    }

    pub(super) fn unprotect_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        roc: u32,
    ) -> Result<usize, SrtpError> {
        let nonce = self.rtp.rtp_nonce(packet, roc);
        let (header, body) = packet.split_at_mut(header_len);
        self.rtp.open(nonce, header, body)?;
        Ok(packet.len() - TAG)
    }

    /// `packet` ends with room for the tag and the word, in this order.
    pub(super) fn protect_rtcp(
        &self,
        packet: &mut [u8],
        word: [u8; RTCP_INDEX],
    ) -> Result<(), SrtpError> {
        let nonce = self.rtcp.rtcp_nonce(packet, word);
        let (packet, trailer) = packet.split_at_mut(packet.len() - RTCP_INDEX);
        trailer.copy_from_slice(&word);
        let (clear, body) = packet.split_at_mut(RTCP_CLEAR);
        self.rtcp.seal(nonce, &rtcp_associated(clear, word), body)
    }

    pub(super) fn unprotect_rtcp(
        &self,
        packet: &mut [u8],
        word: [u8; RTCP_INDEX],
    ) -> Result<usize, SrtpError> {
        let nonce = self.rtcp.rtcp_nonce(packet, word);
        let end = packet.len() - RTCP_INDEX;
        let (clear, body) = packet[..end].split_at_mut(RTCP_CLEAR);
        self.rtcp.open(nonce, &rtcp_associated(clear, word), body)?;
        Ok(end - TAG)
    }
}

impl Half {
    pub(super) fn new(key: &[u8], salt: [u8; SALT]) -> Result<Self, SrtpError> {
        let algorithm = if key.len() == 32 {
            &AES_256_GCM
        } else {
            &AES_128_GCM
        };
        let key = UnboundKey::new(algorithm, key).map_err(|_| SrtpError::KeyLength)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            salt,
        })
    }

    /// Section 8.1: two zero bytes, SSRC, rollover counter, sequence number, all under the salt.
    fn rtp_nonce(&self, packet: &[u8], roc: u32) -> Nonce {
        let mut nonce = self.salt;
        xor_into(&mut nonce[2..6], &packet[8..12]);
        xor_into(&mut nonce[6..10], &roc.to_be_bytes());
        xor_into(&mut nonce[10..], &packet[2..4]);
        Nonce::assume_unique_for_key(nonce)
    }

    /// Section 9.1: two zero bytes, SSRC, two zero bytes, the index without its flag, all under the salt.
    fn rtcp_nonce(&self, packet: &[u8], word: [u8; RTCP_INDEX]) -> Nonce {
        let mut nonce = self.salt;
        let index = u32::from_be_bytes(word) & super::MAX_RTCP_INDEX;
        xor_into(&mut nonce[2..6], &packet[4..8]);
        xor_into(&mut nonce[8..], &index.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    /// `body` is plaintext and room for the tag.
    fn seal(&self, nonce: Nonce, associated: &[u8], body: &mut [u8]) -> Result<(), SrtpError> {
        let plain_len = body.len().checked_sub(TAG).ok_or(SrtpError::Truncated)?;
        let (plain, room) = body.split_at_mut(plain_len);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(associated), plain);
        room.copy_from_slice(tag.map_err(|_| SrtpError::Truncated)?.as_ref());
        Ok(())
    }

    fn open(&self, nonce: Nonce, associated: &[u8], body: &mut [u8]) -> Result<(), SrtpError> {
        let opened = self.key.open_in_place(nonce, Aad::from(associated), body);
        opened.map(|_| ()).map_err(|_| SrtpError::Authentication)
    }
}

/// Section 9.2: the clear header, then the word that stands at the end of the packet.
fn rtcp_associated(clear: &[u8], word: [u8; RTCP_INDEX]) -> [u8; RTCP_CLEAR + RTCP_INDEX] {
    let mut associated = [0; RTCP_CLEAR + RTCP_INDEX];
    associated[..RTCP_CLEAR].copy_from_slice(clear);
    associated[RTCP_CLEAR..].copy_from_slice(&word);
    associated
}
