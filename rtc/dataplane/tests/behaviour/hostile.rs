//! Input that means harm: counted, dropped, and everybody else's call goes on.

use proptest::prelude::*;

use _dataplane::core::{Input, Kind};

use crate::world::camera::Camera;
use crate::world::link::Random;
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

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
