//! Simulcast: the highest living encoding within the limits, and never a frozen picture.

use _dataplane::core::{Event, Kind, SinkId, SourceId};

use crate::world::camera::Camera;
use crate::world::{World, ms};

struct Simulcast {
    world: World,
    layers: [SourceId; 3],
    bob: usize,
    slot: SinkId,
}

fn simulcast() -> Simulcast {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let layers = [
        ("q", 100, (320, 180)),
        ("h", 110, (640, 360)),
        ("f", 120, (1280, 720)),
    ];
    let layers = layers.map(|(rid, ssrc, size)| world.publish(ann, Camera::layer(ssrc, rid, size)));
    let slot = world.slot(bob, Kind::Video);
    world.link.up.delay = ms(10);
    world.link.down.delay = ms(10);
    Simulcast {
        world,
        layers,
        bob,
        slot,
    }
}

impl Simulcast {
    fn on_air(&self) -> Option<u32> {
        self.world
            .viewer(self.bob, self.slot)
            .watch()
            .sources
            .last()
            .copied()
    }

    fn longest_gap(&self) -> std::time::Duration {
        self.world.viewer(self.bob, self.slot).watch().longest_gap
    }
}

#[test]
fn layers_are_told_apart_by_rid_and_their_sizes_become_known() {
    let mut call = simulcast();
    call.world.run(ms(500));
    let sizes = call.world.happened(|event| match event {
        Event::SourceLayer {
            source,
            width,
            height,
        } => Some((*source, (*width, *height))),
        _ => None,
    });
    let [low, middle, high] = call.layers;
    assert_eq!(
        sizes,
        [(low, (320, 180)), (middle, (640, 360)), (high, (1280, 720))]
    );
}

#[test]
fn the_highest_layer_within_the_wanted_height_is_sent() {
    let mut call = simulcast();
    let [low, middle, high] = call.layers;
    for (height, expected) in [
        (None, high),
        (Some(360), middle),
        (Some(200), low),
        (None, high),
    ] {
        call.world
            .route_within(call.slot, &[low, middle, high], height);
        call.world.run(ms(700));
        assert_eq!(call.on_air(), Some(expected.0), "{height:?}");
    }
    assert!(call.longest_gap() < ms(100), "{:?}", call.longest_gap());
    assert!(call.world.viewer(call.bob, call.slot).holes().is_empty());
}

#[test]
fn when_the_top_layer_dies_the_next_one_is_shown_within_a_few_frames() {
    let mut call = simulcast();
    let [low, middle, high] = call.layers;
    call.world.route(call.slot, &[low, middle, high]);
    call.world.run(ms(1000));
    assert_eq!(call.on_air(), Some(high.0));
    call.world.camera(high).running = false;
    call.world.run(ms(1000));
    assert_eq!(call.on_air(), Some(middle.0));
    assert!(call.longest_gap() < ms(250), "{:?}", call.longest_gap());
    call.world.camera(middle).running = false;
    call.world.run(ms(1000));
    assert_eq!(call.on_air(), Some(low.0));
    assert!(call.longest_gap() < ms(250), "{:?}", call.longest_gap());
}

#[test]
fn a_layer_that_comes_back_is_taken_again_at_its_keyframe() {
    let mut call = simulcast();
    let [low, middle, high] = call.layers;
    call.world.route(call.slot, &[low, middle, high]);
    call.world.run(ms(1000));
    call.world.camera(high).running = false;
    call.world.run(ms(1000));
    call.world.camera(high).running = true;
    call.world.run(ms(1000));
    assert_eq!(call.on_air(), Some(high.0));
    assert!(call.longest_gap() < ms(250), "{:?}", call.longest_gap());
}

#[test]
fn a_still_screen_is_no_dead_layer() {
    let mut call = simulcast();
    let [low, middle, high] = call.layers;
    call.world.route(call.slot, &[low, middle, high]);
    call.world.run(ms(1000));
    for layer in call.layers {
        call.world.camera(layer).running = false;
    }
    call.world.run(ms(1500));
    let asked: usize = call
        .layers
        .iter()
        .map(|layer| call.world.camera(*layer).plis.len())
        .sum();
    for layer in call.layers {
        call.world.camera(layer).running = true;
    }
    call.world.run(ms(500));
    assert_eq!(call.on_air(), Some(high.0));
    let after: usize = call
        .layers
        .iter()
        .map(|layer| call.world.camera(*layer).plis.len())
        .sum();
    assert_eq!(after, asked);
}

#[test]
fn a_route_whose_layers_are_not_there_yet_begins_with_the_first_that_comes() {
    let mut call = simulcast();
    let [low, middle, high] = call.layers;
    call.world.camera(middle).running = false;
    call.world.camera(high).running = false;
    call.world.route(call.slot, &[low, middle, high]);
    call.world.run(ms(500));
    assert_eq!(call.on_air(), Some(low.0));
    call.world.camera(high).running = true;
    call.world.run(ms(500));
    assert_eq!(call.on_air(), Some(high.0));
}

#[test]
fn idle_sources_are_told() {
    let mut call = simulcast();
    call.world.run(ms(500));
    for layer in call.layers {
        call.world.camera(layer).running = false;
    }
    call.world.run(ms(2500));
    let idle = call.world.happened(|event| match event {
        Event::SourceIdle { source } => Some(*source),
        _ => None,
    });
    assert_eq!(idle.len(), 3);
    let [low, ..] = call.layers;
    call.world.camera(low).running = true;
    call.world.run(ms(100));
    let active = call.world.happened(|event| match event {
        Event::SourceActive { source, .. } if *source == low => Some(()),
        _ => None,
    });
    assert_eq!(active.len(), 2);
}

/// A layers allocation (RTP header extension, version 00) as Chrome writes it: told on which stream, and which of three are active.
fn allocation(stream: u8, active: [bool; 3]) -> Vec<u8> {
    // Three streams, a bitmask of spatial layers each; one temporal layer with a bitrate of 100 kbit/s each.
    let mask = active.map(u8::from);
    let mut bytes = vec![
        stream << 6 | 2 << 4,
        mask[0] << 4 | mask[1],
        mask[2] << 4,
        0,
    ];
    bytes.extend(active.iter().filter(|active| **active).map(|_| 100));
    bytes
}

#[test]
fn a_publisher_that_says_that_a_layer_ended_is_believed_at_once() {
    let mut call = simulcast();
    let [low, middle, high] = call.layers;
    for (stream, layer) in (0..).zip(call.layers) {
        let told = allocation(stream, [true; 3]);
        call.world.camera(layer).extensions = vec![(12, told)];
    }
    call.world.route(call.slot, &[low, middle, high]);
    call.world.run(ms(1000));
    assert_eq!(call.on_air(), Some(high.0));
    let plis = call.world.camera(middle).plis.len();
    call.world.camera(high).running = false;
    for (stream, layer) in (0..).zip([low, middle]) {
        let told = allocation(stream, [true, true, false]);
        call.world.camera(layer).extensions = vec![(12, told)];
    }
    // One frame and two ways through the wire, where silence alone would take three frames to notice.
    call.world.run(ms(65));
    assert_eq!(call.world.camera(middle).plis.len(), plis + 1);
    call.world.run(ms(500));
    assert_eq!(call.on_air(), Some(middle.0));
    assert!(call.longest_gap() < ms(150), "{:?}", call.longest_gap());
}
