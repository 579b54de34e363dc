//! Who may talk to the plane, and from where.

use aws_lc_rs::hmac;

use _dataplane::core::{Command, Event, Kind, Path, Protocol};
use _dataplane::wire::stun::{BindingRequest, IntegrityKey, Message, write_binding_request};

use crate::world::camera::Camera;
use crate::world::{World, ms, path};

/// A publisher, a subscriber and a picture between them.
fn call() -> (World, usize, usize, _dataplane::core::SinkId) {
    let mut world = World::new(2);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    world.run(ms(500));
    (world, ann, bob, slot)
}

fn selected(world: &World, peer: usize) -> Vec<Path> {
    let own = world.peers[peer].transport;
    world.happened(|event| match event {
        Event::PathSelected { transport, path } if *transport == own => Some(*path),
        _ => None,
    })
}

#[test]
fn a_valid_check_is_answered_and_selects_its_path() {
    let mut world = World::new(2);
    let room = world.room();
    let ann = world.join(room);
    assert_eq!(world.peers[ann].answers, [None]);
    assert_eq!(selected(&world, ann), [world.peers[ann].path]);
}

#[test]
fn wrong_credentials_are_refused_and_counted() {
    let mut world = World::new(2);
    let room = world.room();
    let ann = world.invite(room);
    let own = world.peers[ann].path;
    let right = (
        world.peers[ann].ufrag.clone(),
        world.peers[ann].password.clone(),
    );
    world.peers[ann].password = "wrong".into();
    let forged = world.peers[ann].check(true);
    world.inject(own, &forged);
    world.peers[ann].ufrag = "nobody".into();
    let unknown = world.peers[ann].check(true);
    world.inject(own, &unknown);
    world.run(ms(1));
    assert_eq!(world.peers[ann].answers, [Some(401), Some(401)]);
    assert_eq!(world.plane.counters().drop_stun_bad_integrity, 1);
    assert_eq!(world.plane.counters().drop_stun_unknown_ufrag, 1);
    assert_eq!(selected(&world, ann), []);
    (world.peers[ann].ufrag, world.peers[ann].password) = right;
    let check = world.peers[ann].check(true);
    world.inject(own, &check);
    assert_eq!(selected(&world, ann), [own]);
}

