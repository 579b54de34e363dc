//! What one batch of input left to be done.
//!
//! Everything here is named once at most, so that its size is bounded by the number of sources and transports.

use super::{SourceId, TransportId};

#[derive(Debug, Default)]
pub struct Batch {
    /// Sources with fresh packets.
    pub sources: Vec<SourceId>,
    /// Those of them that are being forwarded now.
    pub forwarding: Vec<SourceId>,
    /// Transports that have marked sinks.
    pub transports: Vec<TransportId>,
    /// Transports to look after when everything is forwarded.
    pub noticed: Vec<TransportId>,
}
