//! Who speaks, told seldom and in order.

use _dataplane::core::{Command, Event};

use crate::world::microphone::Microphone;
use crate::world::{World, ms};

#[test]
fn the_loudest_are_told_in_order_and_at_most_ten_times_a_second() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob, cid) = (world.join(room), world.join(room), world.join(room));
    let loud = world.speak(ann, Microphone::new(100));
    let quiet = world.speak(bob, Microphone::new(200));
    let silent = world.speak(cid, Microphone::new(300));
    world.microphone(loud).level = 15;
    world.microphone(quiet).level = 40;
    world.microphone(silent).level = 127;
    world.run(ms(2000));
    let told = |world: &World| {
        world.happened(|event| match event {
            Event::Speakers { room: own, levels } if *own == room => {
                Some(levels.iter().map(|level| level.source).collect::<Vec<_>>())
            }
            _ => None,
        })
    };
    assert_eq!(told(&world).last(), Some(&vec![loud, quiet]));
    assert!(told(&world).len() <= 20);
    world.command(Command::PauseSource {
        source: loud,
        paused: true,
    });
    world.microphone(quiet).running = false;
    world.run(ms(4000));
    assert_eq!(told(&world).last(), Some(&vec![]), "muted and gone");
    let before = told(&world).len();
    world.run(ms(4000));
    assert_eq!(told(&world).len(), before, "silence is told once");
}

#[test]
fn rooms_do_not_hear_each_other() {
    let mut world = World::new(1);
    let (here, there) = (world.room(), world.room());
    let (ann, bob) = (world.join(here), world.join(there));
    world.speak(ann, Microphone::new(100));
    let other = world.speak(bob, Microphone::new(200));
    world.microphone(other).level = 127;
    world.run(ms(1000));
    let rooms = world.happened(|event| match event {
        Event::Speakers { room, .. } => Some(*room),
        _ => None,
    });
    assert!(!rooms.is_empty() && rooms.iter().all(|room| *room == here));
}
