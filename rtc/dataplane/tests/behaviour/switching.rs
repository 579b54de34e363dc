//! A slot that changes its source: no hole, no jump, no freeze.

use std::time::Duration;

use _dataplane::codec::vp8 as descriptor;
use _dataplane::core::{Command, Event, Kind, SinkId, SourceId};

use crate::world::camera::Camera;
use crate::world::microphone::Microphone;
use crate::world::viewer::Received;
use crate::world::{H264, OPUS, RED, World, ms, opus, payload, vp8};
use _dataplane::core::Codec;

/// Two publishers with a camera each, and a slot of a third.
fn two_cameras(seed: u64) -> (World, SourceId, SourceId, usize, SinkId) {
    let mut world = World::new(seed);
    let room = world.room();
    let (ann, cid, bob) = (world.join(room), world.join(room), world.join(room));
    let one = world.publish(ann, Camera::new(100));
    world.run(ms(13));
    let other = world.publish(cid, Camera::new(300));
    let slot = world.slot(bob, Kind::Video);
    (world, one, other, bob, slot)
}

fn steps(packets: &[&Received]) -> Vec<i32> {
    let timestamps = packets.windows(2);
    timestamps
        .map(|two| two[1].timestamp.wrapping_sub(two[0].timestamp) as i32)
        .collect()
}

#[test]
fn the_old_picture_stays_until_the_new_ones_keyframe() {
    let (mut world, one, other, bob, slot) = two_cameras(1);
    world.link.up.delay = ms(40);
    world.link.down.delay = ms(40);
    world.route(slot, &[one]);
    world.run(ms(1000));
    for (turn, next) in [other, one, other, one].into_iter().enumerate() {
        world.route(slot, &[next]);
        world.run(ms(1000));
        let watched = world.viewer(bob, slot).watch();
        assert_eq!(watched.sources.len(), turn + 2);
        assert_eq!(watched.sources.last(), Some(&next.0));
    }
    let viewer = world.viewer(bob, slot);
    let watched = viewer.watch();
    assert!(watched.longest_gap < ms(100), "{:?}", watched.longest_gap);
    assert!(watched.pictures.len() > 140, "{}", watched.pictures.len());
    assert!(viewer.holes().is_empty());
}

#[test]
fn a_switch_asks_for_a_keyframe_at_once_and_only_once() {
    let (mut world, one, other, _, slot) = two_cameras(1);
    world.route(slot, &[one]);
    world.run(ms(1000));
    let asked = world.camera(other).plis.len();
    world.route(slot, &[other]);
    world.run(ms(1000));
    assert_eq!(world.camera(other).plis.len(), asked + 1);
    let switched = world.happened(|event| match event {
        Event::SinkSwitched { source, .. } => Some(*source),
        _ => None,
    });
    assert_eq!(switched, [Some(one), Some(other)]);
}

#[test]
fn twenty_switches_in_five_seconds_are_survived() {
    let (mut world, one, other, bob, slot) = two_cameras(1);
    world.link.up.delay = ms(10);
    for turn in 0..20 {
        world.route(slot, &[if turn % 2 == 0 { one } else { other }]);
        world.run(ms(250));
    }
    world.run(ms(1000));
    let watched = world.viewer(bob, slot).watch();
    assert!(watched.longest_gap < ms(100), "{:?}", watched.longest_gap);
    assert!(world.viewer(bob, slot).holes().is_empty());
    assert_eq!(watched.sources.last(), Some(&other.0));
}

#[test]
fn the_timestamps_of_video_follow_the_servers_clock_over_switches() {
    let (mut world, one, other, bob, slot) = two_cameras(1);
    world.peers[0].ntp_ahead = Some(Duration::from_secs(3));
    world.peers[1].ntp_ahead = Some(Duration::from_secs(3_000_000));
    world.route(slot, &[one]);
    world.run(ms(1500));
    for next in [other, one, other] {
        world.route(slot, &[next]);
        world.run(ms(1500));
    }
    let packets: Vec<&Received> = world.viewer(bob, slot).in_order().collect();
    // The very first picture is an old one, from the cache.
    let (first, last) = (packets[10], packets[packets.len() - 1]);
    let ticks = last.timestamp.wrapping_sub(first.timestamp);
    let passed = (last.at - first.at).as_secs_f64() * 90_000.0;
    assert!(
        (f64::from(ticks) - passed).abs() < 900.0,
        "{ticks} ticks in {passed}"
    );
    assert!(steps(&packets).iter().all(|step| (0..9000).contains(step)));
}

