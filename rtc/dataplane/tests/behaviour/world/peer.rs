//! One client: ICE, SRTP in both directions, everything that it publishes and watches.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use _dataplane::core::{Path, Profile, SrtpKeys, TransportId};
use _dataplane::srtp::{RocEstimator, Session, roc};
use _dataplane::wire::demux::{Kind, classify};
use _dataplane::wire::rtcp::{
    Compound, Packet, ReportBlock, SenderInfo, write_nacks, write_picture_loss,
    write_receiver_report, write_sender_report,
};
use _dataplane::wire::rtp::Header;
use _dataplane::wire::stun::{BindingRequest, Class, IntegrityKey, Message, write_binding_request};

use super::camera::{Camera, Outgoing};
use super::microphone::Microphone;
use super::ms;
use super::viewer::{Received, Viewer};

const CHECK_EVERY: Duration = Duration::from_millis(2500);
const ASK_EVERY: Duration = Duration::from_millis(10);

pub struct Peer {
    pub transport: TransportId,
    pub path: Path,
    pub ufrag: String,
    pub password: String,
    pub keys: SrtpKeys,
    pub outgoing: Session,
    pub incoming: Session,
    pub cameras: Vec<Camera>,
    pub microphones: Vec<Microphone>,
    pub viewers: Vec<Viewer>,
    /// What the plane asks of and tells us.
    pub rtcp: Vec<(Instant, Told)>,
    /// Transport-wide numbers in the order in which packets came.
    pub transport_sequences: Vec<u16>,
    /// Answers to checks: error code, or none for success.
    pub answers: Vec<Option<u16>>,
    pub checks: bool,
    /// Its own NTP clock is this far ahead of ours; set to make it send reports each second.
    pub ntp_ahead: Option<Duration>,
    born: Instant,
    next_check: Instant,
    next_ask: Instant,
    next_report: Instant,
    rtcp_index: u32,
    transport_sequence: u16,
    sent: BTreeMap<u32, RocEstimator>,
    received: BTreeMap<u32, RocEstimator>,
    transactions: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    PictureLoss(u32),
    FullIntra(u32),
    Nack(u32, Vec<u16>),
    Block(ReportBlock),
    Sender(SenderInfo),
    /// Number and arrival in µs.
    Arrivals(Vec<(u16, Option<i64>)>),
}

impl Peer {
    pub fn new(transport: TransportId, path: Path, profile: Profile) -> Self {
        let key = |salt: u8, len: usize| vec![transport.0 as u8 ^ salt; len];
        let keys = SrtpKeys {
            profile,
            local_key: key(1, profile.key_len()),
            local_salt: key(2, profile.salt_len()),
            remote_key: key(3, profile.key_len()),
            remote_salt: key(4, profile.salt_len()),
        };
        let session = |key: &[u8], salt: &[u8]| Session::new(profile, key, salt).expect("lengths");
        let now = Instant::now();
        Self {
            transport,
            path,
            ufrag: format!("ufrag{}", transport.0),
            password: format!("password-of-{}", transport.0),
            outgoing: session(&keys.remote_key, &keys.remote_salt),
            incoming: session(&keys.local_key, &keys.local_salt),
            keys,
            cameras: Vec::new(),
            microphones: Vec::new(),
            viewers: Vec::new(),
            rtcp: Vec::new(),
            transport_sequences: Vec::new(),
            answers: Vec::new(),
            checks: false,
            ntp_ahead: None,
            born: now,
            next_check: now,
            next_ask: now,
            next_report: now,
            rtcp_index: 0,
            transport_sequence: 0,
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
            transactions: 0,
        }
    }

    pub fn start_checks(&mut self, now: Instant) {
        self.checks = true;
        self.born = now;
        self.next_check = now;
        self.next_ask = now;
        self.next_report = now;
    }

    pub fn check(&mut self, use_candidate: bool) -> Vec<u8> {
        self.check_as(use_candidate, true)
    }

    pub fn check_as(&mut self, use_candidate: bool, controlling: bool) -> Vec<u8> {
        self.transactions += 1;
        let mut transaction_id = [0; 12];
        transaction_id[4..].copy_from_slice(&self.transactions.to_be_bytes());
        let request = BindingRequest {
            transaction_id,
            username: &format!("{}:theirs", self.ufrag),
            priority: 1,
            use_candidate,
            controlling,
            tie_breaker: 1,
        };
        let mut bytes = Vec::new();
        write_binding_request(
            &mut bytes,
            &request,
            &IntegrityKey::new(self.password.as_bytes()),
        );
        bytes
    }

