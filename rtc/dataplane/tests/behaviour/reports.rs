//! What the plane tells of time, of loss and of arrivals.

use std::time::Duration;

use _dataplane::core::{Kind, Scope};
use _dataplane::wire::rtcp::ReportBlock;

use crate::world::camera::Camera;
use crate::world::microphone::Microphone;
use crate::world::peer::Told;
use crate::world::{World, ms, ssrc_of};

/// The time on the server's clock at which a packet of this timestamp was captured, by the report before it.
fn seconds(report: &_dataplane::wire::rtcp::SenderInfo, timestamp: u32, clock_rate: f64) -> f64 {
    let since = timestamp.wrapping_sub(report.timestamp) as i32;
    report.ntp as f64 / 2f64.powi(32) + f64::from(since) / clock_rate
}

#[test]
fn sender_reports_come_at_the_switch_and_twice_more_within_the_second() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    world.run(ms(5000));
    let viewer = world.viewer(bob, slot);
    let first = viewer.in_order().next().expect("packets came").at;
    let since: Vec<_> = viewer.reports.iter().map(|(at, _)| *at - first).collect();
    assert!(since[0] < ms(5), "{since:?}");
    assert!(
        since.iter().filter(|since| **since < ms(1000)).count() >= 3,
        "{since:?}"
    );
    assert!((7..=9).contains(&since.len()), "{since:?}");
    let last = viewer.reports.last().expect("reports came").1;
    assert!(
        (140..=152).contains(&(last.packets / 3)),
        "{}",
        last.packets
    );
}

#[test]
fn lips_and_sound_are_on_one_clock_whatever_the_publishers_say() {
    for ahead in [0, 3, 1_000_000] {
        let mut world = World::new(1);
        world.link.up.delay = ms(30);
        world.link.up.jitter = ms(4);
        let room = world.room();
        let (ann, bob) = (world.join(room), world.join(room));
        world.peers[ann].ntp_ahead = Some(Duration::from_secs(ahead));
        let camera = world.publish(ann, Camera::new(100));
        let voice = world.speak(ann, Microphone::new(200));
        let (video, audio) = (world.slot(bob, Kind::Video), world.slot(bob, Kind::Audio));
        world.route(video, &[camera]);
        world.route(audio, &[voice]);
        world.run(ms(5000));
        let captured = |slot, clock_rate: f64| {
            let viewer = world.viewer(bob, slot);
            let newest = viewer.newest().expect("packets came");
            let report = viewer.reports.last().expect("reports came").1;
            let since_start = (newest.at - world.start).as_secs_f64();
            seconds(&report, newest.timestamp, clock_rate) - since_start
        };
        let (lips, sound) = (captured(video, 90_000.0), captured(audio, 48_000.0));
        assert!(
            (lips - sound).abs() < 0.012,
            "{lips} and {sound}, {ahead} s ahead"
        );
    }
}

#[test]
fn a_publishers_clock_never_reaches_a_receiver() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    world.peers[ann].ntp_ahead = Some(Duration::from_secs(1_000_000));
    let camera = world.publish(ann, Camera::new(100));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    world.run(ms(5000));
    for (at, report) in &world.viewer(bob, slot).reports {
        let told = report.ntp as f64 / 2f64.powi(32) - 2_208_988_800.0;
        assert!((told - (*at - world.start).as_secs_f64()).abs() < 0.001);
    }
}

#[test]
fn the_line_from_timestamps_to_time_goes_on_over_a_switch() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, cid, bob) = (world.join(room), world.join(room), world.join(room));
    world.peers[ann].ntp_ahead = Some(Duration::from_secs(5));
    world.peers[cid].ntp_ahead = Some(Duration::from_secs(900));
    let one = world.publish(ann, Camera::new(100));
    world.run(ms(11));
    let other = world.publish(cid, Camera::new(300));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[one]);
    world.run(ms(3000));
    world.route(slot, &[other]);
    world.run(ms(3000));
    let reports = &world.viewer(bob, slot).reports;
    let (first, last) = (reports[2].1, reports[reports.len() - 1].1);
    let drift =
        seconds(&first, last.timestamp, 90_000.0) - seconds(&last, last.timestamp, 90_000.0);
    assert!(drift.abs() < 0.005, "{drift}");
}

