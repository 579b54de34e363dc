//! One outgoing stream: constant SSRC, whatever source is behind it.

use super::cache::Cached;
use super::egress::{Egress, Parcel};
use super::hash::FastMap;
use super::layers::Limits;
use super::meter::Meter;
use super::packet::Packet;
use super::random::Random;
use super::resend::{Repetitions, Stamps};
use super::rewriter::{Place, Rewriter, Shift};
use super::sender_reports::SenderReports;
use super::source::Source;
use super::time::Micros;
use super::timeline::{Moment, Timeline};
use super::{Codec, Payload, SinkConfig, SinkId, SourceId, TransportId, red};
use crate::srtp::roc;
use crate::wire::rtcp::ReportBlock;
use crate::wire::rtp::Fields;

/// The source whose packets go out, and which of its beginnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnAir {
    pub source: SourceId,
    pub epoch: u32,
}

#[derive(Debug)]
pub struct Sink {
    pub id: SinkId,
    pub transport: TransportId,
    pub config: SinkConfig,
    /// One track's encodings, lowest first.
    pub route: Vec<SourceId>,
    pub limits: Limits,
    pub priority: u8,
    pub on_air: Option<OnAir>,
    /// The one that should be on air; what is there stays until this one's keyframe.
    pub wanted: Option<SourceId>,
    pub wanted_since: Micros,
    /// Its transport serves it in this batch.
    pub marked: bool,
    pub reports: SenderReports,
    rewriter: Rewriter,
    timeline: Timeline,
    first_timestamp: u32,
    rtx_sequence: u64,
    repetitions: Repetitions,
    stamps: Stamps,
    pub meter: Meter,
    pub stats: Totals,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub packets: u64,
    /// Payload bytes, as sender reports count them.
    pub octets: u64,
    pub retransmitted: u64,
    pub nacks: u64,
    pub plis: u64,
    pub switches: u64,
    /// What the receiver told last.
    pub report: ReportBlock,
    pub rtt: Option<Micros>,
}

/// What serving a sink brought about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    pub packets: u64,
    pub switched: bool,
    /// Ask this source for a keyframe.
    pub wish: Option<SourceId>,
}

/// How a packet goes out on this sink.
struct Form<'a> {
    payload: &'a [u8],
    to: Payload,
}

impl Sink {
    pub fn new(
        id: SinkId,
        transport: TransportId,
        config: SinkConfig,
        random: &mut Random,
    ) -> Self {
        Self {
            id,
            transport,
            config,
            route: Vec::new(),
            limits: Limits::default(),
            priority: 0,
            on_air: None,
            wanted: None,
            wanted_since: 0,
            marked: false,
            reports: SenderReports::default(),
            rewriter: Rewriter::new(random.first_sequence_number()),
            timeline: Timeline::default(),
            first_timestamp: random.next_u32(),
            rtx_sequence: random.first_sequence_number(),
            repetitions: Repetitions::default(),
            stamps: Stamps::default(),
            meter: Meter::default(),
            stats: Totals::default(),
        }
    }

    /// The sources whose packets it needs: on air and wanted.
    pub fn listened(&self) -> [Option<SourceId>; 2] {
        let on_air = self.on_air.map(|on_air| on_air.source);
        [on_air, self.wanted.filter(|wanted| Some(*wanted) != on_air)]
    }

    /// Whether this receiver can be given what the source sends.
    pub fn understands(&self, source: &Source) -> bool {
        let payloads = &source.config.payloads;
        let knows = |payload: &Payload| self.payload(payload.codec_key).is_some();
        let now = source
            .codec_key
            .and_then(|key| payloads.iter().find(|one| one.codec_key == key));
        match now {
            Some(payload) if payload.codec != Codec::Red => knows(payload),
            _ => payloads.iter().any(knows),
        }
    }

    fn payload(&self, codec_key: u32) -> Option<&Payload> {
        self.config
            .payloads
            .iter()
            .find(|payload| payload.codec_key == codec_key)
    }

    /// Nothing can be sent at present: begin anew at a keyframe, without a hole for what was not sent.
    pub fn take_off_air(&mut self) {
        self.on_air = None;
    }

    /// Sends what came for it in this batch.
    pub fn serve(
        &mut self,
        sources: &FastMap<SourceId, Source>,
        egress: &mut Egress<'_>,
    ) -> Served {
        let mut served = Served::default();
        if let Some(on_air) = self.on_air
            && let Some(source) = sources.get(&on_air.source)
        {
            for sequence in &source.fresh {
                if source.epoch == on_air.epoch || !source.is_current(*sequence) {
                    served.packets += u64::from(self.forward(source, *sequence, egress));
                }
            }
        }
        if let Some(source) = self.wanted.and_then(|wanted| sources.get(&wanted)) {
            let next = OnAir {
                source: source.id,
                epoch: source.epoch,
            };
            if self.on_air != Some(next) {
                self.try_switch(source, next, egress, &mut served);
            }
        }
        served
    }

