//! Handles. The caller allocates them and never uses one twice.

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
    };
}

handle!(
    /// People who may hear and see each other.
    RoomId
);
handle!(
    /// One peer's ICE, DTLS and SRTP.
    TransportId
);
handle!(
    /// One incoming encoding.
    SourceId
);
handle!(
    /// One outgoing stream.
    SinkId
);