#[test]
fn picture_ids_of_vp8_go_on_by_one() {
    let (mut world, one, other, bob, slot) = two_cameras(1);
    world.route(slot, &[one]);
    world.run(ms(700));
    world.route(slot, &[other]);
    world.run(ms(700));
    let pictures: Vec<_> = world
        .viewer(bob, slot)
        .in_order()
        .filter_map(|received| descriptor::parse(&received.payload))
        .filter(|head| head.start)
        .map(|head| {
            (
                head.picture_id.expect("present"),
                head.tl0_picture_index.expect("present"),
            )
        })
        .collect();
    assert!(
        pictures
            .windows(2)
            .all(|two| (two[0].0 + 1) & 0x7FFF == two[1].0)
    );
    assert!(
        pictures
            .windows(2)
            .all(|two| two[0].1.wrapping_add(1) == two[1].1)
    );
}

#[test]
fn a_keyframe_whose_beginning_was_lost_is_still_switched_to_when_it_is_repaired() {
    let (mut world, one, other, bob, slot) = two_cameras(1);
    world.route(slot, &[one]);
    world.run(ms(1000));
    world.camera(other).wants_keyframe = false;
    let first = world.camera(other).sequence;
    world.camera(other).withheld.push(first);
    world.camera(other).wants_keyframe = true;
    world.route(slot, &[other]);
    world.run(ms(300));
    let watched = world.viewer(bob, slot).watch();
    assert_eq!(watched.sources, [one.0, other.0]);
    assert!(watched.longest_gap < ms(100), "{:?}", watched.longest_gap);
    assert_eq!(world.camera(other).nacked, [first]);
}

#[test]
fn voices_change_at_once_and_by_whole_frames() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, cid, bob) = (world.join(room), world.join(room), world.join(room));
    let one = world.speak(ann, Microphone::new(100));
    world.run(ms(7));
    let other = world.speak(cid, Microphone::new(300));
    let slot = world.slot(bob, Kind::Audio);
    world.route(slot, &[one]);
    world.run(ms(500));
    for turn in 0..6 {
        world.route(slot, &[if turn % 2 == 0 { other } else { one }]);
        world.run(ms(301));
    }
    let viewer = world.viewer(bob, slot);
    let packets: Vec<&Received> = viewer.in_order().collect();
    assert!(viewer.holes().is_empty());
    assert!(packets.len() >= 110, "{}", packets.len());
    let steps = steps(&packets);
    assert!(
        steps
            .iter()
            .all(|step| step % 960 == 0 && (960..=1920).contains(step)),
        "{steps:?}"
    );
}

#[test]
fn a_late_packet_of_the_old_source_is_dropped() {
    let (mut world, one, other, bob, slot) = two_cameras(1);
    world.route(slot, &[one]);
    world.run(ms(1000));
    let late = world.camera(one).sequence.wrapping_add(1);
    world.camera(one).withheld.push(late);
    world.camera(one).answers_nacks = false;
    world.viewer_mut(bob, slot).asks = false;
    world.run(ms(40));
    world.route(slot, &[other]);
    world.run(ms(200));
    let received = world.viewer(bob, slot).packets.len();
    let holes = world.viewer(bob, slot).holes();
    world.camera(one).running = false;
    world.camera(other).running = false;
    world.run(ms(1));
    world.camera(one).answers_nacks = true;
    let repair = world.camera(one).repair(late).expect("in the history");
    let sealed = world.peers[0].protect(&repair, None);
    world.send_up(0, vec![sealed]);
    world.run(ms(100));
    assert_eq!(world.viewer(bob, slot).holes(), holes);
    assert!(world.viewer(bob, slot).packets.len() <= received + 3);
}

