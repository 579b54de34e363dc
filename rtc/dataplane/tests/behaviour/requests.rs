//! Keyframes: wanted by many, asked for seldom.

use _dataplane::core::Kind;

use crate::world::camera::Camera;
use crate::world::{World, ms, ssrc_of};

#[test]
fn a_hundred_late_joiners_cost_the_publisher_few_keyframes() {
    let mut world = World::new(1);
    let room = world.room();
    let ann = world.join(room);
    let camera = world.publish(ann, Camera::new(100));
    world.run(ms(2000));
    let asked = world.camera(camera).plis.len();
    let bob = world.join(room);
    let slots: Vec<_> = (0..100).map(|_| world.slot(bob, Kind::Video)).collect();
    for slot in &slots {
        world.route(*slot, &[camera]);
    }
    world.run(ms(400));
    assert_eq!(world.camera(camera).plis.len(), asked + 1);
    let shown = |slot: &_| !world.viewer(bob, *slot).watch().pictures.is_empty();
    assert!(slots.iter().all(shown));
}

#[test]
fn a_late_joiner_begins_with_a_keyframe_that_has_just_been() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    world.run(ms(1000));
    world.camera(camera).wants_keyframe = true;
    world.run(ms(200));
    let asked = world.camera(camera).plis.len();
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    world.run(ms(1));
    assert!(!world.viewer(bob, slot).watch().pictures.is_empty());
    world.run(ms(500));
    assert_eq!(world.camera(camera).plis.len(), asked);
}

#[test]
fn receivers_that_all_lose_the_picture_are_one_question() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let slots: Vec<_> = (0..10).map(|_| world.slot(bob, Kind::Video)).collect();
    for slot in &slots {
        world.route(*slot, &[camera]);
    }
    world.run(ms(2000));
    let asked = world.camera(camera).plis.len();
    for _ in 0..3 {
        for slot in &slots {
            let loss = world.peers[bob].picture_loss(ssrc_of(*slot));
            world.send_up(bob, vec![loss]);
        }
        world.run(ms(100));
    }
    world.run(ms(1000));
    let more = world.camera(camera).plis.len() - asked;
    assert!((1..=2).contains(&more), "{more}");
}

#[test]
fn a_request_that_is_lost_is_repeated() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    world.run(ms(1000));
    let slot = world.slot(bob, Kind::Video);
    world.link.down.cut = true;
    world.route(slot, &[camera]);
    world.run(ms(300));
    world.link.down.cut = false;
    world.run(ms(400));
    assert!(!world.viewer(bob, slot).watch().pictures.is_empty());
}

#[test]
fn a_publisher_without_pli_is_asked_by_full_intra_request() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let mut old = Camera::new(100);
    old.payload.pli = false;
    let camera = world.publish(ann, old);
    world.run(ms(1000));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    world.run(ms(200));
    let asked = world.peers[ann].rtcp.iter();
    let full_intra = |told: &&(_, _)| told.1 == crate::world::peer::Told::FullIntra(100);
    assert_eq!(asked.filter(full_intra).count(), 1);
    assert!(!world.viewer(bob, slot).watch().pictures.is_empty());
}
