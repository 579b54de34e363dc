//! A plane, peers that speak STUN, SRTP and RTCP to it, a bad wire between them, and a clock that only we turn.

#![allow(dead_code, reason = "no test file uses everything")]

pub mod camera;
pub mod link;
pub mod microphone;
pub mod peer;
pub mod viewer;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use _dataplane::core::{
    Codec, Command, Config, Event, ExtensionKind, Input, Kind, Output, Path, Payload, Plane,
    Profile, Protocol, RoomId, Scope, SinkConfig, SinkId, SourceConfig, SourceId, SpeakerConfig,
    SrtpKeys, StatsReport, TransportId,
};

use camera::Camera;
use link::{Link, To};
use microphone::Microphone;
use peer::Peer;
use viewer::Viewer;

pub const VP8: u32 = 1;
pub const OPUS: u32 = 2;
pub const RED: u32 = 3;
pub const H264: u32 = 4;

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A payload as most tests negotiate it.
pub fn payload(pt: u8, codec: Codec, codec_key: u32, clock_rate: u32) -> Payload {
    let video = clock_rate == 90_000;
    Payload {
        pt,
        codec,
        codec_key,
        clock_rate,
        rtx_pt: video.then_some(pt + 1),
        nack: video,
        pli: video,
        transport_cc: true,
    }
}

pub fn vp8(pt: u8) -> Payload {
    payload(pt, Codec::Vp8, VP8, 90_000)
}

pub fn opus(pt: u8) -> Payload {
    payload(pt, Codec::Opus, OPUS, 48_000)
}