#[test]
fn an_emptied_slot_sends_nothing_and_asks_nobody() {
    let (mut world, one, _, bob, slot) = two_cameras(1);
    world.route(slot, &[one]);
    world.run(ms(500));
    world.route(slot, &[]);
    let received = world.viewer(bob, slot).packets.len();
    let asked = world.camera(one).plis.len();
    let loss = world.peers[bob].picture_loss(crate::world::ssrc_of(slot));
    world.send_up(bob, vec![loss]);
    world.run(ms(1000));
    assert_eq!(world.viewer(bob, slot).packets.len(), received);
    assert_eq!(world.camera(one).plis.len(), asked);
    let last = world.happened(|event| match event {
        Event::SinkSwitched { source, .. } => Some(*source),
        _ => None,
    });
    assert_eq!(last.last(), Some(&None));
}

#[test]
fn a_slot_that_was_empty_for_long_goes_on_in_time() {
    let (mut world, one, _, bob, slot) = two_cameras(1);
    world.route(slot, &[one]);
    world.run(ms(500));
    world.route(slot, &[]);
    world.run(ms(5000));
    world.route(slot, &[one]);
    world.run(ms(500));
    let viewer = world.viewer(bob, slot);
    assert!(viewer.holes().is_empty());
    let packets: Vec<&Received> = viewer.in_order().collect();
    let longest = steps(&packets).into_iter().max().expect("packets came");
    assert!((440_000..480_000).contains(&longest), "{longest}");
}

#[test]
fn a_muted_source_is_received_and_not_forwarded() {
    let (mut world, one, _, bob, slot) = two_cameras(1);
    world.route(slot, &[one]);
    world.run(ms(500));
    world.command(Command::PauseSource {
        source: one,
        paused: true,
    });
    let received = world.viewer(bob, slot).packets.len();
    world.run(ms(500));
    assert_eq!(world.viewer(bob, slot).packets.len(), received);
    world.command(Command::PauseSource {
        source: one,
        paused: false,
    });
    world.run(ms(500));
    let switched = world.happened(|event| match event {
        Event::SinkSwitched { source, .. } => Some(*source),
        _ => None,
    });
    assert_eq!(switched, [Some(one), None, Some(one)]);
    assert!(world.viewer(bob, slot).watch().pictures.len() > 25);
    assert!(world.viewer(bob, slot).holes().is_empty());
}

#[test]
fn a_source_that_is_removed_empties_its_slot() {
    let (mut world, one, _, bob, slot) = two_cameras(1);
    world.route(slot, &[one]);
    world.run(ms(500));
    world.command(Command::RemoveSource { source: one });
    let received = world.viewer(bob, slot).packets.len();
    world.run(ms(500));
    assert_eq!(world.viewer(bob, slot).packets.len(), received);
    assert!(world.plane.counters().drop_rtp_unknown_ssrc > 0);
}

#[test]
fn a_publisher_that_begins_anew_under_another_ssrc_is_followed() {
    let (mut world, one, _, bob, slot) = two_cameras(1);
    world.camera(one).signalled = false;
    world.route(slot, &[one]);
    world.run(ms(500));
    // The section's name in the header tells whose the new SSRC is.
    let camera = world.camera(one);
    camera.ssrc = 5555;
    camera.sequence = 17;
    camera.timestamp = 99;
    camera.wants_keyframe = true;
    world.run(ms(500));
    let viewer = world.viewer(bob, slot);
    let watched = viewer.watch();
    assert!(watched.pictures.len() >= 28, "{}", watched.pictures.len());
    assert!(watched.longest_gap < ms(120), "{:?}", watched.longest_gap);
    assert!(viewer.holes().is_empty());
}

#[test]
fn what_a_receiver_did_not_negotiate_is_not_sent_to_it() {
    let (mut world, one, _, bob, _) = two_cameras(1);
    let h264 = payload(102, Codec::H264, H264, 90_000);
    let slot = world.slot_with(bob, Kind::Video, vec![h264], true);
    world.route(slot, &[one]);
    world.run(ms(500));
    assert!(world.viewer(bob, slot).packets.is_empty());
    let both = world.slot_with(bob, Kind::Video, vec![h264, vp8(98)], true);
    world.route(both, &[one]);
    world.run(ms(500));
    let types = world
        .viewer(bob, both)
        .in_order()
        .map(|received| received.payload_type);
    let types: Vec<u8> = types.collect();
    assert!(types.len() > 30);
    assert!(types.iter().all(|pt| *pt == 98));
}

