//! What is agreed before a packet flows.

use std::time::Duration;

use crate::codec::Codec;
use crate::srtp::Profile;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Audio,
    Video,
}

/// One payload type of a section, as negotiated there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    pub pt: u8,
    pub codec: Codec,
    /// Equal exactly where two payloads may be forwarded into each other (name, profile, channels).
    pub codec_key: u32,
    /// Ticks per second of the RTP timestamp.
    pub clock_rate: u32,
    pub rtx_pt: Option<u8>,
    pub nack: bool,
    pub pli: bool,
    pub transport_cc: bool,
}

/// One incoming encoding: by SSRC where it was signalled, else learnt from MID and RID.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    pub kind: Kind,
    pub mid: String,
    pub rid: Option<String>,
    pub ssrc: Option<u32>,
    pub rtx_ssrc: Option<u32>,
    pub payloads: Vec<Payload>,
    /// Sources of one participant share a clock.
    pub participant: u32,
}

/// One outgoing stream.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    pub kind: Kind,
    pub mid: String,
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
    pub payloads: Vec<Payload>,
}

/// The two halves of what DTLS exported, as seen from here.
#[derive(Clone)]
pub struct SrtpKeys {
    pub profile: Profile,
    pub local_key: Vec<u8>,
    pub local_salt: Vec<u8>,
    pub remote_key: Vec<u8>,
    pub remote_salt: Vec<u8>,
}

impl std::fmt::Debug for SrtpKeys {
    /// Keys do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SrtpKeys")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// How a room's speakers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeakerConfig {
    /// How many of the loudest are told.
    pub count: usize,
    /// Shortest time between two events.
    pub interval: Duration,
}

impl Default for SpeakerConfig {
    fn default() -> Self {
        Self {
            count: 8,
            interval: Duration::from_millis(100),
        }
    }
}

/// What holds for a whole plane.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our name in sender reports. One for all: every stream from here runs on one clock (RFC 7022).
    pub cname: String,
    /// How long a path lives without a valid check (RFC 7675: 30 s).
    pub consent: Duration,
    /// Unix time at the first input, for the clock in sender reports.
    pub unix_time: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cname: "hubbub".to_owned(),
            consent: Duration::from_secs(30),
            unix_time: Duration::ZERO,
        }
    }
}
