//! The selective forwarding unit without sockets, threads or clocks: datagrams and commands in, datagrams and events out.
//!
//! A datagram travels through the files in this order: `ingress` tells what it is, `ice` or `transport` say whose,
//! `source` takes it in, `forward` gives it to every `sink`, `outbox` makes runs of it.

#![forbid(unsafe_code)]

mod cache;
mod command;
mod config;
mod counters;
mod deadlines;
mod event;
mod hash;
mod ice;
mod ids;
mod input;
mod keyframes;
mod layers;
mod meter;
mod nacks;
mod outbox;
mod output;
mod packet;
mod plane;
mod pulse;
mod random;
mod rewriter;
mod speakers;
mod stats;
mod time;
mod timeline;
mod timing;

pub use command::Command;
pub use config::{
    Codec, Config, Kind, Payload, Profile, SinkConfig, SourceConfig, SpeakerConfig, SrtpKeys,
};
pub use counters::Counters;
pub use event::{Event, SpeakerLevel};
pub use ids::{RoomId, SinkId, SourceId, TransportId};
pub use input::{Input, Path, Protocol};
pub use output::{Output, Transmit};
pub use plane::Plane;
pub use stats::{Scope, SinkStats, SourceStats, StatsReport, TransportStats};

pub use crate::wire::extensions::ExtensionKind;