#[test]
fn redundant_audio_is_passed_on_or_stripped_as_the_receiver_negotiated() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let red = payload(63, Codec::Red, RED, 48_000);
    let mut redundant = Microphone::new(100);
    redundant.payloads = vec![opus(111), red];
    redundant.uses = 1;
    let voice = world.speak(ann, redundant);
    let plain = world.slot(bob, Kind::Audio);
    let redundant = world.slot_with(
        bob,
        Kind::Audio,
        vec![opus(109), payload(35, Codec::Red, RED, 48_000)],
        false,
    );
    world.route(plain, &[voice]);
    world.route(redundant, &[voice]);
    world.run(ms(500));
    let stripped = world.viewer(bob, plain).newest().expect("audio came");
    assert_eq!((stripped.payload_type, stripped.payload.len()), (109, 80));
    assert_eq!(stripped.payload[..4], voice.0.to_be_bytes());
    let passed = world.viewer(bob, redundant).newest().expect("audio came");
    assert_eq!((passed.payload_type, passed.payload.len()), (35, 89));
    assert_eq!(OPUS, 2);
}

#[test]
fn a_publisher_that_leaps_is_asked_for_a_keyframe_and_followed() {
    let (mut world, one, _, bob, slot) = two_cameras(1);
    world.route(slot, &[one]);
    world.run(ms(500));
    let asked = world.camera(one).plis.len();
    let camera = world.camera(one);
    camera.sequence = camera.sequence.wrapping_add(5000);
    world.run(ms(500));
    assert_eq!(world.camera(one).plis.len(), asked + 1);
    let viewer = world.viewer(bob, slot);
    assert!(viewer.holes().is_empty());
    assert!(
        viewer.watch().longest_gap < ms(150),
        "{:?}",
        viewer.watch().longest_gap
    );
}

#[test]
fn late_packets_of_an_ssrc_that_was_replaced_do_not_bring_it_back() {
    let (mut world, one, _, bob, slot) = two_cameras(1);
    world.camera(one).signalled = false;
    world.route(slot, &[one]);
    world.run(ms(500));
    let mut before = world.camera(one).clone();
    let camera = world.camera(one);
    camera.ssrc = 5555;
    camera.wants_keyframe = true;
    world.run(ms(200));
    for packet in before.frame() {
        let sealed = world.peers[0].protect(&packet, None);
        world.send_up(0, vec![sealed]);
    }
    world.run(ms(300));
    let watched = world.viewer(bob, slot).watch();
    assert!(watched.longest_gap < ms(100), "{:?}", watched.longest_gap);
    assert_eq!(world.plane.counters().drop_rtp_unknown_ssrc, 3);
}

#[test]
fn a_receiver_that_was_away_goes_on_without_a_hole() {
    let (mut world, one, _, bob, slot) = two_cameras(1);
    world.route(slot, &[one]);
    world.run(ms(500));
    world.peers[bob].checks = false;
    world.run(ms(32_000));
    let check = world.peers[bob].check(true);
    world.send_up(bob, vec![check]);
    world.run(ms(500));
    let viewer = world.viewer(bob, slot);
    assert!(viewer.holes().is_empty());
    assert!(
        viewer
            .newest()
            .is_some_and(|newest| world.now - newest.at < ms(50))
    );
}

#[test]
fn a_source_that_cannot_be_read_is_passed_on_from_a_whole_picture() {
    let (mut world, one, _, bob, slot) = two_cameras(1);
    world.camera(one).opaque = true;
    world.camera(one).ssrc = 7000;
    world.camera(one).signalled = false;
    world.route(slot, &[one]);
    world.run(ms(3000));
    let viewer = world.viewer(bob, slot);
    assert!(viewer.packets.len() > 60, "{}", viewer.packets.len());
    let markers: Vec<bool> = viewer.in_order().map(|received| received.marker).collect();
    assert_eq!(markers[..6], [false, false, true, false, false, true]);
    // Asked until it was clear that no answer can be seen, and then once for each wish of a receiver.
    let asked = world.camera(one).plis.len();
    assert!((3..=4).contains(&asked), "{asked}");
    world.run(ms(5000));
    assert_eq!(world.camera(one).plis.len(), asked);
    let loss = world.peers[bob].picture_loss(crate::world::ssrc_of(slot));
    world.send_up(bob, vec![loss]);
    world.run(ms(2000));
    assert_eq!(world.camera(one).plis.len(), asked + 1);
}
