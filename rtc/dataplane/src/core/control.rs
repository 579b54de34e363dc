//! RTCP from a peer.

use std::time::{Duration, Instant};

use super::egress::Egress;
use super::secure::Deaf;
use super::streams::Role;
use super::time::{from_middle, ntp_micros, ntp_middle};
use super::{Plane, SinkId, TransportId};
use crate::wire::rtcp::{Compound, NackSequences, Packet, ReportBlock, SenderInfo};

impl Plane {
    pub(super) fn take_rtcp(&mut self, now: Instant, id: TransportId, data: &mut [u8]) {
        let secure = self
            .transports
            .get_mut(&id)
            .and_then(|found| found.secure.as_mut());
        let Some(secure) = secure else {
            self.counters.drop_no_keys += 1;
            return;
        };
        match secure.unprotect_rtcp(data) {
            Ok(len) => match Compound::parse(&data[..len]) {
                Ok(compound) => self.take_compound(now, id, compound),
                Err(_) => self.counters.drop_rtcp_malformed += 1,
            },
            Err(Deaf::Malformed) => self.counters.drop_rtcp_malformed += 1,
            Err(Deaf::Replay) => self.counters.drop_rtcp_replay += 1,
            Err(Deaf::Authentication) => self.counters.drop_rtcp_authentication += 1,
        }
    }

    fn take_compound(&mut self, now: Instant, id: TransportId, compound: Compound<'_>) {
        for packet in compound {
            match packet {
                Ok(Packet::SenderReport(info, blocks)) => {
                    self.take_sender_report(now, id, &info);
                    blocks.for_each(|block| self.take_report_block(now, id, block));
                }
                Ok(Packet::ReceiverReport { blocks, .. }) => {
                    blocks.for_each(|block| self.take_report_block(now, id, block));
                }
                Ok(Packet::Nack { media, sequences }) => self.take_nack(now, id, media, sequences),
                Ok(Packet::PictureLoss { media }) => self.take_picture_loss(id, media),
                Ok(Packet::FullIntraRequest(requests)) => {
                    requests.for_each(|(media, _)| self.take_picture_loss(id, media));
                }
                Ok(Packet::Remb(bound)) => {
                    if let Some(transport) = self.transports.get_mut(&id) {
                        transport.remb = Some(bound.bitrate);
                    }
                }
                Ok(Packet::Goodbye(ssrcs)) => {
                    ssrcs.for_each(|ssrc| self.take_goodbye(now, id, ssrc));
                }
                Ok(Packet::SourceDescription | Packet::TransportCc(_) | Packet::Unknown) => {}
                Err(_) => self.counters.drop_rtcp_malformed += 1,
            }
        }
    }

    /// A publisher's time. It tells us how its clocks hang together and goes no further.
    fn take_sender_report(&mut self, now: Instant, id: TransportId, info: &SenderInfo) {
        let arrival = self.micros(now);
        let role = self
            .transports
            .get(&id)
            .map(|found| found.streams.role(info.ssrc));
        let Some(Role::Media(source)) = role else {
            return;
        };
        let Some(source) = self.sources.get_mut(&source) else {
            return;
        };
        let ntp = ntp_micros(info.ntp);
        let is_first = source.timing.report(info.timestamp, ntp);
        source.reception.sender_report(now, info.ntp);
        let mut is_new_line = is_first;
        if let Some((clock, _)) = self.participants.get_mut(&source.config.participant) {
            is_new_line |= clock.observe(arrival, ntp);
        }
        if is_new_line {
            for sink in source.listeners.clone() {
                self.burst(now, sink);
            }
        }
    }

    /// A stream ends: no need to wait until it is missed.
    fn take_goodbye(&mut self, now: Instant, id: TransportId, ssrc: u32) {
        let role = self
            .transports
            .get(&id)
            .map(|found| found.streams.role(ssrc));
        if let Some(Role::Media(source)) = role
            && self
                .sources
                .get(&source)
                .is_some_and(|source| source.active)
        {
            self.set_idle(now, source);
        }
    }

    /// The line from a sink's timestamps to our time has moved: say so at once.
    fn burst(&mut self, now: Instant, id: SinkId) {
        let micros = self.micros(now);
        if let Some(sink) = self.sinks.get_mut(&id).filter(|sink| sink.on_air.is_some()) {
            sink.reports.burst(micros);
            let transport = sink.transport;
            self.notice(transport);
        }
    }

    fn take_report_block(&mut self, now: Instant, id: TransportId, block: ReportBlock) {
        let clock = self.clock(now);
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let sink = transport
            .sink(block.ssrc)
            .and_then(|sink| self.sinks.get_mut(&sink));
        let Some(sink) = sink else {
            return;
        };
        sink.stats.report = block;
        if block.last_report == 0 {
            return;
        }
        // RFC 3550 section 6.4.1. A receiver's delay may be rounded past the time that has passed.
        let passed = ntp_middle(clock.ntp(now)).wrapping_sub(block.last_report);
        let rtt = from_middle(passed.saturating_sub(block.delay));
        if rtt < MOST_BELIEVED_RTT {
            sink.stats.rtt = Some(rtt.as_micros() as i64);
            transport.note_rtt(rtt);
        }
    }

    fn take_nack(
        &mut self,
        now: Instant,
        id: TransportId,
        media: u32,
        sequences: NackSequences<'_>,
    ) {
        let micros = self.micros(now);
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let most = transport.may_resend(micros);
        let sink = transport
            .sink(media)
            .and_then(|sink| self.sinks.get_mut(&sink));
        let ready = transport.ice.selected().zip(transport.secure.as_ref());
        let (Some(sink), Some((path, secure))) = (sink, ready) else {
            return;
        };
        let mut egress = Egress {
            outbox: &mut self.outbox,
            session: &secure.outgoing,
            path,
            ids: transport.outgoing,
            transport_sequence: &mut transport.transport_sequence,
            now: micros,
            sent: (0, 0),
        };
        let mut resent = 0;
        for number in sequences {
            self.counters.nacks_received += 1;
            sink.stats.nacks += 1;
            if resent < most && sink.resend(number, &self.sources, &mut egress) {
                resent += 1;
            }
        }
        let sent = egress.sent;
        transport.note_sent(sent);
        self.counters.packets_retransmitted += u64::from(resent);
        transport.note_resent(resent);
    }

    /// What PLI and FIR ask for is the same; for an empty slot there is nobody to ask.
    fn take_picture_loss(&mut self, id: TransportId, media: u32) {
        self.counters.plis_received += 1;
        let sink = self.transports.get(&id).and_then(|found| found.sink(media));
        let Some(sink) = sink.and_then(|sink| self.sinks.get_mut(&sink)) else {
            return;
        };
        sink.stats.plis += 1;
        for source in sink.listened().into_iter().flatten() {
            self.wish_for_keyframe(source);
        }
    }
}

/// More than this is a report about another sender's report, or a lie.
const MOST_BELIEVED_RTT: Duration = Duration::from_secs(30);
