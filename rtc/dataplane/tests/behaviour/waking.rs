//! The plane sleeps when there is nothing to do.

use _dataplane::core::{Command, Kind};

use crate::world::camera::Camera;
use crate::world::microphone::Microphone;
use crate::world::{World, ms};

#[test]
fn an_idle_room_wakes_nobody_often() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    world.camera(camera).running = false;
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    let before = world.wakes;
    world.run(ms(60_000));
    assert!(world.wakes - before < 120, "{}", world.wakes - before);
}

#[test]
fn a_call_wakes_the_plane_for_reports_and_little_else() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let voice = world.speak(ann, Microphone::new(200));
    let (video, audio) = (world.slot(bob, Kind::Video), world.slot(bob, Kind::Audio));
    world.route(video, &[camera]);
    world.route(audio, &[voice]);
    let before = world.wakes;
    world.run(ms(10_000));
    assert!(world.wakes - before < 700, "{}", world.wakes - before);
}

#[test]
fn wishes_that_cannot_be_granted_do_not_keep_it_awake() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    world.run(ms(500));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    world.run(ms(5));
    // The publisher is gone in the middle of everything: missing packets, a keyframe that is wanted.
    let lost = world.camera(camera).sequence.wrapping_add(1);
    world.camera(camera).withheld.push(lost);
    world.camera(camera).answers_nacks = false;
    world.run(ms(70));
    world.camera(camera).running = false;
    world.peers[ann].checks = false;
    world.link.up.cut = true;
    let before = world.wakes;
    world.run(ms(60_000));
    assert!(world.wakes - before < 300, "{}", world.wakes - before);
    world.command(Command::PauseSource {
        source: camera,
        paused: true,
    });
    world.run(ms(10_000));
    assert!(world.wakes - before < 400, "{}", world.wakes - before);
}
