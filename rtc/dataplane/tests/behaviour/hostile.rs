//! Input that means harm: counted, dropped, and everybody else's call goes on.

use proptest::prelude::*;

use _dataplane::core::{Input, Kind};

use crate::world::camera::Camera;
use crate::world::link::Random;
use crate::world::microphone::Microphone;
use crate::world::{World, ms};

/// A call, into which `attack` throws its datagrams from a validated address.
fn attacked(attack: impl Fn(&mut World, usize)) -> World {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob, eve) = (world.join(room), world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    world.publish(eve, Camera::new(700));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    world.run(ms(300));
    for _ in 0..10 {
        attack(&mut world, eve);
        world.run(ms(50));
    }
    world.run(ms(300));
    let watched = world.viewer(bob, slot).watch();
    assert!(watched.longest_gap < ms(100), "{:?}", watched.longest_gap);
    assert!(watched.pictures.len() >= 30);
    world
}

#[test]
fn random_bytes_are_dropped() {
    attacked(|world, eve| {
        let mut random = Random(99);
        let own = world.peers[eve].path;
        for len in 0..200 {
            let bytes: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
            world.inject(own, &bytes);
        }
    });
}

#[test]
fn truncated_packets_are_dropped_at_every_length() {
    let world = attacked(|world, eve| {
        let own = world.peers[eve].path;
        let frame = world.peers[eve].cameras[0].frame().remove(0);
        let sealed = world.peers[eve].protect(&frame, Some(5));
        let check = world.peers[eve].check(true);
        let loss = world.peers[eve].picture_loss(1);
        for whole in [sealed, check, loss] {
            for len in 0..whole.len() {
                world.inject(own, &whole[..len]);
            }
        }
    });
    let counters = world.plane.counters();
    assert!(counters.drop_rtp_malformed > 0 && counters.drop_srtp_authentication > 0);
    assert!(counters.drop_stun_malformed > 0);
    assert!(counters.drop_rtcp_malformed > 0 && counters.drop_rtcp_authentication > 0);
}

