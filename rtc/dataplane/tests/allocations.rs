//! A packet that is forwarded costs no memory, and a receiver a little.

#[path = "behaviour/world/mod.rs"]
mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use _dataplane::core::{Command, Input, Kind, RoomId, SinkConfig, SinkId, SourceId, TransportId};

use world::camera::Camera;
use world::microphone::Microphone;
use world::peer::Peer;
use world::{World, ms, opus, path, vp8};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        HELD.with(|held| held.set(held.get() + layout.size() as i64));
        // SAFETY: the caller's promises are ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.with(|held| held.set(held.get() - layout.size() as i64));
        // SAFETY: the caller's promises are ours.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// Bytes that `work` leaves behind.
fn kept_by(work: impl FnOnce()) -> i64 {
    let before = HELD.with(Cell::get);
    work();
    HELD.with(Cell::get) - before
}

#[test]
fn nothing_is_allocated_per_packet_in_the_steady_state() {
    let mut world = World::new(1);
    let room = world.room();
    let ann = world.join(room);
    let camera = world.publish(ann, Camera::new(100));
    let voice = world.speak(ann, Microphone::new(200));
    for _ in 0..10 {
        let peer = world.join(room);
        let (video, audio) = (world.slot(peer, Kind::Video), world.slot(peer, Kind::Audio));
        world.route(video, &[camera]);
        world.route(audio, &[voice]);
    }
    world.run(ms(3000));
    world.camera(camera).running = false;
    let own = world.peers[ann].path;
    let mut datagrams = Vec::new();
    for _ in 0..120 {
        world.peers[ann].cameras[0].timestamp += 3000;
        let frame = world.peers[ann].cameras[0].frame();
        let sound = world.peers[ann].microphones[0].next;
        let sound = world.peers[ann].microphones[0].tick(sound);
        for packet in frame.iter().chain(&sound) {
            datagrams.push(world.peers[ann].protect(packet, Some(30)));
        }
    }
    let mut forwarded = 0;
    let mut counted = 0;
    world.microphone(voice).running = false;
    for (turn, batch) in datagrams.chunks_mut(4).enumerate() {
        // The first turns grow buffers to what is needed; reports, which are due once in a while, come before.
        world.run(ms(33));
        let before = allocations();
        for datagram in batch {
            let data = &mut datagram[..];
            world
                .plane
                .handle(world.now, Input::Datagram { path: own, data });
        }
        while world
            .plane
            .transmits(world.now)
            .map(|one| one.contents.len())
            .sum::<usize>()
            > 0
        {
            forwarded += 1;
        }
        if turn >= 60 {
            counted += allocations() - before;
        }
    }
    assert!(forwarded >= 120);
    assert_eq!(counted, 0);
}

#[test]
fn a_receiver_takes_less_than_sixty_kilobytes() {
    let mut world = World::new(1);
    let room = world.room();
    let ann = world.join(room);
    let camera = world.publish(ann, Camera::new(100));
    let voice = world.speak(ann, Microphone::new(200));
    world.run(ms(3000));
    let profile = world.peers[ann].keys.profile;
    let mut peers: Vec<Peer> = (0..100)
        .map(|index| {
            Peer::new(
                TransportId(5000 + index),
                path(5000 + index as u16),
                profile,
            )
        })
        .collect();
    let mut orders = Vec::new();
    for (peer, number) in peers.iter_mut().zip(0..) {
        orders.push((
            receiver(room, peer, number, camera, voice),
            peer.path,
            peer.check(true),
        ));
    }
    let held = kept_by(|| {
        for (commands, path, check) in orders {
            for command in commands {
                world.plane.handle(world.now, Input::Command(command));
            }
            world.inject(path, &check);
        }
        // All that they are sent goes nowhere, as the world does not know them.
        world.run(ms(3000));
        // What the world wrote down of it is not the plane's.
        world.transmits = Vec::new();
        world.events = Vec::new();
    });
    assert!(world.plane.counters().packets_forwarded > 100 * 300);
    let each = held / 100;
    println!("{each} bytes for each receiver");
    assert!(each < 60_000, "{each}");
}

fn receiver(
    room: RoomId,
    peer: &Peer,
    number: u32,
    camera: SourceId,
    voice: SourceId,
) -> Vec<Command> {
    let transport = peer.transport;
    let mut commands = vec![
        Command::AddTransport {
            transport,
            room,
            local_ufrag: peer.ufrag.clone(),
            local_pwd: peer.password.clone(),
        },
        Command::SetSrtp {
            transport,
            keys: peer.keys.clone(),
        },
    ];
    let slots = [
        (Kind::Video, vp8(120), camera),
        (Kind::Audio, opus(109), voice),
    ];
    for ((kind, payload, source), slot) in slots.into_iter().zip(0..) {
        let sink = SinkId(10_000 + number * 2 + slot);
        let config = SinkConfig {
            kind,
            mid: slot.to_string(),
            ssrc: sink.0 * 10,
            rtx_ssrc: (kind == Kind::Video).then_some(sink.0 * 10 + 1),
            payloads: vec![payload],
        };
        commands.push(Command::AddSink {
            sink,
            transport,
            config,
        });
        commands.push(Command::Route {
            sink,
            sources: vec![source],
            max_height: None,
            max_fps: None,
            priority: 0,
        });
    }
    commands
}
