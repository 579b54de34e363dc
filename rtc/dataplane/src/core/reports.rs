//! RTCP to one peer: what it should send again, how its streams arrive, and when ours were captured.

use std::time::{Duration, Instant};

use super::outbox::Outbox;
use super::sink::Sink;
use super::source::Source;
use super::time::{Clock, Micros};
use super::transport::Transport;
use super::{Path, SinkId, SourceId};
use crate::wire::rtcp::{
    MAX_STATUSES, ReportBlock, SenderInfo, write_cname, write_full_intra_request, write_nacks,
    write_picture_loss, write_receiver_report, write_sender_report,
};

/// How often a publisher hears how its streams arrive (RFC 3550 leaves it to the session's bandwidth; browsers do the same).
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A compound is sent off when it has this many bytes: with the largest single packet it stays below an Ethernet frame.
const ENOUGH: usize = 600;
const _: () = assert!(ENOUGH + MAX_STATUSES < 1200);

/// Blocks of one receiver report.
const MAX_BLOCKS: usize = 31;

/// Missing packets that one NACK can name without growing past a datagram.
const MAX_NACKS: usize = 128;

/// Compounds in the making.
pub struct Reports<'a> {
    transport: &'a mut Transport,
    outbox: &'a mut Outbox,
    path: Path,
    clock: Clock,
    now: Instant,
    bytes: Vec<u8>,
    blocks: Vec<ReportBlock>,
    /// The publisher's reports are due.
    is_time: bool,
}

impl<'a> Reports<'a> {
    /// `None` while nothing can be sent.
    pub fn new(
        transport: &'a mut Transport,
        outbox: &'a mut Outbox,
        clock: Clock,
        now: Instant,
    ) -> Option<Self> {
        let path = transport
            .ice
            .selected()
            .filter(|_| transport.secure.is_some())?;
        let is_time = transport.report_at.is_none_or(|at| at <= now);
        Some(Self {
            transport,
            outbox,
            path,
            clock,
            now,
            bytes: Vec::new(),
            blocks: Vec::new(),
            is_time,
        })
    }

    pub fn sources(&self) -> Vec<SourceId> {
        self.transport.sources.clone()
    }

    pub fn sinks(&self) -> Vec<SinkId> {
        self.transport.sinks.iter().map(|(_, sink)| *sink).collect()
    }

    /// Asks for what is missing; answers how many packets.
    pub fn nacks(&mut self, source: &mut Source) -> u64 {
        let Some(media) = source.ssrc else {
            return 0;
        };
        let mut sequences = Vec::new();
        source
            .nacks
            .ask(self.now, self.transport.rtt(), |sequence| {
                sequences.push(sequence)
            });
        let can_begin_anew = source.config.payloads.iter().any(|payload| payload.pli);
        if source.nacks.take_hopeless() && can_begin_anew && !source.listeners.is_empty() {
            source.keyframes.want();
        }
        let sender = self.transport.ssrc;
        for some in sequences.chunks(MAX_NACKS) {
            write_nacks(&mut self.bytes, sender, media, some);
            self.send_if_enough();
        }
        source.stats.nacks_sent += sequences.len() as u64;
        sequences.len() as u64
    }

    /// Asks for a keyframe if that is due; answers how many requests.
    pub fn keyframe_request(&mut self, source: &mut Source) -> u64 {
        let Some(media) = source.ssrc.filter(|_| source.active) else {
            return 0;
        };
        if !source.keyframes.ask(self.now) {
            return 0;
        }
        let sender = self.transport.ssrc;
        if source.config.payloads.iter().any(|payload| payload.pli) {
            write_picture_loss(&mut self.bytes, sender, media);
        } else {
            let number = &mut self.transport.full_intra_number;
            *number = number.wrapping_add(1);
            write_full_intra_request(&mut self.bytes, sender, media, *number);
        }
        self.send_if_enough();
        if source.is_opaque() {
            source.keyframes.trust();
        }
        source.stats.plis_sent += 1;
        1
    }

    /// A block of the receiver report, if that is due.
    pub fn reception(&mut self, source: &mut Source) {
        let Some(ssrc) = source.ssrc.filter(|_| self.is_time) else {
            return;
        };
        let Some(block) = source.reception.report(self.now) else {
            return;
        };
        self.blocks.push(ReportBlock {
            ssrc,
            fraction_lost: block.fraction_lost,
            cumulative_lost: block.lost,
            highest_sequence: block.highest,
            jitter: block.jitter,
            last_report: block.last_report,
            delay: block.delay,
        });
    }

    /// The receiver report, and transport-wide feedback.
    pub fn feedback(&mut self) {
        let sender = self.transport.ssrc;
        if self.is_time {
            let has_sources = !self.transport.sources.is_empty();
            self.transport.report_at = has_sources.then_some(self.now + REPORT_EVERY);
        }
        for blocks in std::mem::take(&mut self.blocks).chunks(MAX_BLOCKS) {
            write_receiver_report(&mut self.bytes, sender, blocks);
            self.send_if_enough();
        }
        if self.transport.feedback_at.is_none_or(|at| at > self.now) {
            return;
        }
        self.transport.feedback_at = None;
        let media = self.transport.arrivals_ssrc;
        while self
            .transport
            .arrivals
            .write(&mut self.bytes, sender, media)
        {
            self.send_if_enough();
        }
    }

    /// The report about one of our streams, if it is due.
    pub fn sender(
        &mut self,
        sink: &mut Sink,
        source: &Source,
        offset: Option<Micros>,
        cname: &str,
    ) {
        let micros = self.clock.micros(self.now);
        if !sink.reports.take(micros) {
            return;
        }
        let Some(timestamp) = sink.timestamp_at(source, micros, offset) else {
            return;
        };
        let info = SenderInfo {
            ssrc: sink.config.ssrc,
            ntp: self.clock.ntp(self.now),
            timestamp,
            packets: sink.stats.packets as u32,
            octets: sink.stats.octets as u32,
        };
        write_sender_report(&mut self.bytes, &info, &[]);
        write_cname(&mut self.bytes, sink.config.ssrc, cname);
        self.send_if_enough();
    }

    fn send_if_enough(&mut self) {
        if self.bytes.len() >= ENOUGH {
            self.finish();
        }
    }

    /// Sends what there is.
    pub fn finish(&mut self) {
        let Some(secure) = self
            .transport
            .secure
            .as_mut()
            .filter(|_| !self.bytes.is_empty())
        else {
            return;
        };
        let compound = &self.bytes;
        self.outbox.try_send(self.path, |bytes| {
            let start = bytes.len();
            bytes.extend_from_slice(compound);
            secure.protect_rtcp(bytes, start)
        });
        self.bytes.clear();
    }
}
