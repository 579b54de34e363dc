//! What the owner of a plane may ask of it. A command for a handle that is gone is ignored and counted.

use super::{
    ExtensionKind, RoomId, Scope, SinkConfig, SinkId, SourceConfig, SourceId, SpeakerConfig,
    SrtpKeys, TransportId,
};

/// One order. They take effect one after the other, in the order given.
#[derive(Clone, Debug)]
pub enum Command {
    AddRoom {
        room: RoomId,
        speakers: SpeakerConfig,
    },
    /// Ends its transports too.
    RemoveRoom {
        room: RoomId,
    },
    /// One peer: `local_ufrag` and `local_pwd` are ours, as announced in the answer.
    AddTransport {
        transport: TransportId,
        room: RoomId,
        local_ufrag: String,
        local_pwd: String,
    },
    /// New ICE credentials; the old ones hold until the first valid check on the new ones.
    RestartIce {
        transport: TransportId,
        local_ufrag: String,
        local_pwd: String,
    },
    /// Ends its sources and sinks too.
    CloseTransport {
        transport: TransportId,
    },
    /// To the selected path; dropped and counted while there is none.
    SendDtls {
        transport: TransportId,
        data: Vec<u8>,
    },
    /// What the DTLS handshake gave. From here on RTP flows.
    SetSrtp {
        transport: TransportId,
        keys: SrtpKeys,
    },
    /// The ids of RFC 8285 that this peer's session uses, towards us and from us.
    SetExtensions {
        transport: TransportId,
        incoming: Vec<(u8, ExtensionKind)>,
        outgoing: Vec<(u8, ExtensionKind)>,
    },
    AddSource {
        source: SourceId,
        transport: TransportId,
        config: SourceConfig,
    },
    RemoveSource {
        source: SourceId,
    },
    /// Muted by the server: still received, not forwarded.
    PauseSource {
        source: SourceId,
        paused: bool,
    },
    AddSink {
        sink: SinkId,
        transport: TransportId,
        config: SinkConfig,
    },
    RemoveSink {
        sink: SinkId,
    },
    /// What a sink is to send from now on.
    Route {
        sink: SinkId,
        /// The encodings of one track, lowest first. Empty: nothing.
        sources: Vec<SourceId>,
        /// Pixels. The lowest living encoding is taken even where it is higher.
        max_height: Option<u16>,
        /// Frames per second.
        max_fps: Option<u16>,
        /// Higher is more important.
        priority: u8,
    },
    /// Answered by `Event::Stats` with the same token.
    RequestStats {
        token: u64,
        scope: Scope,
    },
}
