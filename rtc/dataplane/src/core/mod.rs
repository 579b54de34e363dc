//! The selective forwarding unit without sockets, threads or clocks: datagrams and commands in, datagrams and events out.
//!
//! A datagram travels through the files in this order: `ingress` tells what it is; `checks` answers STUN with `ice`,
//! `media` opens RTP and finds its source by `streams`, `source` takes it in and keeps it in its `cache`. When the batch
//! is complete, `forward` serves every `sink`, which rewrites with `rewriter` and `timeline` what `egress` encrypts and
//! `outbox` hands out in runs. RTCP comes in by `control` and goes out by `upkeep` and `reports`; `orders` carries out
//! commands and `routes` decides which sink sends what.

#![forbid(unsafe_code)]

mod arrivals;
mod batch;
mod cache;
mod checks;
mod command;
mod config;
mod control;
mod counters;
mod deadlines;
mod egress;
mod event;
mod events;
mod extension_ids;
mod forward;
mod hash;
mod ice;
mod ids;
mod ingress;
mod input;
mod keyframes;
mod layers;
mod media;
mod meter;
mod nacks;
mod orders;
mod outbox;
mod output;
mod packet;
mod plane;
mod pulse;
mod random;
mod reception;
mod red;
mod reporting;
mod reports;
mod resend;
mod rewriter;
mod room;
mod routes;
mod secure;
mod sender_reports;
mod sink;
mod source;
mod speakers;
mod stats;
mod streams;
mod time;
mod timeline;
mod timing;
mod told;
mod transport;
mod upkeep;

pub use command::Command;
pub use config::{Config, Kind, Payload, SinkConfig, SourceConfig, SpeakerConfig, SrtpKeys};
pub use counters::Counters;
pub use event::{Event, SpeakerLevel};
pub use ids::{RoomId, SinkId, SourceId, TransportId};
pub use input::{Input, Path, Protocol};
pub use output::{Output, Transmit};
pub use plane::Plane;
pub use stats::{Scope, SinkStats, SourceStats, StatsReport, TransportStats};

pub use crate::codec::Codec;
pub use crate::srtp::Profile;
pub use crate::wire::extensions::ExtensionKind;
