//! What gets lost on either side comes again.

use _dataplane::core::{Kind, SinkId, SourceId};

use crate::world::camera::Camera;
use crate::world::link::Conditions;
use crate::world::peer::Told;
use crate::world::{VP8, World, ms, payload, vp8};
use _dataplane::core::{Codec, Payload};

fn call(seed: u64) -> (World, usize, usize, SourceId, SinkId) {
    let mut world = World::new(seed);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    (world, ann, bob, camera, slot)
}

#[test]
fn a_lost_packet_is_asked_for_upward_and_passed_on_under_its_number() {
    let (mut world, ann, bob, camera, slot) = call(3);
    world.run(ms(500));
    let lost = world.camera(camera).sequence.wrapping_add(4);
    world.camera(camera).withheld.push(lost);
    world.viewer_mut(bob, slot).asks = false;
    world.run(ms(500));
    assert_eq!(world.camera(camera).nacked, [lost]);
    assert_eq!(world.viewer(bob, slot).holes(), [] as [u64; 0]);
    assert!(world.viewer(bob, slot).watch().longest_gap < ms(100));
    let nacks = world.peers[ann].rtcp.iter();
    let nacks = nacks.filter(|(_, told)| matches!(told, Told::Nack(..)));
    assert_eq!(nacks.count(), 1);
}

#[test]
fn what_never_comes_is_asked_for_a_limited_number_of_times_and_then_a_keyframe() {
    let (mut world, _, _, camera, _) = call(3);
    world.run(ms(500));
    let lost = world.camera(camera).sequence.wrapping_add(4);
    world.camera(camera).withheld.push(lost);
    world.camera(camera).answers_nacks = false;
    let plis = world.camera(camera).plis.len();
    world.run(ms(3000));
    let asked = world.camera(camera).nacked.len();
    assert!((5..=10).contains(&asked), "{asked}");
    assert_eq!(world.camera(camera).plis.len(), plis + 1);
}

#[test]
fn receivers_are_answered_from_the_cache_by_rtx() {
    let (mut world, _, bob, camera, slot) = call(4);
    world.link.down.loss = 0.05;
    world.link.down.delay = ms(20);
    world.run(ms(5000));
    let viewer = world.viewer(bob, slot);
    let watched = viewer.watch();
    assert!(watched.pictures.len() > 140, "{}", watched.pictures.len());
    assert!(watched.longest_gap < ms(300), "{:?}", watched.longest_gap);
    assert!(viewer.packets.values().any(|received| received.repaired));
    assert_eq!(
        world.camera(camera).nacked,
        [] as [u16; 0],
        "nothing is asked of the publisher"
    );
    assert!(world.plane.counters().packets_retransmitted > 10);
}

#[test]
fn five_per_cent_loss_jitter_and_duplicates_on_both_sides_are_survived() {
    for seed in 10..15 {
        let (mut world, _, bob, _, slot) = call(seed);
        world.link.both(Conditions {
            delay: ms(15),
            jitter: ms(8),
            loss: 0.05,
            duplicate: 0.02,
            cut: false,
        });
        world.run(ms(10_000));
        let watched = world.viewer(bob, slot).watch();
        assert!(
            watched.pictures.len() > 270,
            "{} with {seed}",
            watched.pictures.len()
        );
        assert!(
            watched.longest_gap < ms(1000),
            "{:?} with {seed}",
            watched.longest_gap
        );
    }
}

#[test]
fn without_rtx_the_very_same_datagram_goes_out_again() {
    let mut world = World::new(5);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let plain = Payload {
        rtx_pt: None,
        ..vp8(120)
    };
    let slot = world.slot_with(bob, Kind::Video, vec![plain], false);
    world.route(slot, &[camera]);
    world.link.down.loss = 0.05;
    world.link.down.delay = ms(10);
    world.run(ms(5000));
    let viewer = world.viewer(bob, slot);
    assert!(viewer.holes().len() <= 1, "{:?}", viewer.holes());
    assert!(!viewer.packets.values().any(|received| received.repaired));
    assert!(world.plane.counters().packets_retransmitted > 10);
    // Under GCM a second packet of one number with another header would give the key away.
    let sequences = &world.peers[bob].transport_sequences;
    let mut distinct = sequences.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let (sent, repeated) = (
        world.plane.counters().packets_forwarded,
        world.plane.counters().packets_retransmitted,
    );
    assert!(
        distinct.len() as u64 <= sent,
        "{} of {sent} and {repeated}",
        distinct.len()
    );
}