    pub fn deadline(&self) -> Option<Instant> {
        let cameras = self.cameras.iter().filter_map(Camera::deadline);
        let microphones = self.microphones.iter().filter_map(Microphone::deadline);
        let asks = self
            .viewers
            .iter()
            .any(|viewer| viewer.asks && !viewer.packets.is_empty());
        let own = [
            self.checks.then_some(self.next_check),
            asks.then_some(self.next_ask),
            self.ntp_ahead.map(|_| self.next_report),
        ];
        own.into_iter()
            .flatten()
            .chain(cameras)
            .chain(microphones)
            .min()
    }

    pub fn tick(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        if self.checks && self.next_check <= now {
            self.next_check = now + CHECK_EVERY;
            out.push(self.check(true));
        }
        let mut packets = Vec::new();
        for camera in &mut self.cameras {
            packets.extend(camera.tick(now).into_iter().map(|packet| (packet, None)));
        }
        for microphone in &mut self.microphones {
            let level = Some(microphone.level);
            packets.extend(
                microphone
                    .tick(now)
                    .into_iter()
                    .map(|packet| (packet, level)),
            );
        }
        for (packet, level) in packets {
            out.push(self.protect(&packet, level));
        }
        if self.next_ask <= now {
            self.next_ask = now + ASK_EVERY;
            out.extend(self.ask(now));
        }
        if let Some(ahead) = self.ntp_ahead.filter(|_| self.next_report <= now) {
            self.next_report = now + ms(1000);
            out.extend(self.sender_reports(now, ahead));
        }
        out
    }

    pub fn protect(&mut self, packet: &Outgoing, level: Option<u8>) -> Vec<u8> {
        let (bytes, header) = packet.write(self.transport_sequence, level);
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        self.seal(bytes, header)
    }

    /// Encrypts a packet as it is.
    pub fn seal(&mut self, mut bytes: Vec<u8>, header: usize) -> Vec<u8> {
        let parsed = Header::parse(&bytes).expect("our own packet");
        let estimator = self.sent.entry(parsed.ssrc).or_default();
        let index = estimator.estimate(parsed.sequence_number);
        estimator.update(index);
        bytes.resize(bytes.len() + self.outgoing.profile().rtp_overhead(), 0);
        self.outgoing
            .protect_rtp(&mut bytes, header, roc(index))
            .expect("room for the tag");
        bytes
    }

    pub fn seal_rtcp(&mut self, mut compound: Vec<u8>) -> Vec<u8> {
        self.rtcp_index += 1;
        self.outgoing
            .protect_rtcp(&mut compound, 0, self.rtcp_index)
            .expect("a whole compound");
        compound
    }

    fn ask(&mut self, now: Instant) -> Option<Vec<u8>> {
        let mut compound = Vec::new();
        for viewer in &mut self.viewers {
            let missing = viewer.missing(now);
            write_nacks(&mut compound, 1, viewer.ssrc, &missing);
        }
        (!compound.is_empty()).then(|| self.seal_rtcp(compound))
    }

    fn sender_reports(&mut self, now: Instant, ahead: Duration) -> Option<Vec<u8>> {
        let mut compound = Vec::new();
        let since = now - self.born + ahead;
        let ntp = ((since.as_micros() << 32) / 1_000_000) as u64;
        let cameras = self.cameras.iter().filter(|camera| camera.frames > 0);
        for camera in cameras {
            // The last frame was captured one interval before the next one.
            let until = camera.next.saturating_duration_since(now).as_secs_f64();
            let ago = (1.0 / f64::from(camera.fps) - until).max(0.0);
            let timestamp = camera.timestamp.wrapping_add((ago * 90_000.0) as u32);
            let info = SenderInfo {
                ssrc: camera.ssrc,
                ntp,
                timestamp,
                packets: 0,
                octets: 0,
            };
            write_sender_report(&mut compound, &info, &[]);
        }
        for microphone in self
            .microphones
            .iter()
            .filter(|microphone| microphone.sent > 0)
        {
            let until = microphone.next.saturating_duration_since(now).as_secs_f64();
            let ago = (0.020 - until).max(0.0);
            let info = SenderInfo {
                ssrc: microphone.ssrc,
                ntp,
                timestamp: microphone.timestamp.wrapping_add((ago * 48_000.0) as u32),
                packets: 0,
                octets: 0,
            };
            write_sender_report(&mut compound, &info, &[]);
        }
        (!compound.is_empty()).then(|| self.seal_rtcp(compound))
    }

    pub fn picture_loss(&mut self, media: u32) -> Vec<u8> {
        let mut compound = Vec::new();
        write_picture_loss(&mut compound, 1, media);
        self.seal_rtcp(compound)
    }

    pub fn receiver_report(&mut self, block: ReportBlock) -> Vec<u8> {
        let mut compound = Vec::new();
        write_receiver_report(&mut compound, 1, &[block]);
        self.seal_rtcp(compound)
    }

