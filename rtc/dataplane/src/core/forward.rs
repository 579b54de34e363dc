//! From the sources' fresh packets to every receiver's datagrams, one receiver after the other.

use std::time::Instant;

use super::deadlines::Who;
use super::egress::Egress;
use super::sink::Served;
use super::{Event, Kind, Plane, SourceId, TransportId};

impl Plane {
    /// Serves receivers until the outbox is full. Answers whether there was anything to do.
    pub(super) fn forward(&mut self, now: Instant) -> bool {
        if self.batch.forwarding.is_empty() {
            self.begin_forwarding();
        }
        if self.batch.transports.is_empty() && self.batch.forwarding.is_empty() {
            return false;
        }
        while let Some(transport) = self.batch.transports.pop() {
            self.serve(now, transport);
            if self.outbox.is_full() {
                return true;
            }
        }
        self.end_forwarding();
        true
    }

    /// Forwards in the middle of a batch, whatever that makes of the outbox.
    pub(super) fn forward_at_once(&mut self, now: Instant) {
        self.begin_forwarding();
        self.finish_forwarding(now);
    }

    /// Input that comes before a batch was taken whole begins another one: the first is finished here, whatever its size.
    pub(super) fn finish_forwarding(&mut self, now: Instant) {
        if self.batch.forwarding.is_empty() {
            return;
        }
        while let Some(transport) = self.batch.transports.pop() {
            self.serve(now, transport);
        }
        self.end_forwarding();
    }

    fn begin_forwarding(&mut self) {
        std::mem::swap(&mut self.batch.sources, &mut self.batch.forwarding);
        for index in 0..self.batch.forwarding.len() {
            let id = self.batch.forwarding[index];
            let Some(source) = self.sources.get_mut(&id) else {
                continue;
            };
            let listeners = std::mem::take(&mut source.listeners);
            if !source.paused {
                listeners.iter().for_each(|sink| self.mark(*sink));
            }
            if let Some(source) = self.sources.get_mut(&id) {
                source.listeners = listeners;
            }
        }
    }

    fn end_forwarding(&mut self) {
        while let Some(id) = self.batch.forwarding.pop() {
            let Some(source) = self.sources.get_mut(&id) else {
                continue;
            };
            source.forwarded();
            if !source.nacks.is_complete() {
                let transport = source.transport;
                self.notice(transport);
            }
        }
    }

    fn serve(&mut self, now: Instant, id: TransportId) {
        let micros = self.micros(now);
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let mut marked = std::mem::take(&mut transport.marked);
        let ready = transport.ice.selected().zip(transport.secure.as_ref());
        let mut egress = ready.map(|(path, secure)| Egress {
            outbox: &mut self.outbox,
            session: &secure.outgoing,
            path,
            ids: transport.outgoing,
            transport_sequence: &mut transport.transport_sequence,
            now: micros,
            sent: (0, 0),
        });
        let mut changes = Vec::new();
        for sink in &marked {
            let Some(sink) = self.sinks.get_mut(sink) else {
                continue;
            };
            sink.marked = false;
            let before = sink.listened();
            let Some(egress) = &mut egress else {
                sink.take_off_air();
                changes.push((sink.id, before, sink.listened(), Served::default()));
                continue;
            };
            let served = sink.serve(&self.sources, egress);
            self.counters.packets_forwarded += served.packets;
            if served.switched || served.wish.is_some() {
                changes.push((sink.id, before, sink.listened(), served));
            }
        }
        if let Some(egress) = egress {
            let sent = egress.sent;
            transport.note_sent(sent);
        }
        marked.clear();
        transport.marked = marked;
        for (sink, before, after, served) in changes {
            self.listen(sink, before, after);
            if served.switched {
                let source = after[0];
                self.events.push(Event::SinkSwitched { sink, source });
                self.deadlines.ask(Who::Transport(id), now);
            }
            if let Some(wish) = served.wish {
                self.wish_for_keyframe(wish);
            }
        }
    }

    /// Somebody cannot go on without a keyframe of this source.
    pub(super) fn wish_for_keyframe(&mut self, id: SourceId) {
        if let Some(source) = self.sources.get_mut(&id)
            && source.config.kind == Kind::Video
        {
            source.keyframes.want();
            let transport = source.transport;
            self.notice(transport);
        }
    }
}