#[test]
fn a_request_without_credentials_is_bad() {
    let mut world = World::new(2);
    let room = world.room();
    let ann = world.invite(room);
    let own = world.peers[ann].path;
    // A whole binding request of nothing but its header.
    let bare = [&[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &[7; 12]].concat();
    world.inject(own, &bare);
    world.run(ms(1));
    assert_eq!(world.peers[ann].answers, [Some(400)]);
}

#[test]
fn an_agent_that_wants_to_be_controlled_is_told_of_the_conflict() {
    let mut world = World::new(2);
    let room = world.room();
    let ann = world.invite(room);
    let own = world.peers[ann].path;
    let check = world.peers[ann].check_as(true, false);
    world.inject(own, &check);
    world.run(ms(1));
    assert_eq!(world.peers[ann].answers, [Some(487)]);
    assert_eq!(selected(&world, ann), []);
}

#[test]
fn attributes_that_must_be_understood_and_are_not_are_named() {
    let mut world = World::new(2);
    let room = world.room();
    let ann = world.invite(room);
    let own = world.peers[ann].path;
    let username = format!("{}:theirs", world.peers[ann].ufrag);
    let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
    message.extend([9; 12]);
    message.extend([0x00, 0x06, 0, username.len() as u8]);
    message.extend(username.as_bytes());
    message.resize(message.len().next_multiple_of(4), 0);
    message.extend([0x7F, 0xFF, 0, 0]);
    message[3] = (message.len() - 20 + 24) as u8;
    let password = world.peers[ann].password.clone();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let tag = hmac::sign(&key, &message);
    message.extend([0, 8, 0, 20]);
    message.extend(tag.as_ref());
    world.inject(own, &message);
    world.run(ms(1));
    assert_eq!(world.peers[ann].answers, [Some(420)]);
}

#[test]
fn media_and_dtls_from_an_address_that_was_never_validated_are_dropped() {
    let (mut world, ann, ..) = call();
    let before = *world.plane.counters();
    let stranger = path(999);
    let packet = world.peers[ann].cameras[0].frame().remove(0);
    let sealed = world.peers[ann].protect(&packet, None);
    world.inject(stranger, &sealed);
    world.inject(stranger, &[22, 254, 253, 0]);
    assert_eq!(
        world.plane.counters().drop_unvalidated,
        before.drop_unvalidated + 2
    );
    assert!(
        world
            .happened(|event| matches!(event, Event::Dtls { .. }).then_some(()))
            .is_empty()
    );
}

#[test]
fn dtls_is_handed_up_and_down_and_does_not_pile_up() {
    let mut world = World::new(2);
    let room = world.room();
    let ann = world.join(room);
    let own = world.peers[ann].path;
    let transport = world.peers[ann].transport;
    for _ in 0..100 {
        let mut record = [22, 254, 253, 1];
        let data = &mut record[..];
        let input = _dataplane::core::Input::Datagram { path: own, data };
        world.plane.handle(world.now, input);
    }
    world.run(ms(1));
    let data = vec![22, 254, 253, 2];
    world.command(Command::SendDtls { transport, data });
    let dtls = world.happened(|event| matches!(event, Event::Dtls { .. }).then_some(()));
    assert_eq!(dtls.len(), 64);
    assert_eq!(world.plane.counters().drop_dtls_overflow, 36);
    assert_eq!(world.transmits.last(), Some(&(own, None, 4)));
}

#[test]
fn a_peer_whose_address_changes_keeps_its_call() {
    let (mut world, ann, bob, slot) = call();
    for peer in [ann, bob] {
        let moved = path(500 + peer as u16);
        world.peers[peer].path = moved;
        let check = world.peers[peer].check(true);
        world.send_up(peer, vec![check]);
    }
    let before = world.viewer(bob, slot).watch().pictures.len();
    world.run(ms(1000));
    let watched = world.viewer(bob, slot).watch();
    assert!(watched.pictures.len() >= before + 28);
    assert!(watched.longest_gap < ms(100));
    assert_eq!(selected(&world, ann).last(), Some(&path(500)));
}

#[test]
fn a_check_without_nomination_moves_nothing() {
    let (mut world, _, bob, _) = call();
    let selections = selected(&world, bob).len();
    let check = world.peers[bob].check(false);
    world.inject(path(700), &check);
    assert_eq!(selected(&world, bob).len(), selections);
    let check = world.peers[bob].check(true);
    world.inject(path(700), &check);
    assert_eq!(selected(&world, bob).last(), Some(&path(700)));
}

#[test]
fn an_ice_restart_goes_on_with_the_same_keys() {
    let (mut world, ann, bob, slot) = call();
    let transport = world.peers[bob].transport;
    world.command(Command::RestartIce {
        transport,
        local_ufrag: "again".into(),
        local_pwd: "another-password".into(),
    });
    let old = world.peers[bob].check(true);
    world.send_up(bob, vec![old.clone()]);
    world.run(ms(300));
    assert_eq!(world.peers[bob].answers.last(), Some(&None), "still valid");
    world.peers[bob].ufrag = "again".into();
    world.peers[bob].password = "another-password".into();
    world.peers[bob].path = path(800);
    let new = world.peers[bob].check(true);
    world.send_up(bob, vec![new]);
    world.run(ms(300));
    world.send_up(bob, vec![old]);
    world.run(ms(300));
    assert_eq!(
        world.peers[bob].answers.last(),
        Some(&Some(401)),
        "no longer valid"
    );
    assert!(world.viewer(bob, slot).watch().longest_gap < ms(100));
    assert_eq!(world.peers[ann].answers.last(), Some(&None));
}

#[test]
fn consent_is_lost_after_thirty_seconds_of_silence_and_comes_back() {
    let (mut world, _, bob, slot) = call();
    let transport = world.peers[bob].transport;
    let lost = |world: &World| {
        world.happened(|event| match event {
            Event::ConsentLost { transport } => Some(*transport),
            _ => None,
        })
    };
    world.peers[bob].checks = false;
    world.run(ms(29_000));
    assert_eq!(lost(&world), []);
    world.run(ms(3_000));
    assert_eq!(lost(&world), [transport]);
    let received = world.viewer(bob, slot).packets.len();
    world.run(ms(1000));
    assert_eq!(
        world.viewer(bob, slot).packets.len(),
        received,
        "nothing is sent"
    );
    let check = world.peers[bob].check(true);
    world.send_up(bob, vec![check]);
    world.run(ms(1000));
    assert!(world.viewer(bob, slot).packets.len() > received + 80);
    assert_eq!(selected(&world, bob).len(), 2);
}

#[test]
fn a_peer_that_never_comes_is_given_up_too() {
    let mut world = World::new(2);
    let room = world.room();
    let ann = world.invite(room);
    world.run(ms(31_000));
    let transport = world.peers[ann].transport;
    let lost = world.happened(|event| match event {
        Event::ConsentLost { transport } => Some(*transport),
        _ => None,
    });
    assert_eq!(lost, [transport]);
}

#[test]
fn an_address_belongs_to_whoever_proved_it_last() {
    let (mut world, ann, bob, _) = call();
    let shared = world.peers[ann].path;
    let check = world.peers[bob].check(true);
    world.inject(shared, &check);
    let packet = world.peers[ann].cameras[0].frame().remove(0);
    let sealed = world.peers[ann].protect(&packet, None);
    let before = world.plane.counters().drop_srtp_authentication;
    world.inject(shared, &sealed);
    assert_eq!(world.plane.counters().drop_srtp_authentication, before + 1);
}

#[test]
fn tcp_is_a_path_like_any_other_until_its_connection_closes() {
    let (mut world, _, bob, slot) = call();
    let tcp = Path {
        protocol: Protocol::Tcp(7),
        ..world.peers[bob].path
    };
    let check = world.peers[bob].check(true);
    world.inject(tcp, &check);
    assert_eq!(selected(&world, bob).last(), Some(&tcp));
    world.run(ms(500));
    let by_tcp = world.transmits.iter().filter(|(path, ..)| *path == tcp);
    assert!(by_tcp.count() > 10);
    assert!(world.viewer(bob, slot).watch().longest_gap < ms(100));
    world
        .plane
        .handle(world.now, _dataplane::core::Input::PathClosed(tcp));
    world.run(ms(500));
    assert_eq!(selected(&world, bob).last(), Some(&world.peers[bob].path));
    assert!(world.viewer(bob, slot).watch().longest_gap < ms(100));
}

#[test]
fn a_closed_transport_answers_nobody() {
    let (mut world, ann, ..) = call();
    let transport = world.peers[ann].transport;
    world.command(Command::CloseTransport { transport });
    let key = IntegrityKey::new(world.peers[ann].password.as_bytes());
    let request = BindingRequest {
        transaction_id: [1; 12],
        username: &format!("{}:x", world.peers[ann].ufrag),
        priority: 1,
        use_candidate: true,
        controlling: true,
        tie_breaker: 1,
    };
    let mut bytes = Vec::new();
    write_binding_request(&mut bytes, &request, &key);
    assert!(Message::parse(&bytes).is_ok());
    let own = world.peers[ann].path;
    let before = world.plane.counters().drop_stun_unknown_ufrag;
    world.inject(own, &bytes);
    world.inject(own, &[128, 96, 0, 1]);
    assert_eq!(world.plane.counters().drop_stun_unknown_ufrag, before + 1);
    assert_eq!(world.plane.counters().drop_unvalidated, 1);
}