#[test]
fn publishers_are_told_of_loss_and_jitter_each_second() {
    let mut world = World::new(9);
    let room = world.room();
    let ann = world.join(room);
    world.publish(ann, Camera::new(100));
    world.link.up.loss = 0.1;
    world.link.up.jitter = ms(5);
    world.run(ms(5000));
    let blocks: Vec<ReportBlock> = world.peers[ann]
        .rtcp
        .iter()
        .filter_map(|(_, told)| match told {
            Told::Block(block) if block.ssrc == 100 => Some(*block),
            _ => None,
        })
        .collect();
    assert!((4..=6).contains(&blocks.len()), "{}", blocks.len());
    let last = blocks.last().expect("reports came");
    assert!(
        (20..=75).contains(&last.cumulative_lost),
        "{}",
        last.cumulative_lost
    );
    assert!(last.jitter > 20 && last.jitter < 900, "{}", last.jitter);
    assert!(blocks.iter().any(|block| block.fraction_lost > 10));
}

#[test]
fn publishers_are_told_when_each_packet_came() {
    let mut world = World::new(9);
    let room = world.room();
    let ann = world.join(room);
    let camera = world.publish(ann, Camera::new(100));
    world.speak(ann, Microphone::new(200));
    let lost = world.camera(camera).sequence.wrapping_add(10);
    world.camera(camera).withheld.push(lost);
    world.link.up.loss = 0.03;
    world.run(ms(3000));
    let told: Vec<_> = world.peers[ann]
        .rtcp
        .iter()
        .filter_map(|(at, told)| match told {
            Told::Arrivals(arrivals) => Some((*at, arrivals.clone())),
            _ => None,
        })
        .collect();
    let gaps = told.windows(2).map(|two| two[1].0 - two[0].0);
    assert!(
        gaps.clone().all(|gap| (ms(40)..ms(110)).contains(&gap)),
        "{:?}",
        gaps.max()
    );
    let numbers: Vec<u16> = told
        .iter()
        .flat_map(|(_, all)| all.iter().map(|one| one.0))
        .collect();
    assert!(numbers.len() > 200);
    assert!(
        numbers
            .windows(2)
            .all(|two| two[0].wrapping_add(1) == two[1])
    );
    let missing = told
        .iter()
        .flat_map(|(_, all)| all)
        .filter(|(_, at)| at.is_none())
        .count();
    assert!((2..30).contains(&missing), "{missing}");
}

#[test]
fn a_receivers_report_gives_round_trip_and_loss() {
    let mut world = World::new(1);
    world.link.up.delay = ms(20);
    world.link.down.delay = ms(30);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    world.run(ms(2000));
    let (at, report) = *world
        .viewer(bob, slot)
        .reports
        .last()
        .expect("reports came");
    let delay = (world.now - at).as_micros() as u64;
    let block = ReportBlock {
        ssrc: ssrc_of(slot),
        fraction_lost: 64,
        cumulative_lost: 7,
        last_report: (report.ntp >> 16) as u32,
        delay: ((delay << 16) / 1_000_000) as u32,
        ..ReportBlock::default()
    };
    let sealed = world.peers[bob].receiver_report(block);
    world.send_up(bob, vec![sealed]);
    world.run(ms(100));
    let transport = world.peers[bob].transport;
    let stats = world.stats(Scope::Transport(transport));
    let rtt = stats.sinks[0].rtt_ms.expect("measured");
    assert!((rtt - 50.0).abs() < 1.0, "{rtt}");
    assert_eq!(
        (stats.sinks[0].lost, stats.sinks[0].fraction_lost),
        (7, 0.25)
    );
}

#[test]
fn statistics_add_up() {
    let mut world = World::new(1);
    let room = world.room();
    let (ann, bob) = (world.join(room), world.join(room));
    let camera = world.publish(ann, Camera::new(100));
    let slot = world.slot(bob, Kind::Video);
    world.route(slot, &[camera]);
    world.run(ms(3000));
    let stats = world.stats(Scope::Room(room));
    let (source, sink) = (&stats.sources[0], &stats.sinks[0]);
    assert_eq!(
        (
            stats.transports.len(),
            stats.sources.len(),
            stats.sinks.len()
        ),
        (2, 1, 1)
    );
    assert_eq!(
        (source.source, sink.source),
        (camera, Some(slot).and(Some(camera)))
    );
    assert_eq!(source.packets, sink.packets);
    assert_eq!((source.width, source.height), (Some(640), Some(360)));
    assert!((source.fps - 30.0).abs() < 1.0);
    let bits = 30.0 * 3.0 * 300.0 * 8.0;
    assert!(
        (source.bitrate_bps as f64 - bits).abs() < bits * 0.1,
        "{}",
        source.bitrate_bps
    );
    assert!(
        (sink.bitrate_bps as f64 - bits).abs() < bits * 0.1,
        "{}",
        sink.bitrate_bps
    );
    assert_eq!((sink.switches, source.lost, source.keyframes), (1, 0, 1));
    let sent: u64 = stats
        .transports
        .iter()
        .map(|transport| transport.packets_sent)
        .sum();
    assert!(sent >= sink.packets);
}
