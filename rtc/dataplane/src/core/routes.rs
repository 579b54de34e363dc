//! Which source each sink is to send.

use std::time::Instant;

use super::layers::{Limits, choose};
use super::{Event, Plane, SinkId, SourceId, TransportId};

/// Encodings of one track that are considered: a browser sends three, layers of SVC are within one.
const MAX_ENCODINGS: usize = 8;

impl Plane {
    pub(super) fn route(
        &mut self,
        now: Instant,
        id: SinkId,
        mut sources: Vec<SourceId>,
        limits: Limits,
        priority: u8,
    ) -> Option<()> {
        let sink = self.sinks.get_mut(&id)?;
        sources.truncate(MAX_ENCODINGS);
        sources.retain(|source| self.sources.contains_key(source));
        sink.limits = limits;
        sink.priority = priority;
        let before = std::mem::replace(&mut sink.route, sources.clone());
        for source in before {
            if let Some(source) = self.sources.get_mut(&source) {
                source.routed.retain(|sink| *sink != id);
            }
        }
        for source in sources {
            if let Some(source) = self.sources.get_mut(&source) {
                source.routed.push(id);
            }
        }
        self.choose(now, id);
        Some(())
    }

    /// Something about a source has changed: its sinks may want another now.
    pub(super) fn choose_again(&mut self, now: Instant, id: SourceId) {
        let sinks = self.sources.get(&id).map(|source| source.routed.clone());
        for sink in sinks.unwrap_or_default() {
            self.choose(now, sink);
        }
    }

    /// Decides what a sink should send. The change itself is made by `Sink::serve`.
    pub(super) fn choose(&mut self, now: Instant, id: SinkId) {
        let micros = self.micros(now);
        let Some(sink) = self.sinks.get_mut(&id) else {
            return;
        };
        let layers: Vec<_> = sink
            .route
            .iter()
            .filter_map(|source| self.sources.get(source))
            .map(|source| source.layer(sink.understands(source)))
            .collect();
        let chosen = choose(&layers, sink.limits).map(|index| sink.route[index]);
        let before = sink.listened();
        let on_air = sink.on_air.map(|on_air| on_air.source);
        let still = on_air.filter(|source| {
            let source = self.sources.get(source);
            source.is_some_and(|source| !source.paused && sink.understands(source))
        });
        // Silent is not gone: without anything better the one on air stays where it is.
        let stays = still.filter(|source| sink.route.contains(source));
        let wanted = chosen.or(stays);
        if still.is_none() || wanted.is_none() {
            sink.on_air = None;
        }
        if wanted.is_none() {
            sink.reports.stop();
        }
        if sink.wanted != wanted {
            sink.wanted = wanted;
            sink.wanted_since = micros;
        }
        let is_empty = wanted.is_none() && on_air.is_some();
        let after = sink.listened();
        self.listen(id, before, after);
        self.mark(id);
        if is_empty {
            self.events.push(Event::SinkSwitched {
                sink: id,
                source: None,
            });
        }
    }

    /// Keeps the sources' lists of listeners to what their sinks need.
    pub(super) fn listen(
        &mut self,
        id: SinkId,
        before: [Option<SourceId>; 2],
        after: [Option<SourceId>; 2],
    ) {
        for gone in before
            .into_iter()
            .flatten()
            .filter(|one| !after.contains(&Some(*one)))
        {
            if let Some(source) = self.sources.get_mut(&gone) {
                source.listeners.retain(|sink| *sink != id);
            }
        }
        for new in after
            .into_iter()
            .flatten()
            .filter(|one| !before.contains(&Some(*one)))
        {
            if let Some(source) = self.sources.get_mut(&new) {
                source.listeners.push(id);
            }
        }
    }

    /// The sink is to be served in this batch.
    pub(super) fn mark(&mut self, id: SinkId) {
        let Some(sink) = self.sinks.get_mut(&id).filter(|sink| !sink.marked) else {
            return;
        };
        let Some(transport) = self.transports.get_mut(&sink.transport) else {
            return;
        };
        sink.marked = true;
        if transport.marked.is_empty() {
            self.batch.transports.push(sink.transport);
        }
        transport.marked.push(id);
    }

    /// Media can flow to this peer from now on: its pictures have to begin.
    pub(super) fn became_ready(&mut self, id: TransportId) {
        let Some(transport) = self.transports.get(&id).filter(|found| found.is_ready()) else {
            return;
        };
        for (_, sink) in transport.sinks.clone() {
            self.mark(sink);
        }
    }
}