#[test]
fn compounds_that_lie_about_their_lengths_are_refused_whole() {
    let world = attacked(|world, eve| {
        let own = world.peers[eve].path;
        for lie in [0u16, 1, 2, 100, 0xFFFF] {
            let mut compound = vec![0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
            compound[2..4].copy_from_slice(&lie.to_be_bytes());
            let sealed = world.peers[eve].seal_rtcp(compound);
            world.inject(own, &sealed);
        }
    });
    assert!(world.plane.counters().drop_rtcp_malformed >= 30);
}

#[test]
fn authentic_payloads_of_nonsense_harm_nobody() {
    attacked(|world, eve| {
        let own = world.peers[eve].path;
        let mut random = Random(7);
        for len in [0, 1, 2, 3, 5, 9, 1200] {
            let mut packet = world.peers[eve].cameras[0].frame().remove(0);
            packet.payload = (0..len).map(|_| random.next() as u8).collect();
            let sealed = world.peers[eve].protect(&packet, Some(5));
            world.inject(own, &sealed);
        }
    });
}

#[test]
fn padding_that_is_longer_than_its_packet_is_dropped() {
    let world = attacked(|world, eve| {
        let own = world.peers[eve].path;
        let packet = world.peers[eve].cameras[0].frame().remove(0);
        let (mut bytes, header) = packet.write(0, None);
        bytes[0] |= 0x20;
        bytes.truncate(header + 10);
        bytes[header + 9] = 200;
        let sealed = world.peers[eve].seal(bytes, header);
        world.inject(own, &sealed);
    });
    assert!(world.plane.counters().drop_rtp_malformed >= 10);
}

#[test]
fn endless_ssrcs_do_not_fill_the_memory() {
    let world = attacked(|world, eve| {
        let own = world.peers[eve].path;
        let mut packet = world.peers[eve].cameras[0].frame().remove(0);
        packet.mid = "unknown".into();
        for ssrc in 0..300 {
            packet.fields.ssrc = 1_000_000 + ssrc;
            let sealed = world.peers[eve].protect(&packet, None);
            world.inject(own, &sealed);
        }
    });
    assert!(world.plane.counters().drop_rtp_unknown_ssrc >= 3000);
}

#[test]
fn huge_datagrams_are_bounded() {
    attacked(|world, eve| {
        let own = world.peers[eve].path;
        let mut packet = world.peers[eve].cameras[0].frame().remove(0);
        packet.payload = vec![0x10; 60_000];
        let sealed = world.peers[eve].protect(&packet, None);
        world.inject(own, &sealed);
        world.inject(own, &vec![0xAA; 65_535]);
    });
}

/// A packet that a peer with keys may send.
#[derive(Clone, Debug)]
enum Authentic {
    Rtp {
        ssrc: u32,
        payload_type: u8,
        sequence_number: u16,
        timestamp: u32,
        extensions: Vec<(u8, Vec<u8>)>,
        payload: Vec<u8>,
        padding: u8,
    },
    Rtcp(Vec<(u8, u8, Vec<u8>)>),
}

fn rtp() -> impl Strategy<Value = Authentic> {
    let ssrc = prop::sample::select(vec![100u32, 101, 110, 120, 200, 999]);
    let payload_type = prop::sample::select(vec![96u8, 97, 111, 63, 0]);
    let sequence_number = prop_oneof![0u16..50, 65_480u16.., any::<u16>()];
    let timestamp = prop_oneof![0u32..9000, any::<u32>()];
    let extension = (1u8..14, prop::collection::vec(any::<u8>(), 1..16));
    let extensions = prop::collection::vec(extension, 0..4);
    // Descriptor and header of a VP8 keyframe, so that something is forwarded at all.
    let keyframe = Just(vec![
        0x10, 0, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00,
    ]);
    let payload = prop_oneof![keyframe, prop::collection::vec(any::<u8>(), 0..40)];
    let fields = (
        ssrc,
        payload_type,
        sequence_number,
        timestamp,
        extensions,
        payload,
        0u8..3,
    );
    fields.prop_map(|fields| {
        let (ssrc, payload_type, sequence_number, timestamp, extensions, payload, padding) = fields;
        Authentic::Rtp {
            ssrc,
            payload_type,
            sequence_number,
            timestamp,
            extensions,
            payload,
            padding,
        }
    })
}

fn rtcp() -> impl Strategy<Value = Authentic> {
    let body = prop::collection::vec(any::<u8>(), 0..15).prop_map(|words| {
        let streams = [
            [0, 0, 0, 100],
            [0, 0, 0, 120],
            [0, 0, 0x1F, 0x40],
            [0xFF; 4],
        ];
        words
            .iter()
            .flat_map(|word| streams[usize::from(word % 4)])
            .collect::<Vec<u8>>()
    });
    let packet = (0u8..32, 199u8..208, body);
    prop::collection::vec(packet, 1..4).prop_map(Authentic::Rtcp)
}

impl Authentic {
    fn seal(&self, world: &mut World, peer: usize) -> Vec<u8> {
        match self {
            Self::Rtp {
                ssrc,
                payload_type,
                sequence_number,
                timestamp,
                extensions,
                payload,
                padding,
            } => {
                let mut packet = Camera::new(*ssrc).frame().remove(0);
                packet.fields.payload_type = *payload_type;
                packet.fields.sequence_number = *sequence_number;
                packet.fields.timestamp = *timestamp;
                packet.extensions = extensions.clone();
                packet.payload = payload.clone();
                packet.padding = *padding;
                world.peers[peer].protect(&packet, None)
            }
            Self::Rtcp(packets) => {
                let mut compound = Vec::new();
                for (count, kind, body) in packets {
                    let words = (body.len() / 4) as u16;
                    compound.extend([0x80 | count, *kind]);
                    compound.extend(words.to_be_bytes());
                    compound.extend(body);
                }
                compound.resize(compound.len().max(8), 0);
                world.peers[peer].seal_rtcp(compound)
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A peer that has keys and no manners: numbers that leap, times that run backwards, feedback about anything.
    #[test]
    fn no_authentic_packet_ends_the_plane(
        packets in prop::collection::vec((prop_oneof![rtp(), rtcp()], 0u64..120), 1..80),
    ) {
        let mut world = World::new(1);
        let room = world.room();
        let (ann, bob) = (world.join(room), world.join(room));
        let layers = [("q", 100), ("h", 110), ("f", 120)];
        let layers = layers.map(|(rid, ssrc)| {
            let mut layer = Camera::layer(ssrc, rid, (320, 180));
            layer.signalled = true;
            world.publish(ann, layer)
        });
        for layer in layers {
            world.camera(layer).running = false;
        }
        let voice = world.speak(ann, Microphone::new(200));
        world.microphone(voice).running = false;
        let (video, audio) = (world.slot(bob, Kind::Video), world.slot(bob, Kind::Audio));
        let own = world.slot(ann, Kind::Video);
        world.route(video, &layers);
        world.route(audio, &[voice]);
        world.route(own, &layers[..1]);
        world.peers[ann].viewers.iter_mut().for_each(|viewer| viewer.asks = false);
        for (packet, pause) in packets {
            let sealed = packet.seal(&mut world, ann);
            let path = world.peers[ann].path;
            world.inject(path, &sealed);
            world.run(ms(pause));
        }
        world.run(ms(1000));
        // Two packets of one number would give the key away.
        prop_assert_eq!(world.viewer(bob, video).duplicates, 0);
        prop_assert_eq!(world.viewer(bob, audio).duplicates, 0);
    }

    /// Whatever comes from whom, the plane answers and lives.
    #[test]
    fn no_datagram_ends_the_plane(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..20),
        firsts in prop::collection::vec(prop::sample::select(vec![0u8, 1, 22, 128, 129, 144, 160, 191]), 20),
    ) {
        let mut world = World::new(1);
        let room = world.room();
        let ann = world.join(room);
        world.publish(ann, Camera::new(100));
        let own = world.peers[ann].path;
        for (mut datagram, first) in datagrams.into_iter().zip(firsts) {
            if let Some(byte) = datagram.first_mut() {
                *byte = first;
            }
            let data = &mut datagram[..];
            world.plane.handle(world.now, Input::Datagram { path: own, data });
        }
        world.run(ms(200));
    }
}