pub struct World {
    pub now: Instant,
    pub start: Instant,
    pub plane: Plane,
    pub link: Link,
    pub peers: Vec<Peer>,
    pub events: Vec<(Instant, Event)>,
    /// Every datagram that the plane sent, as (run length, bytes), for those who look at batches.
    pub transmits: Vec<(Path, Option<usize>, usize)>,
    /// Times that the plane asked to be woken and was.
    pub wakes: u64,
    wake: Option<Instant>,
    handles: u32,
    profile: Profile,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self::with_profile(seed, Profile::AeadAes128Gcm)
    }

    pub fn with_profile(seed: u64, profile: Profile) -> Self {
        let now = Instant::now();
        Self {
            now,
            start: now,
            plane: Plane::new(Config::default(), seed),
            link: Link::new(seed),
            peers: Vec::new(),
            events: Vec::new(),
            transmits: Vec::new(),
            wakes: 0,
            wake: None,
            handles: 0,
            profile,
        }
    }

    fn handle(&mut self) -> u32 {
        self.handles += 1;
        self.handles
    }

    pub fn command(&mut self, command: Command) {
        self.plane.handle(self.now, Input::Command(command));
        self.drain();
    }

    pub fn room(&mut self) -> RoomId {
        let room = RoomId(self.handle());
        let speakers = SpeakerConfig::default();
        self.command(Command::AddRoom { room, speakers });
        room
    }

    /// A peer that is announced to the plane, and has sent nothing yet.
    pub fn invite(&mut self, room: RoomId) -> usize {
        let transport = TransportId(self.handle());
        let index = self.peers.len();
        let peer = Peer::new(transport, path(index as u16 + 1), self.profile);
        self.command(Command::AddTransport {
            transport,
            room,
            local_ufrag: peer.ufrag.clone(),
            local_pwd: peer.password.clone(),
        });
        self.peers.push(peer);
        let ids = vec![
            (1, ExtensionKind::AudioLevel),
            (2, ExtensionKind::AbsSendTime),
            (3, ExtensionKind::TransportSequence),
            (4, ExtensionKind::Mid),
            (10, ExtensionKind::Rid),
            (11, ExtensionKind::RepairedRid),
            (12, ExtensionKind::VideoLayersAllocation),
            (13, ExtensionKind::DependencyDescriptor),
        ];
        self.command(Command::SetExtensions {
            transport,
            incoming: ids,
            outgoing: vec![(5, ExtensionKind::TransportSequence)],
        });
        index
    }

    /// A peer with keys and a validated path.
    pub fn join(&mut self, room: RoomId) -> usize {
        let index = self.invite(room);
        let keys = self.peers[index].keys.clone();
        self.set_keys(index, keys);
        self.peers[index].start_checks(self.now);
        let delays = self.link.up.delay + self.link.down.delay;
        self.run(delays + ms(5));
        index
    }

    pub fn set_keys(&mut self, peer: usize, keys: SrtpKeys) {
        let transport = self.peers[peer].transport;
        self.command(Command::SetSrtp { transport, keys });
    }

    /// Publishes one encoding.
    pub fn publish(&mut self, peer: usize, camera: Camera) -> SourceId {
        let config = camera.source_config(peer as u32);
        let source = self.add_source(peer, config);
        self.peers[peer].cameras.push(camera.of(source, self.now));
        source
    }

    pub fn speak(&mut self, peer: usize, microphone: Microphone) -> SourceId {
        let config = microphone.source_config(peer as u32);
        let source = self.add_source(peer, config);
        let microphone = microphone.of(source, self.now);
        self.peers[peer].microphones.push(microphone);
        source
    }

    pub fn add_source(&mut self, peer: usize, config: SourceConfig) -> SourceId {
        let source = SourceId(self.handle());
        let transport = self.peers[peer].transport;
        self.command(Command::AddSource {
            source,
            transport,
            config,
        });
        source
    }

    /// A slot of a peer. Its SSRC is 1000 times its number, the one for RTX one more.
    pub fn slot(&mut self, peer: usize, kind: Kind) -> SinkId {
        let payloads = match kind {
            Kind::Audio => vec![opus(109)],
            Kind::Video => vec![vp8(120)],
        };
        self.slot_with(peer, kind, payloads, kind == Kind::Video)
    }

    pub fn slot_with(
        &mut self,
        peer: usize,
        kind: Kind,
        payloads: Vec<Payload>,
        rtx: bool,
    ) -> SinkId {
        let sink = SinkId(self.handle());
        let config = SinkConfig {
            kind,
            mid: format!("s{}", sink.0),
            ssrc: ssrc_of(sink),
            rtx_ssrc: rtx.then_some(ssrc_of(sink) + 1),
            payloads,
        };
        let clock_rate = config.payloads[0].clock_rate;
        let viewer = Viewer::new(config.ssrc, config.rtx_ssrc, clock_rate);
        self.peers[peer].viewers.push(viewer);
        let transport = self.peers[peer].transport;
        self.command(Command::AddSink {
            sink,
            transport,
            config,
        });
        sink
    }

    pub fn route(&mut self, sink: SinkId, sources: &[SourceId]) {
        self.route_within(sink, sources, None);
    }

    pub fn route_within(&mut self, sink: SinkId, sources: &[SourceId], max_height: Option<u16>) {
        self.command(Command::Route {
            sink,
            sources: sources.to_vec(),
            max_height,
            max_fps: None,
            priority: 0,
        });
    }

    pub fn viewer(&self, peer: usize, sink: SinkId) -> &Viewer {
        let found = self.peers[peer]
            .viewers
            .iter()
            .find(|viewer| viewer.ssrc == ssrc_of(sink));
        found.expect("the peer has this slot")
    }

    pub fn viewer_mut(&mut self, peer: usize, sink: SinkId) -> &mut Viewer {
        let viewers = &mut self.peers[peer].viewers;
        let found = viewers
            .iter_mut()
            .find(|viewer| viewer.ssrc == ssrc_of(sink));
        found.expect("the peer has this slot")
    }

    pub fn camera(&mut self, source: SourceId) -> &mut Camera {
        let cameras = self.peers.iter_mut().flat_map(|peer| &mut peer.cameras);
        let mut found = cameras.filter(|camera| camera.source == source);
        found.next().expect("somebody publishes it")
    }

    pub fn microphone(&mut self, source: SourceId) -> &mut Microphone {
        let all = self.peers.iter_mut().flat_map(|peer| &mut peer.microphones);
        let mut found = all.filter(|microphone| microphone.source == source);
        found.next().expect("somebody publishes it")
    }

    /// Lets time pass.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    /// Lets time pass until something is so, for ten seconds at most.
    pub fn run_until(&mut self, mut is_so: impl FnMut(&Self) -> bool) -> Duration {
        let start = self.now;
        while !is_so(self) {
            assert!(
                self.now < start + ms(10_000),
                "it did not become so within ten seconds"
            );
            self.run(ms(1));
        }
        self.now - start
    }

    fn next(&self) -> Option<Instant> {
        let peers = self.peers.iter().filter_map(Peer::deadline);
        peers.chain(self.link.next()).chain(self.wake).min()
    }

    fn step(&mut self) {
        for (to, path, mut bytes) in self.link.arrived(self.now) {
            match to {
                To::Plane => {
                    let data = &mut bytes[..];
                    self.plane.handle(self.now, Input::Datagram { path, data });
                }
                To::Peer(index) => {
                    let answers = self.peers[index].receive(self.now, &mut bytes);
                    self.send_up(index, answers);
                }
            }
        }
        for index in 0..self.peers.len() {
            let datagrams = self.peers[index].tick(self.now);
            self.send_up(index, datagrams);
        }
        if self.wake.is_some_and(|wake| wake <= self.now) {
            self.wakes += 1;
            self.plane.handle(self.now, Input::Timeout);
        }
        self.drain();
    }

    pub fn send_up(&mut self, peer: usize, datagrams: Vec<Vec<u8>>) {
        for datagram in datagrams {
            self.link
                .send(self.now, To::Plane, self.peers[peer].path, datagram);
        }
    }

    /// A datagram that is there at once, past the wire.
    pub fn inject(&mut self, path: Path, datagram: &[u8]) {
        let mut bytes = datagram.to_vec();
        let data = &mut bytes[..];
        self.plane.handle(self.now, Input::Datagram { path, data });
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.plane.poll(self.now) {
                Output::Transmit(transmit) => {
                    let len = transmit.contents.len();
                    self.transmits
                        .push((transmit.path, transmit.segment_size, len));
                    let path = transmit.path;
                    let to = self
                        .peers
                        .iter()
                        .position(|peer| peer.path.remote == path.remote);
                    for datagram in transmit.datagrams() {
                        if let Some(index) = to {
                            let datagram = datagram.to_vec();
                            self.link.send(self.now, To::Peer(index), path, datagram);
                        }
                    }
                }
                Output::Event(event) => self.events.push((self.now, event)),
                Output::Timeout(wake) => {
                    self.wake = wake;
                    return;
                }
            }
        }
    }

    pub fn stats(&mut self, scope: Scope) -> StatsReport {
        self.command(Command::RequestStats { token: 77, scope });
        match self.events.pop() {
            Some((_, Event::Stats { token: 77, report })) => *report,
            other => panic!("no answer to the question for statistics, but {other:?}"),
        }
    }

    /// What happened of one kind.
    pub fn happened<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.events
            .iter()
            .filter_map(|(_, event)| pick(event))
            .collect()
    }
}

pub fn ssrc_of(sink: SinkId) -> u32 {
    sink.0 * 1000
}

/// A client's way to the plane: one port each.
pub fn path(port: u16) -> Path {
    Path {
        protocol: Protocol::Udp,
        local: SocketAddr::from(([10, 0, 0, 1], 7882)),
        remote: SocketAddr::from(([10, 1, 0, 1], port)),
    }
}