    /// Answers what is to be sent at once.
    pub fn receive(&mut self, now: Instant, datagram: &mut [u8]) -> Vec<Vec<u8>> {
        match classify(datagram) {
            Some(Kind::Stun) => {
                let message = Message::parse(datagram).expect("a STUN message");
                if matches!(message.class(), Class::Success | Class::Error) {
                    self.answers.push(message.error_code());
                }
                Vec::new()
            }
            Some(Kind::Rtp) => {
                self.receive_rtp(now, datagram);
                Vec::new()
            }
            Some(Kind::Rtcp) => self.receive_rtcp(now, datagram),
            _ => Vec::new(),
        }
    }

    fn receive_rtp(&mut self, now: Instant, datagram: &mut [u8]) {
        let header = Header::parse(datagram).expect("RTP");
        let estimator = self.received.entry(header.ssrc).or_default();
        let index = estimator.estimate(header.sequence_number);
        let len = self
            .incoming
            .unprotect_rtp(datagram, header.payload_offset, roc(index))
            .expect("the plane encrypts with our keys and counts its rounds");
        estimator.update(index);
        let packet = &datagram[..len];
        let extensions: Vec<(u8, Vec<u8>)> = header
            .extensions(packet)
            .map(|(id, value)| (id, value.to_vec()))
            .collect();
        if let Some((_, value)) = extensions.iter().find(|(id, _)| *id == 5) {
            self.transport_sequences
                .push(u16::from_be_bytes([value[0], value[1]]));
        }
        let payload = header.payload(packet).expect("padding in order");
        let viewer = self
            .viewers
            .iter_mut()
            .find(|viewer| viewer.ssrc == header.ssrc || viewer.rtx_ssrc == Some(header.ssrc));
        let viewer = viewer.expect("the plane sends what was announced");
        let repaired = viewer.ssrc != header.ssrc;
        let (number, payload) = match payload.split_first_chunk() {
            Some((number, rest)) if repaired => (u16::from_be_bytes(*number), rest),
            _ => (header.sequence_number, payload),
        };
        let received = Received {
            at: now,
            timestamp: header.timestamp,
            marker: header.marker,
            payload_type: header.payload_type,
            payload: payload.to_vec(),
            extensions,
            repaired,
        };
        viewer.take(number, received);
    }

    fn receive_rtcp(&mut self, now: Instant, datagram: &mut [u8]) -> Vec<Vec<u8>> {
        let len = self.incoming.unprotect_rtcp(datagram).expect("our keys");
        let compound = Compound::parse(&datagram[..len]).expect("a whole compound");
        let mut told = Vec::new();
        for packet in compound {
            match packet.expect("well formed") {
                Packet::PictureLoss { media } => told.push(Told::PictureLoss(media)),
                Packet::FullIntraRequest(requests) => {
                    told.extend(requests.map(|(media, _)| Told::FullIntra(media)));
                }
                Packet::Nack { media, sequences } => {
                    told.push(Told::Nack(media, sequences.collect()));
                }
                Packet::ReceiverReport { blocks, .. } => told.extend(blocks.map(Told::Block)),
                Packet::SenderReport(info, _) => told.push(Told::Sender(info)),
                Packet::TransportCc(feedback) => {
                    let mut arrivals = Vec::new();
                    feedback.for_each(|number, at| arrivals.push((number, at)));
                    told.push(Told::Arrivals(arrivals));
                }
                _ => {}
            }
        }
        let answers = told.iter().flat_map(|told| self.react(now, told)).collect();
        self.rtcp.extend(told.into_iter().map(|told| (now, told)));
        answers
    }

    fn react(&mut self, now: Instant, told: &Told) -> Vec<Vec<u8>> {
        match told {
            Told::PictureLoss(media) | Told::FullIntra(media) => {
                for camera in self
                    .cameras
                    .iter_mut()
                    .filter(|camera| camera.ssrc == *media)
                {
                    camera.wants_keyframe = true;
                    camera.plis.push(now);
                }
                Vec::new()
            }
            Told::Nack(media, numbers) => {
                let cameras = self
                    .cameras
                    .iter_mut()
                    .filter(|camera| camera.ssrc == *media);
                let repairs: Vec<Outgoing> = cameras
                    .flat_map(|camera| {
                        let repairs = numbers.iter().filter_map(|number| camera.repair(*number));
                        repairs.collect::<Vec<_>>()
                    })
                    .collect();
                repairs
                    .iter()
                    .map(|repair| self.protect(repair, None))
                    .collect()
            }
            Told::Sender(info) => {
                for viewer in self
                    .viewers
                    .iter_mut()
                    .filter(|viewer| viewer.ssrc == info.ssrc)
                {
                    viewer.reports.push((now, *info));
                }
                Vec::new()
            }
            Told::Block(_) | Told::Arrivals(_) => Vec::new(),
        }
    }
}
