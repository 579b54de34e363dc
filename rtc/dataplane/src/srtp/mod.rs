//! SRTP and SRTCP (RFC 3711, RFC 7714): packets protected and opened in place, nothing allocated per packet.
//!
//! A [`Session`] holds the keys of one direction and no state: rollover counters and replay windows are per stream and
//! belong to the caller ([`RocEstimator`], [`ReplayWindow`]), who drops what was seen before paying for its decryption.

#![forbid(unsafe_code)]

mod ctr_hmac;
mod gcm;
mod kdf;
mod replay;

#[cfg(test)]
mod tests;

pub use replay::{ReplayWindow, RocEstimator, roc};

use ctr_hmac::CtrHmac;
use gcm::Gcm;

/// The E flag in front of an SRTCP index: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;
/// An SRTCP index has 31 bits.
pub const MAX_RTCP_INDEX: u32 = ENCRYPTED - 1;
/// The fixed part of an RTP header, and what an SRTCP packet leaves in clear.
const RTP_HEADER: usize = 12;
const RTCP_CLEAR: usize = 8;
const RTCP_INDEX: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// Ours: key or salt are not as long as the profile has them.
    #[error("the key or salt does not fit the profile")]
    KeyLength,
    /// The peer's: shorter than its header and tag.
    #[error("the packet is too short")]
    Truncated,
    /// The peer's or somebody else's: the tag is wrong.
    #[error("the authentication tag does not match")]
    Authentication,
    /// The peer's: SRTCP that is not encrypted, which nobody negotiates.
    #[error("the RTCP packet is not encrypted")]
    NotEncrypted,
}

/// DTLS-SRTP protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    Aes128CmSha1_80,
    AeadAes128Gcm,
    AeadAes256Gcm,
}

impl Profile {
    pub fn from_dtls(id: u16) -> Option<Self> {
        match id {
            0x0001 => Some(Self::Aes128CmSha1_80),
            0x0007 => Some(Self::AeadAes128Gcm),
            0x0008 => Some(Self::AeadAes256Gcm),
            _ => None,
        }
    }

    /// Bytes of the master key.
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    pub fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Bytes that protection adds to an RTP packet.
    pub fn rtp_overhead(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => ctr_hmac::TAG,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => gcm::TAG,
        }
    }

    /// Bytes that protection adds to an RTCP packet: the tag and the index.
    pub fn rtcp_overhead(self) -> usize {
        self.rtp_overhead() + RTCP_INDEX
    }
}

/// One direction of a DTLS association.
pub struct Session {
    profile: Profile,
    suite: Suite,
}

enum Suite {
    Gcm(Gcm),
    CtrHmac(Box<CtrHmac>),
}

impl std::fmt::Debug for Session {
    /// Keys do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// # Errors
    /// `KeyLength` where key or salt do not have the profile's length.
    pub fn new(profile: Profile, master_key: &[u8], master_salt: &[u8]) -> Result<Self, SrtpError> {
        if master_key.len() != profile.key_len() || master_salt.len() != profile.salt_len() {
            return Err(SrtpError::KeyLength);
        }
        let suite = match profile {
            Profile::Aes128CmSha1_80 => {
                Suite::CtrHmac(Box::new(CtrHmac::new(master_key, master_salt)?))
            }
            _ => Suite::Gcm(Gcm::new(profile, master_key, master_salt)?),
        };
        Ok(Self { profile, suite })
    }

    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Protect `packet`: `header_len` bytes of RTP header with extensions, the payload, and room for the tag
    /// ([`Profile::rtp_overhead`]) at the end.
    ///
    /// # Errors
    /// `Truncated` where it is shorter than header and tag.
    pub fn protect_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        roc: u32,
    ) -> Result<(), SrtpError> {
        check(packet, header_len, self.profile.rtp_overhead())?;
        match &self.suite {
            Suite::Gcm(gcm) => gcm.protect_rtp(packet, header_len, roc),
            Suite::CtrHmac(suite) => suite.protect_rtp(packet, header_len, roc),
        }
    }

    /// Open `packet` in place. Answers the length of header and payload, without the tag.
    ///
    /// # Errors
    /// `Authentication`: the packet's bytes are then of no use.
    pub fn unprotect_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        roc: u32,
    ) -> Result<usize, SrtpError> {
        check(packet, header_len, self.profile.rtp_overhead())?;
        match &self.suite {
            Suite::Gcm(gcm) => gcm.unprotect_rtp(packet, header_len, roc),
            Suite::CtrHmac(suite) => suite.unprotect_rtp(packet, header_len, roc),
        }
    }

    /// Protect the compound that `packet` has from `start` to its end; tag and index are appended.
    ///
    /// # Errors
    /// `Truncated` where the compound is shorter than a header.
    pub fn protect_rtcp(
        &self,
        packet: &mut Vec<u8>,
        start: usize,
        index: u32,
    ) -> Result<(), SrtpError> {
        debug_assert!(index <= MAX_RTCP_INDEX);
        if packet.len() < start + RTCP_CLEAR {
            return Err(SrtpError::Truncated);
        }
        packet.resize(packet.len() + self.profile.rtcp_overhead(), 0);
        let word = (index | ENCRYPTED).to_be_bytes();
        match &self.suite {
            Suite::Gcm(gcm) => gcm.protect_rtcp(&mut packet[start..], word),
            Suite::CtrHmac(suite) => suite.protect_rtcp(&mut packet[start..], word),
        }
    }

    /// The index of a protected compound, to be looked up in a replay window before it is opened.
    ///
    /// # Errors
    /// `Truncated`, and `NotEncrypted` where the E flag is missing.
    pub fn rtcp_index(&self, packet: &[u8]) -> Result<u32, SrtpError> {
        let word = self.rtcp_word(packet)?;
        let word = u32::from_be_bytes(word);
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::NotEncrypted);
        }
        Ok(word & MAX_RTCP_INDEX)
    }

    /// Open a compound in place. Answers its length.
    ///
    /// # Errors
    /// Those of `rtcp_index`, and `Authentication`.
    pub fn unprotect_rtcp(&self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        self.rtcp_index(packet)?;
        let word = self.rtcp_word(packet)?;
        match &self.suite {
            Suite::Gcm(gcm) => gcm.unprotect_rtcp(packet, word),
            Suite::CtrHmac(suite) => suite.unprotect_rtcp(packet, word),
        }
    }

    /// The E flag and index: GCM has them behind the tag (RFC 7714 section 9.2), the others before it.
    fn rtcp_word(&self, packet: &[u8]) -> Result<[u8; RTCP_INDEX], SrtpError> {
        if packet.len() < RTCP_CLEAR + self.profile.rtcp_overhead() {
            return Err(SrtpError::Truncated);
        }
        let end = match self.suite {
            Suite::Gcm(_) => packet.len(),
            Suite::CtrHmac(_) => packet.len() - ctr_hmac::TAG,
        };
        let word = packet[..end].last_chunk::<RTCP_INDEX>();
        word.copied().ok_or(SrtpError::Truncated)
    }
}

fn check(packet: &[u8], header_len: usize, overhead: usize) -> Result<(), SrtpError> {
    let room = packet.len().checked_sub(overhead);
    if header_len < RTP_HEADER || room.is_none_or(|room| room < header_len) {
        return Err(SrtpError::Truncated);
    }
    Ok(())
}

fn xor_into(iv: &mut [u8], bytes: &[u8]) {
    iv.iter_mut().zip(bytes).for_each(|(iv, byte)| *iv ^= byte);
}
