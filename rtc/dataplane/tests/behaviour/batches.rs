//! What one wake-up brought goes out to each receiver in one piece.

use _dataplane::core::{Input, Kind, Output, Path};

use crate::world::camera::Camera;
use crate::world::{World, ms};

/// A publisher with large frames and some receivers.
fn audience(receivers: usize) -> (World, usize, Vec<usize>) {
    let mut world = World::new(1);
    let room = world.room();
    let ann = world.join(room);
    let mut large = Camera::new(100);
    large.packets_per_frame = 10;
    large.packet_len = 1100;
    let camera = world.publish(ann, large);
    let mut peers = Vec::new();
    for _ in 0..receivers {
        let peer = world.join(room);
        let slot = world.slot(peer, Kind::Video);
        world.route(slot, &[camera]);
        peers.push(peer);
    }
    world.run(ms(500));
    (world, ann, peers)
}

fn hand_in_a_frame(world: &mut World, ann: usize) {
    let frame = world.peers[ann].cameras[0].frame();
    let own = world.peers[ann].path;
    for packet in frame {
        let mut sealed = world.peers[ann].protect(&packet, None);
        let data = &mut sealed[..];
        world
            .plane
            .handle(world.now, Input::Datagram { path: own, data });
    }
}

#[test]
fn a_frame_is_one_run_for_each_receiver() {
    let (mut world, ann, peers) = audience(5);
    hand_in_a_frame(&mut world, ann);
    let mut runs: Vec<(Path, usize)> = Vec::new();
    while let Output::Transmit(transmit) = world.plane.poll(world.now) {
        runs.push((transmit.path, transmit.datagrams().count()));
    }
    let mut paths: Vec<Path> = runs.iter().map(|(path, _)| *path).collect();
    paths.sort();
    let mut expected: Vec<Path> = peers.iter().map(|peer| world.peers[*peer].path).collect();
    expected.sort();
    assert_eq!(paths, expected);
    assert!(
        runs.iter().all(|(_, datagrams)| *datagrams == 10),
        "{runs:?}"
    );
}

#[test]
fn many_receivers_are_handed_out_in_chunks_that_fit_a_cache() {
    let (mut world, ann, peers) = audience(60);
    hand_in_a_frame(&mut world, ann);
    let (mut chunks, mut datagrams) = (0, 0);
    loop {
        let mut bytes = 0;
        for transmit in world.plane.transmits(world.now) {
            bytes += transmit.contents.len();
            datagrams += transmit.datagrams().count();
        }
        if bytes == 0 {
            break;
        }
        assert!(bytes <= (256 << 10) + 12_000, "{bytes}");
        chunks += 1;
    }
    assert_eq!(datagrams, peers.len() * 10);
    assert!((2..=4).contains(&chunks), "{chunks}");
}

#[test]
fn input_in_the_middle_of_a_batch_loses_nothing() {
    let (mut world, ann, peers) = audience(60);
    hand_in_a_frame(&mut world, ann);
    let first = world
        .plane
        .transmits(world.now)
        .map(|one| one.datagrams().count());
    let mut datagrams: usize = first.sum();
    hand_in_a_frame(&mut world, ann);
    while let Output::Transmit(transmit) = world.plane.poll(world.now) {
        datagrams += transmit.datagrams().count();
    }
    assert_eq!(datagrams, peers.len() * 20);
}

#[test]
fn a_keyframe_that_came_all_at_once_is_begun_with() {
    let (mut world, ann, peers) = audience(1);
    let late = world.join(_dataplane::core::RoomId(1));
    let slot = world.slot(late, Kind::Video);
    let camera = world.peers[ann].cameras[0].source;
    world.route(slot, &[camera]);
    let camera = world.camera(camera);
    camera.packets_per_frame = 150;
    camera.wants_keyframe = true;
    hand_in_a_frame(&mut world, ann);
    world.run(ms(1));
    assert_eq!(world.viewer(late, slot).packets.len(), 150);
    assert_eq!(peers.len(), 1);
}

#[test]
fn more_than_a_batch_should_bring_is_forwarded_whole() {
    let (mut world, ann, peers) = audience(2);
    world
        .camera(_dataplane::core::SourceId(3))
        .packets_per_frame = 1000;
    hand_in_a_frame(&mut world, ann);
    let mut datagrams = 0;
    while let Output::Transmit(transmit) = world.plane.poll(world.now) {
        datagrams += transmit.datagrams().count();
    }
    assert_eq!(datagrams, peers.len() * 1000);
}
