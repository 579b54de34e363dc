//! What a transport needs when its time has come: consent, silent layers, reports and requests.

use std::time::{Duration, Instant};

use super::deadlines::Who;
use super::reports::Reports;
use super::source::Source;
use super::{Event, Plane, SourceId, TransportId};

impl Plane {
    pub(super) fn look_after(&mut self, now: Instant, id: TransportId) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        transport.noticed = false;
        if transport
            .ice
            .deadline(self.config.consent)
            .is_some_and(|at| at <= now)
        {
            let change = transport.ice.expire(now, self.config.consent);
            self.change_paths(now, id, change);
        }
        self.bury_layers(now, id);
        self.report(now, id);
        if let Some(next) = self.next_time(now, id) {
            self.deadlines.ask(Who::Transport(id), next);
        }
    }

    /// Notices encodings that are silent while their siblings are not, and sources that are silent altogether.
    fn bury_layers(&mut self, now: Instant, id: TransportId) {
        let sources = self
            .transports
            .get(&id)
            .map(|transport| transport.sources.clone());
        for source in sources.unwrap_or_default() {
            if self.is_idle(now, source) {
                self.set_idle(now, source);
            } else if self.is_outlived(now, source) {
                if let Some(source) = self.sources.get_mut(&source) {
                    source.dead = true;
                }
                self.choose_again(now, source);
            }
        }
    }

    fn is_idle(&self, now: Instant, id: SourceId) -> bool {
        let source = self.sources.get(&id).filter(|source| source.active);
        let pulse = source.and_then(|source| source.pulse.as_ref());
        pulse.is_some_and(|pulse| pulse.is_idle(now))
    }

    pub(super) fn set_idle(&mut self, now: Instant, id: SourceId) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.active = false;
            self.events.push(Event::SourceIdle { source: id });
            self.choose_again(now, id);
        }
    }

    fn is_outlived(&self, now: Instant, id: SourceId) -> bool {
        let living = |source: &&Source| source.active && !source.dead;
        let source = self.sources.get(&id).filter(living);
        let Some(pulse) = source.and_then(|source| source.pulse) else {
            return false;
        };
        if pulse.deadline() > now {
            return false;
        }
        let siblings = self.siblings(id);
        let mut others = siblings.iter().filter(|other| **other != id);
        others.any(|other| {
            let other = self.sources.get(other).filter(living);
            let beats = other.and_then(|other| other.pulse.as_ref());
            beats.is_some_and(|other| pulse.is_outlived_by(other, now))
        })
    }

    /// Writes every RTCP packet that is due.
    fn report(&mut self, now: Instant, id: TransportId) {
        let clock = self.clock(now);
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let Some(mut reports) = Reports::new(transport, &mut self.outbox, clock, now) else {
            return;
        };
        for source in reports.sources() {
            if let Some(source) = self.sources.get_mut(&source) {
                self.counters.nacks_sent += reports.nacks(source);
                self.counters.plis_sent += reports.keyframe_request(source);
                reports.reception(source);
            }
        }
        reports.feedback();
        for sink in reports.sinks() {
            let Some(sink) = self.sinks.get_mut(&sink) else {
                continue;
            };
            let on_air = sink
                .on_air
                .and_then(|on_air| self.sources.get(&on_air.source));
            if let Some(source) = on_air {
                let participant = self.participants.get(&source.config.participant);
                let offset = participant.and_then(|(clock, _)| clock.offset());
                reports.sender(sink, source, offset, &self.config.cname);
            }
        }
        reports.finish();
    }

    fn next_time(&self, now: Instant, id: TransportId) -> Option<Instant> {
        let transport = self.transports.get(&id)?;
        let sources = transport
            .sources
            .iter()
            .filter_map(|source| self.sources.get(source));
        let ready = transport.is_ready();
        let sources = sources.filter_map(|source| {
            let rtt = ready.then(|| transport.rtt());
            next_of_source(now, source, rtt)
        });
        let micros = self.micros(now);
        let sinks = transport
            .sinks
            .iter()
            .filter_map(|(_, sink)| self.sinks.get(sink));
        let sinks = sinks
            .filter(|sink| ready && sink.on_air.is_some())
            .filter_map(|sink| sink.reports.deadline())
            .map(|at| now + Duration::from_micros((at - micros).max(0) as u64));
        let own = [
            transport.ice.deadline(self.config.consent),
            transport.feedback_at.filter(|_| ready),
            transport.report_at.filter(|_| ready),
        ];
        let next = own.into_iter().flatten().chain(sources).chain(sinks).min();
        // Whatever could not be done now must not keep us awake.
        next.map(|next| next.max(now + SHORTEST_SLEEP))
    }
}

/// `rtt` is absent while nothing can be asked for.
fn next_of_source(now: Instant, source: &Source, rtt: Option<Duration>) -> Option<Instant> {
    let pulse = source.pulse.as_ref().filter(|_| source.active);
    let beat = pulse.map(|pulse| pulse.next_look(now, source.dead));
    let nack = rtt.and_then(|rtt| source.nacks.deadline(rtt));
    let keyframe = source
        .keyframes
        .deadline(now)
        .filter(|_| rtt.is_some() && source.active);
    [nack, keyframe, beat].into_iter().flatten().min()
}

/// Deadlines are kept to within this.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);
