//! A packet that is forwarded costs no memory.

#[path = "behaviour/world/mod.rs"]
mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use _dataplane::core::{Input, Kind};

use world::camera::Camera;
use world::microphone::Microphone;
use world::{World, ms};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are ours.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
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
