//! Statistics, gathered when they are asked for.

use std::time::Instant;

use super::sink::Sink;
use super::source::Source;
use super::time::Micros;
use super::transport::Transport;
use super::{Plane, Scope, SinkStats, SourceStats, StatsReport, TransportId, TransportStats};

impl Plane {
    pub(super) fn stats(&self, now: Instant, scope: Scope) -> StatsReport {
        let of_room = |room| self.rooms.get(&room).map(|room| room.transports.clone());
        let transports = match scope {
            Scope::Room(room) => of_room(room).unwrap_or_default(),
            Scope::Transport(transport) => vec![transport],
        };
        let mut report = StatsReport::default();
        for id in transports {
            if let Some(transport) = self.transports.get(&id) {
                self.add_transport_stats(self.micros(now), id, transport, &mut report);
            }
        }
        report
    }

    fn add_transport_stats(
        &self,
        now: Micros,
        id: TransportId,
        transport: &Transport,
        report: &mut StatsReport,
    ) {
        report.transports.push(transport_stats(id, transport));
        for source in transport
            .sources
            .iter()
            .filter_map(|id| self.sources.get(id))
        {
            let room = self.rooms.get(&transport.room);
            let voice = room.and_then(|room| room.voices.get(&source.id));
            let mut stats = source_stats(now, source);
            stats.level_dbov = voice.map(|voice| voice.level_dbov());
            report.sources.push(stats);
        }
        let sinks = transport
            .sinks
            .iter()
            .filter_map(|(_, id)| self.sinks.get(id));
        report
            .sinks
            .extend(sinks.map(|sink| self.sink_stats(now, sink)));
    }

    fn sink_stats(&self, now: Micros, sink: &Sink) -> SinkStats {
        let [source, pending] = match (sink.on_air, sink.listened()) {
            (Some(_), listened) => listened,
            (None, _) => [None, sink.wanted],
        };
        let clock_rate = source
            .and_then(|source| self.sources.get(&source))
            .map_or(90_000, |source| source.timing.clock_rate());
        let told = &sink.stats.report;
        SinkStats {
            sink: sink.id,
            transport: sink.transport,
            kind: sink.config.kind,
            source,
            pending,
            packets: sink.stats.packets,
            bytes: sink.stats.octets,
            retransmitted: sink.stats.retransmitted,
            nacks_received: sink.stats.nacks,
            plis_received: sink.stats.plis,
            switches: sink.stats.switches,
            bitrate_bps: sink.meter.bits_per_second(now),
            lost: i64::from(told.cumulative_lost),
            fraction_lost: f64::from(told.fraction_lost) / 256.0,
            jitter_ms: f64::from(told.jitter) * 1000.0 / f64::from(clock_rate),
            rtt_ms: sink.stats.rtt.map(|rtt| rtt as f64 / 1000.0),
        }
    }
}

fn transport_stats(id: TransportId, transport: &Transport) -> TransportStats {
    TransportStats {
        transport: id,
        path: transport.ice.selected(),
        profile: transport
            .secure
            .as_ref()
            .map(|secure| secure.outgoing.profile()),
        packets_received: transport.stats.packets_received,
        bytes_received: transport.stats.bytes_received,
        packets_sent: transport.stats.packets_sent,
        bytes_sent: transport.stats.bytes_sent,
        rtt_ms: transport.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
        remb_bps: transport.remb,
    }
}

fn source_stats(now: Micros, source: &Source) -> SourceStats {
    let clock_rate = f64::from(source.timing.clock_rate());
    let pulse = source.pulse.as_ref().filter(|_| source.active);
    SourceStats {
        source: source.id,
        transport: source.transport,
        kind: source.config.kind,
        ssrc: source.ssrc,
        codec_key: source.codec_key,
        active: source.active,
        paused: source.paused,
        packets: source.stats.packets,
        bytes: source.stats.bytes,
        lost: (source.reception.lost() - source.stats.repaired as i64).max(0) as u64,
        repaired: source.stats.repaired,
        nacks_sent: source.stats.nacks_sent,
        plis_sent: source.stats.plis_sent,
        keyframes: source.stats.keyframes,
        jitter_ms: source.reception.jitter_ticks() * 1000.0 / clock_rate,
        bitrate_bps: source.meter.bits_per_second(now),
        fps: pulse.map_or(0.0, |pulse| pulse.frames_per_second()),
        width: source.size.map(|size| size.0),
        height: source.size.map(|size| size.1),
        cache_bytes: source.cache.memory() as u64,
        level_dbov: None,
    }
}
