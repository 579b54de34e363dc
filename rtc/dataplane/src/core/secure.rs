//! One peer's SRTP: both directions, and what keeps its RTCP from being played to us twice.

use super::SrtpKeys;
use crate::srtp::{MAX_RTCP_INDEX, ReplayWindow, Session, SrtpError};

/// Senders of RTCP behind one peer that are told apart: browsers use one per stream. Of more, the oldest is forgotten, and
/// with it what it said before.
const MAX_SENDERS: usize = 64;

#[derive(Debug)]
pub struct Secure {
    pub outgoing: Session,
    pub incoming: Session,
    /// Of the next compound that we send, whichever stream of ours it speaks for.
    rtcp_index: u32,
    senders: Vec<(u32, ReplayWindow)>,
}

/// Why a compound is not listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deaf {
    Malformed,
    Replay,
    Authentication,
}

impl Secure {
    pub fn new(keys: &SrtpKeys) -> Result<Self, SrtpError> {
        Ok(Self {
            outgoing: Session::new(keys.profile, &keys.local_key, &keys.local_salt)?,
            incoming: Session::new(keys.profile, &keys.remote_key, &keys.remote_salt)?,
            rtcp_index: 0,
            senders: Vec::new(),
        })
    }

    /// Appends the tag and index to the compound in `bytes[start..]`. `None` when the 2^31 indexes are used up.
    pub fn protect_rtcp(&mut self, bytes: &mut Vec<u8>, start: usize) -> Option<()> {
        if self.rtcp_index == MAX_RTCP_INDEX {
            return None;
        }
        self.rtcp_index += 1;
        self.outgoing
            .protect_rtcp(bytes, start, self.rtcp_index)
            .ok()
    }

    /// Opens a compound in place and answers its length.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Deaf> {
        let index = self
            .incoming
            .rtcp_index(packet)
            .map_err(|_| Deaf::Malformed)?;
        let sender = packet[4..].first_chunk().ok_or(Deaf::Malformed)?;
        let sender = u32::from_be_bytes(*sender);
        let index = u64::from(index);
        let known = self.senders.iter().position(|(ssrc, _)| *ssrc == sender);
        if known.is_some_and(|at| !self.senders[at].1.check(index)) {
            return Err(Deaf::Replay);
        }
        let len = self
            .incoming
            .unprotect_rtcp(packet)
            .map_err(|_| Deaf::Authentication)?;
        let at = known.unwrap_or_else(|| self.add_sender(sender));
        self.senders[at].1.accept(index);
        Ok(len)
    }

    fn add_sender(&mut self, ssrc: u32) -> usize {
        if self.senders.len() == MAX_SENDERS {
            self.senders.remove(0);
        }
        self.senders.push((ssrc, ReplayWindow::default()));
        self.senders.len() - 1
    }
}