#[test]
fn a_receiver_that_asks_without_pause_is_not_answered_without_pause() {
    let (mut world, _, bob, _, slot) = call(6);
    world.run(ms(500));
    let newest = *world
        .viewer(bob, slot)
        .packets
        .last_key_value()
        .expect("packets came")
        .0;
    let ssrc = world.viewer(bob, slot).ssrc;
    let before = world.plane.counters().packets_retransmitted;
    for _ in 0..100 {
        let mut compound = Vec::new();
        _dataplane::wire::rtcp::write_nacks(&mut compound, 1, ssrc, &[newest as u16]);
        let sealed = world.peers[bob].seal_rtcp(compound);
        world.send_up(bob, vec![sealed]);
        world.run(ms(1));
    }
    let repeated = world.plane.counters().packets_retransmitted - before;
    assert!((1..=10).contains(&repeated), "{repeated}");
}

#[test]
fn a_number_that_was_never_sent_or_a_stream_that_is_not_there_is_no_question() {
    let (mut world, _, bob, _, slot) = call(6);
    world.run(ms(500));
    let newest = *world
        .viewer(bob, slot)
        .packets
        .last_key_value()
        .expect("packets came")
        .0;
    let before = world.plane.counters().packets_retransmitted;
    for (media, number) in [(ssrc(slot), newest as u16 + 500), (4711, newest as u16)] {
        let mut compound = Vec::new();
        _dataplane::wire::rtcp::write_nacks(&mut compound, 1, media, &[number]);
        let sealed = world.peers[bob].seal_rtcp(compound);
        world.send_up(bob, vec![sealed]);
    }
    world.run(ms(50));
    assert_eq!(world.plane.counters().packets_retransmitted, before);
}

fn ssrc(slot: SinkId) -> u32 {
    crate::world::ssrc_of(slot)
}

#[test]
fn padding_is_not_passed_on_and_leaves_no_hole() {
    let (mut world, _, bob, camera, slot) = call(7);
    world.camera(camera).padding = 2;
    world.viewer_mut(bob, slot).asks = false;
    world.run(ms(2000));
    let viewer = world.viewer(bob, slot);
    assert_eq!(viewer.holes(), [] as [u64; 0]);
    assert!(
        viewer
            .packets
            .values()
            .all(|received| !received.payload.is_empty())
    );
    assert!(viewer.watch().pictures.len() >= 58);
}

#[test]
fn padding_and_loss_together_leave_only_holes_that_can_be_filled() {
    for seed in 20..25 {
        let (mut world, _, bob, camera, slot) = call(seed);
        world.camera(camera).padding = 1;
        world.link.up.loss = 0.05;
        world.link.up.delay = ms(10);
        world.run(ms(5000));
        world.link.up.loss = 0.0;
        world.run(ms(1500));
        let watched = world.viewer(bob, slot).watch();
        assert!(
            watched.pictures.len() > 180,
            "{} with {seed}",
            watched.pictures.len()
        );
        assert!(
            watched.longest_gap < ms(500),
            "{:?} with {seed}",
            watched.longest_gap
        );
    }
}

#[test]
fn a_stream_that_negotiated_no_nack_is_not_asked_again() {
    let mut world = World::new(8);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let mut quiet = Camera::new(100);
    quiet.payload.nack = false;
    let camera = world.publish(ann, quiet);
    let slot = world.slot_with(
        bob,
        Kind::Video,
        vec![payload(99, Codec::Vp8, VP8, 90_000)],
        true,
    );
    world.route(slot, &[camera]);
    world.run(ms(300));
    let lost = world.camera(camera).sequence.wrapping_add(4);
    world.camera(camera).withheld.push(lost);
    world.run(ms(500));
    assert_eq!(world.camera(camera).nacked, [] as [u16; 0]);
    assert_eq!(world.viewer(bob, slot).holes().len(), 1);
}
