//! Events that wait for the driver.
//!
//! Bound: datagrams of DTLS are counted per transport (`MAX_DTLS`), everything else follows from single inputs and is
//! drained before the next batch.

use std::collections::VecDeque;

use super::hash::FastMap;
use super::{Event, TransportId};

/// A flight of a handshake is ten datagrams at most; 64 leave room for SCTP behind it. More are dropped, as by a network.
const MAX_DTLS: usize = 64;

#[derive(Debug, Default)]
pub struct Events {
    queue: VecDeque<Event>,
    dtls: FastMap<TransportId, usize>,
}

impl Events {
    pub fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    /// Answers false, and drops it, when too many wait already.
    pub fn push_dtls(&mut self, transport: TransportId, data: &[u8]) -> bool {
        let waiting = self.dtls.entry(transport).or_default();
        if *waiting >= MAX_DTLS {
            return false;
        }
        *waiting += 1;
        let data = data.to_vec();
        self.push(Event::Dtls { transport, data });
        true
    }

    pub fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        if let Event::Dtls { transport, .. } = &event
            && let Some(waiting) = self.dtls.get_mut(transport)
        {
            *waiting -= 1;
            if *waiting == 0 {
                self.dtls.remove(transport);
            }
        }
        Some(event)
    }
}
