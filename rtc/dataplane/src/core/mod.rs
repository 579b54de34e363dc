//! The selective forwarding unit without sockets, threads or clocks: datagrams and commands in, datagrams and events out.
//!
//! A datagram travels through the files in this order: `ingress` tells what it is, `ice` or `transport` say whose,
//! `source` takes it in, `forward` gives it to every `sink`, `outbox` makes runs of it.

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
