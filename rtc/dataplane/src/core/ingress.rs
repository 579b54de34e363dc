//! What a datagram is, and whose.

use std::time::Instant;

use super::{Path, Plane, TransportId};
use crate::wire::demux::{Kind, classify};

impl Plane {
    pub(super) fn take_datagram(&mut self, now: Instant, path: Path, data: &mut [u8]) {
        self.counters.datagrams_received += 1;
        self.counters.bytes_received += data.len() as u64;
        match classify(data) {
            Some(Kind::Stun) => self.take_stun(now, path, data),
            Some(kind) => match self.paths.get(&path) {
                Some(transport) => self.take_from_peer(now, *transport, kind, data),
                None => self.counters.drop_unvalidated += 1,
            },
            None => self.counters.drop_unknown_protocol += 1,
        }
    }

    fn take_from_peer(&mut self, now: Instant, id: TransportId, kind: Kind, data: &mut [u8]) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        transport.stats.packets_received += 1;
        transport.stats.bytes_received += data.len() as u64;
        match kind {
            Kind::Rtp => self.take_rtp(now, id, data),
            Kind::Rtcp => self.take_rtcp(now, id, data),
            Kind::Dtls => {
                if !self.events.push_dtls(id, data) {
                    self.counters.drop_dtls_overflow += 1;
                }
            }
            Kind::Stun => {}
        }
    }
}
