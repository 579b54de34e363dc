//! Header extensions go out under the receiver's ids, or not at all.

use _dataplane::core::{Command, ExtensionKind, Kind};

use crate::world::camera::Camera;
use crate::world::microphone::Microphone;
use crate::world::{World, ms};

#[test]
fn a_receiver_gets_what_it_negotiated_under_its_own_ids() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let voice = world.speak(ann, Microphone::new(100));
    let slot = world.slot(bob, Kind::Audio);
    let transport = world.peers[bob].transport;
    // The publisher's 1 is the level; here 1 is the MID.
    world.command(Command::SetExtensions {
        transport,
        incoming: vec![],
        outgoing: vec![
            (1, ExtensionKind::Mid),
            (5, ExtensionKind::TransportSequence),
            (9, ExtensionKind::AudioLevel),
            (14, ExtensionKind::AbsSendTime),
        ],
    });
    world.route(slot, &[voice]);
    world.run(ms(300));
    let newest = world
        .viewer(bob, slot)
        .newest()
        .expect("audio came")
        .clone();
    let value = |id: u8| {
        let found = newest.extensions.iter().find(|(own, _)| *own == id);
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(value(1), Some(format!("s{}", slot.0).into_bytes()));
    assert_eq!(value(9), Some(vec![30]));
    assert_eq!(value(14).map(|time| time.len()), Some(3));
    assert_eq!(newest.extensions.len(), 4);
}

#[test]
fn nothing_is_passed_on_that_was_not_negotiated() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let voice = world.speak(ann, Microphone::new(100));
    let slot = world.slot(bob, Kind::Audio);
    world.route(slot, &[voice]);
    world.run(ms(300));
    let ids: Vec<_> = world
        .viewer(bob, slot)
        .in_order()
        .flat_map(|received| received.extensions.iter().map(|(id, _)| *id))
        .collect();
    assert!(ids.iter().all(|id| *id == 5));
}

#[test]
fn transport_wide_numbers_count_every_packet_of_a_transport_once() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let voice = world.speak(ann, Microphone::new(200));
    let (video, audio) = (world.slot(bob, Kind::Video), world.slot(bob, Kind::Audio));
    world.route(video, &[camera]);
    world.route(audio, &[voice]);
    world.run(ms(500));
    let loss = world
        .viewer(bob, video)
        .packets
        .keys()
        .next_back()
        .copied()
        .expect("packets came");
    let mut compound = Vec::new();
    let ssrc = crate::world::ssrc_of(video);
    _dataplane::wire::rtcp::write_nacks(&mut compound, 1, ssrc, &[loss as u16]);
    let sealed = world.peers[bob].seal_rtcp(compound);
    world.send_up(bob, vec![sealed]);
    world.run(ms(500));
    let numbers = &world.peers[bob].transport_sequences;
    assert!(numbers.len() > 120);
    assert!(
        numbers
            .windows(2)
            .all(|two| two[0].wrapping_add(1) == two[1])
    );
    assert_eq!(world.viewer(bob, video).duplicates, 1, "sent again as RTX");
}

#[test]
fn a_dependency_descriptor_is_passed_on_even_if_it_cannot_be_read() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let descriptor = vec![0xC0, 0x12, 0x34, 0xFF, 0xEE];
    let mut camera = Camera::new(100);
    camera.extensions = vec![(13, descriptor.clone())];
    let camera = world.publish(ann, camera);
    let slot = world.slot(bob, Kind::Video);
    let transport = world.peers[bob].transport;
    world.command(Command::SetExtensions {
        transport,
        incoming: vec![],
        outgoing: vec![(7, ExtensionKind::DependencyDescriptor)],
    });
    world.route(slot, &[camera]);
    world.run(ms(300));
    let newest = world.viewer(bob, slot).newest().expect("video came");
    assert_eq!(newest.extensions, [(7, descriptor)]);
}
