//! AES_CM_128_HMAC_SHA1_80 (RFC 3711 sections 3 and 4).

use aws_lc_rs::cipher::EncryptingKey;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use super::kdf::{self, Label};
use super::{RTCP_CLEAR, RTCP_INDEX, SrtpError, xor_into};

pub(super) const TAG: usize = 10;
const SHA1: usize = 20;
const ROC: usize = 4;
const SALT: usize = 14;

pub(super) struct CtrHmac {
    rtp: Half,
    rtcp: Half,
}

struct Half {
    cipher: EncryptingKey,
    salt: [u8; SALT],
    authentication: hmac::Key,
}

impl CtrHmac {
    pub(super) fn new(key: &[u8], salt: &[u8]) -> Result<Self, SrtpError> {
        use Label::{
            RtcpAuthentication, RtcpEncryption, RtcpSalt, RtpAuthentication, RtpEncryption, RtpSalt,
        };
        let half = |encryption, authentication, salting| {
            let authentication: [u8; SHA1] = kdf::derive(key, salt, authentication)?;
            Ok(Half {
                cipher: kdf::counter_mode(&kdf::derive::<16>(key, salt, encryption)?)?,
                salt: kdf::derive(key, salt, salting)?,
                authentication: hmac::Key::new(
                    hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                    &authentication,
                ),
            })
        };
        Ok(Self {
            rtp: half(RtpEncryption, RtpAuthentication, RtpSalt)?,
            rtcp: half(RtcpEncryption, RtcpAuthentication, RtcpSalt)?,
        })
    }

    pub(super) fn protect_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        roc: u32,
    ) -> Result<(), SrtpError> {
        let end = packet.len() - TAG;
        self.rtp.apply_rtp(&mut packet[..end], header_len, roc)?;
        // The rollover counter is authenticated, not sent: it stands for a moment where the tag will.
        packet[end..end + ROC].copy_from_slice(&roc.to_be_bytes());
        let tag = self.rtp.tag(&packet[..end + ROC])?;
        packet[end..].copy_from_slice(&tag);
        Ok(())
    }

    pub(super) fn unprotect_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        roc: u32,
    ) -> Result<usize, SrtpError> {
        let end = packet.len() - TAG;
        let sent = tag_of(packet)?;
        packet[end..end + ROC].copy_from_slice(&roc.to_be_bytes());
        self.rtp.verify(&packet[..end + ROC], &sent)?;
        self.rtp.apply_rtp(&mut packet[..end], header_len, roc)?;
        Ok(end)
    }

    /// `packet` ends with room for the word and the tag, in this order.
    pub(super) fn protect_rtcp(
        &self,
        packet: &mut [u8],
        word: [u8; RTCP_INDEX],
    ) -> Result<(), SrtpError> {
        let tag_at = packet.len() - TAG;
        let end = tag_at - RTCP_INDEX;
        self.rtcp.apply_rtcp(&mut packet[..end], word)?;
        packet[end..tag_at].copy_from_slice(&word);
        let tag = self.rtcp.tag(&packet[..tag_at])?;
        packet[tag_at..].copy_from_slice(&tag);
        Ok(())
    }

    pub(super) fn unprotect_rtcp(
        &self,
        packet: &mut [u8],
        word: [u8; RTCP_INDEX],
    ) -> Result<usize, SrtpError> {
        let tag_at = packet.len() - TAG;
        let sent = tag_of(packet)?;
        self.rtcp.verify(&packet[..tag_at], &sent)?;
        let end = tag_at - RTCP_INDEX;
        self.rtcp.apply_rtcp(&mut packet[..end], word)?;
        Ok(end)
    }
}

impl Half {
    fn apply_rtp(&self, packet: &mut [u8], header_len: usize, roc: u32) -> Result<(), SrtpError> {
        let mut iv = self.iv(&packet[8..12]);
        xor_into(&mut iv[8..12], &roc.to_be_bytes());
        xor_into(&mut iv[12..14], &packet[2..4]);
        kdf::apply(&self.cipher, iv, &mut packet[header_len..])
    }

    fn apply_rtcp(&self, packet: &mut [u8], word: [u8; RTCP_INDEX]) -> Result<(), SrtpError> {
        let index = u32::from_be_bytes(word) & super::MAX_RTCP_INDEX;
        let mut iv = self.iv(&packet[4..8]);
        xor_into(&mut iv[10..14], &index.to_be_bytes());
        kdf::apply(&self.cipher, iv, &mut packet[RTCP_CLEAR..])
    }

    /// Section 4.1.1: the salt, the SSRC, and then what the caller adds: the packet index; two bytes count blocks.
    fn iv(&self, ssrc: &[u8]) -> [u8; 16] {
        let mut iv = [0; 16];
        iv[..SALT].copy_from_slice(&self.salt);
        xor_into(&mut iv[4..8], ssrc);
        iv
    }

    fn tag(&self, bytes: &[u8]) -> Result<[u8; TAG], SrtpError> {
        let mut whole = [0; SHA1];
        hmac::sign_to_buffer(&self.authentication, bytes, &mut whole)
            .map_err(|_| SrtpError::Authentication)?;
        let [tag @ .., _, _, _, _, _, _, _, _, _, _] = whole;
        Ok(tag)
    }

    fn verify(&self, bytes: &[u8], sent: &[u8; TAG]) -> Result<(), SrtpError> {
        let tag = self.tag(bytes)?;
        verify_slices_are_equal(&tag, sent).map_err(|_| SrtpError::Authentication)
    }
}

fn tag_of(packet: &[u8]) -> Result<[u8; TAG], SrtpError> {
    packet.last_chunk().copied().ok_or(SrtpError::Truncated)
}