    fn try_switch(
        &mut self,
        source: &Source,
        next: OnAir,
        egress: &mut Egress<'_>,
        served: &mut Served,
    ) {
        let since = self.on_air.map(|_| self.wanted_since);
        let joint = source.joint(egress.now, since);
        let Some((first, cached)) = joint.and_then(|first| Some((first, source.cache.get(first)?)))
        else {
            // Whoever waits sees to it that it is not in vain: a keyframe may have passed that could not be used.
            served.wish = (!source.keyframes.is_wanted()).then_some(source.id);
            return;
        };
        let packet = cached.packet;
        let shift = self.timeline.shift(
            self.config.kind,
            source.timing.clock_rate(),
            moment(packet, packet.timestamp),
            self.first_timestamp,
        );
        self.rewriter
            .switch(source.id, first, shift, packet.picture);
        self.on_air = Some(next);
        self.stats.switches += 1;
        served.switched = true;
        for sequence in first..=source.highest().unwrap_or(first) {
            served.packets += u64::from(self.forward(source, sequence, egress));
        }
        self.reports.burst(egress.now);
    }

    /// Answers whether it went out.
    fn forward(&mut self, source: &Source, sequence: u64, egress: &mut Egress<'_>) -> bool {
        let Some(cached) = source.cache.get(sequence) else {
            return false;
        };
        let Some(form) = self.form(source, &cached) else {
            self.rewriter.skip(sequence);
            return false;
        };
        if form.payload.is_empty() && self.rewriter.skip(sequence) {
            return false;
        }
        let Some(place) = self.rewriter.place(sequence, cached.packet.picture) else {
            return false;
        };
        let timestamp = cached.packet.timestamp.wrapping_add(place.shift.timestamp);
        let number = place.sequence as u16;
        let parcel = self.parcel(&cached, &form, &place, number, self.config.ssrc, form.to.pt);
        let Some((_, stamp)) = egress.send(&parcel) else {
            return false;
        };
        if self.config.rtx_ssrc.is_none() && form.to.nack {
            self.stamps.note(number, stamp);
        }
        self.timeline.sent(moment(cached.packet, timestamp));
        self.stats.packets += 1;
        self.stats.octets += form.payload.len() as u64;
        self.meter.add(egress.now, form.payload.len());
        true
    }

    /// Answers a receiver's question for the packet of this number; whether it was sent again.
    pub fn resend(
        &mut self,
        number: u16,
        sources: &FastMap<SourceId, Source>,
        egress: &mut Egress<'_>,
    ) -> bool {
        self.try_resend(number, sources, egress).is_some()
    }

    fn try_resend(
        &mut self,
        number: u16,
        sources: &FastMap<SourceId, Source>,
        egress: &mut Egress<'_>,
    ) -> Option<()> {
        let origin = self.rewriter.origin(number)?;
        let source = sources.get(&origin.source)?;
        let cached = source.cache.get(origin.sequence)?;
        let form = self.form(source, &cached)?;
        let place = Place {
            sequence: origin.out,
            shift: origin.shift,
        };
        let repair = self.config.rtx_ssrc.zip(form.to.rtx_pt);
        let stamp = self.stamps.get(number);
        if repair.is_none() && stamp.is_none() {
            return None;
        }
        let rtt = self.stats.rtt.unwrap_or(0);
        if !self.repetitions.allow(number, egress.now, rtt) {
            return None;
        }
        match repair {
            Some((ssrc, pt)) => {
                let place = Place {
                    sequence: self.rtx_sequence,
                    shift: place.shift,
                };
                let mut parcel =
                    self.parcel(&cached, &form, &place, self.rtx_sequence as u16, ssrc, pt);
                parcel.original = Some(number);
                egress.send(&parcel)?;
                self.rtx_sequence += 1;
            }
            None => {
                let mut parcel =
                    self.parcel(&cached, &form, &place, number, self.config.ssrc, form.to.pt);
                parcel.stamp = stamp;
                egress.send(&parcel)?;
            }
        }
        self.stats.retransmitted += 1;
        Some(())
    }

    fn parcel<'a>(
        &'a self,
        cached: &Cached<'a>,
        form: &Form<'a>,
        place: &Place,
        sequence_number: u16,
        ssrc: u32,
        payload_type: u8,
    ) -> Parcel<'a> {
        let Shift {
            timestamp,
            picture,
            tl0,
        } = place.shift;
        Parcel {
            fields: Fields {
                marker: cached.packet.marker,
                payload_type,
                sequence_number,
                timestamp: cached.packet.timestamp.wrapping_add(timestamp),
                ssrc,
            },
            roc: roc(place.sequence),
            mid: &self.config.mid,
            transport_cc: form.to.transport_cc,
            kept: cached.extensions,
            original: None,
            payload: form.payload,
            picture: cached.packet.picture.map(|_| (picture, tl0)),
            stamp: None,
        }
    }

    fn form<'a>(&self, source: &Source, cached: &Cached<'a>) -> Option<Form<'a>> {
        let from = source
            .config
            .payloads
            .get(usize::from(cached.packet.payload))?;
        if let Some(to) = self.payload(from.codec_key) {
            return Some(Form {
                payload: cached.payload,
                to: *to,
            });
        }
        if from.codec != Codec::Red {
            return None;
        }
        let (pt, payload) = red::primary(cached.payload)?;
        let from = source.config.payloads.iter().find(|one| one.pt == pt)?;
        let to = *self.payload(from.codec_key)?;
        Some(Form { payload, to })
    }

    /// The timestamp of what is captured at `at`, for a sender report.
    pub fn timestamp_at(&self, source: &Source, at: Micros, offset: Option<Micros>) -> Option<u32> {
        let shift = self.rewriter.shift()?;
        Some(
            source
                .timing
                .timestamp_at(at, offset)?
                .wrapping_add(shift.timestamp),
        )
    }
}

fn moment(packet: &Packet, timestamp: u32) -> Moment {
    Moment {
        timestamp,
        captured: packet.captured,
        arrival: packet.arrival,
    }
}
