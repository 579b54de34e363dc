//! What was sent once counts once, and what was forged not at all.

use _dataplane::core::Kind;
use _dataplane::wire::rtcp::write_picture_loss;

use crate::world::camera::Camera;
use crate::world::{World, ms};

#[test]
fn a_replayed_packet_is_dropped_before_it_is_decrypted() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    let frame = world.camera(camera).frame();
    let sealed: Vec<_> = frame
        .iter()
        .map(|one| world.peers[ann].protect(one, None))
        .collect();
    let own = world.peers[ann].path;
    for datagram in sealed.iter().chain(&sealed).chain(&sealed) {
        world.inject(own, datagram);
    }
    world.run(ms(1));
    assert_eq!(
        world.plane.counters().drop_srtp_replay,
        2 * sealed.len() as u64
    );
    assert_eq!(world.plane.counters().drop_srtp_authentication, 0);
    assert_eq!(world.viewer(bob, slot).duplicates, 0);
}

#[test]
fn a_forged_packet_does_not_move_the_window() {
    let mut world = World::new(1);
    let room = world.room();
    let ann = world.join(room);
    let camera = world.publish(ann, Camera::new(100));
    world.run(ms(100));
    let own = world.peers[ann].path;
    let mut forged = world.camera(camera).clone();
    forged.sequence = forged.sequence.wrapping_add(20_000);
    let packet = forged.frame().remove(0);
    let mut sealed = world.peers[ann].seal(packet.write(0, None).0, packet.write(0, None).1);
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    world.inject(own, &sealed);
    assert_eq!(world.plane.counters().drop_srtp_authentication, 1);
    world.run(ms(500));
    assert_eq!(world.plane.counters().drop_srtp_replay, 0);
}

#[test]
fn a_replayed_compound_asks_for_nothing() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    world.run(ms(1000));
    let asked = world.plane.counters().plis_received;
    let mut compound = Vec::new();
    write_picture_loss(&mut compound, 1, crate::world::ssrc_of(slot));
    let sealed = world.peers[bob].seal_rtcp(compound);
    let own = world.peers[bob].path;
    for _ in 0..5 {
        world.inject(own, &sealed);
    }
    assert_eq!(world.plane.counters().plis_received, asked + 1);
    assert_eq!(world.plane.counters().drop_rtcp_replay, 4);
}

#[test]
fn nothing_is_opened_before_there_are_keys() {
    let mut world = World::new(1);
    let room = world.room();
    let ann = world.invite(room);
    world.peers[ann].start_checks(world.now);
    world.publish(ann, Camera::new(100));
    world.run(ms(100));
    assert!(world.plane.counters().drop_no_keys > 0);
    let keys = world.peers[ann].keys.clone();
    world.set_keys(ann, keys);
    let dropped = world.plane.counters().drop_no_keys;
    world.run(ms(100));
    assert_eq!(world.plane.counters().drop_no_keys, dropped);
    assert_eq!(world.plane.counters().drop_srtp_authentication, 0);
}
