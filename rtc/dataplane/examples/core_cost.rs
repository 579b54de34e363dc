//! What one forwarded packet costs the core, without any system call: `cargo run --release --example core_cost`.
//!
//! One publisher, frames of ten packets of 1,100 bytes, N receivers; and for comparison only the encryption of as many.

#[path = "../tests/behaviour/world/mod.rs"]
mod world;

use std::time::Instant;

use _dataplane::core::{Input, Kind, Profile};
use _dataplane::srtp::Session;

use world::camera::Camera;
use world::{World, ms};

const FRAMES: usize = 300;
const PACKETS: usize = 10;
const PAYLOAD: usize = 1100;

fn main() {
    for profile in [
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
        Profile::Aes128CmSha1_80,
    ] {
        let encryption = encryption(profile);
        for receivers in [1, 10, 30, 60, 200] {
            let cost = forwarding(profile, receivers);
            println!(
                "{profile:?} N={receivers}: {cost:.2} µs per forwarded packet, encryption alone {encryption:.2}"
            );
        }
    }
}

fn forwarding(profile: Profile, receivers: usize) -> f64 {
    let mut world = World::with_profile(1, profile);
    let room = world.room();
    let ann = world.join(room);
    let mut large = Camera::new(100);
    large.packets_per_frame = PACKETS;
    large.packet_len = PAYLOAD;
    let camera = world.publish(ann, large);
    for _ in 0..receivers {
        let peer = world.join(room);
        let slot = world.slot(peer, Kind::Video);
        world.viewer_mut(peer, slot).asks = false;
        world.route(slot, &[camera]);
    }
    world.run(ms(500));
    world.camera(camera).running = false;
    let own = world.peers[ann].path;
    let mut frames = Vec::new();
    for _ in 0..FRAMES {
        world.peers[ann].cameras[0].timestamp += 3000;
        let frame = world.peers[ann].cameras[0].frame();
        let frame: Vec<_> = frame
            .iter()
            .map(|one| world.peers[ann].protect(one, None))
            .collect();
        frames.push(frame);
    }
    let (mut bytes, mut now) = (0, world.now);
    let began = Instant::now();
    for frame in &mut frames {
        now += ms(33);
        for datagram in frame {
            let data = &mut datagram[..];
            world.plane.handle(now, Input::Datagram { path: own, data });
        }
        loop {
            let sent: usize = world
                .plane
                .transmits(now)
                .map(|one| one.contents.len())
                .sum();
            if sent == 0 {
                break;
            }
            bytes += sent;
        }
    }
    let took = began.elapsed();
    let forwarded = FRAMES * PACKETS * receivers;
    assert!(bytes > forwarded * PAYLOAD, "everything was forwarded");
    took.as_secs_f64() * 1e6 / forwarded as f64
}

fn encryption(profile: Profile) -> f64 {
    let session = Session::new(
        profile,
        &vec![1; profile.key_len()],
        &vec![2; profile.salt_len()],
    );
    let session = session.expect("lengths");
    let mut packet = vec![0; 20 + PAYLOAD + profile.rtp_overhead()];
    packet[0] = 0x80;
    let began = Instant::now();
    let rounds = 100_000u32;
    for round in 0..rounds {
        session
            .protect_rtp(&mut packet, 20, round)
            .expect("room for the tag");
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
}
