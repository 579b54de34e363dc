use std::time::{Duration, Instant};

use super::*;
use crate::core::told::Told;
use crate::core::{Codec, Counters, Payload};

const PT: u8 = 102;
const SPS: &[u8] = &[0x67, 0x42, 0xC0, 0x1F];
const IDR: &[u8] = &[0x65, 0x88, 0x84];
const SLICE: &[u8] = &[0x41, 0x9A, 0x00];

struct Feed {
    source: Source,
    counters: Counters,
    now: Instant,
    arrival: Micros,
    timestamp: u32,
}

impl Feed {
    fn new(codec: Codec) -> Self {
        let payload = Payload {
            pt: PT,
            codec,
            codec_key: 1,
            clock_rate: 90_000,
            rtx_pt: Some(PT + 1),
            nack: true,
            pli: true,
            transport_cc: true,
        };
        let config = SourceConfig {
            kind: Kind::Video,
            mid: "0".into(),
            rid: None,
            ssrc: None,
            rtx_ssrc: None,
            payloads: vec![payload],
            participant: 1,
        };
        Self {
            source: Source::new(SourceId(1), TransportId(1), config),
            counters: Counters::default(),
            now: Instant::now(),
            arrival: 0,
            timestamp: 0,
        }
    }

    fn frame(&mut self) {
        self.now += Duration::from_millis(33);
        self.arrival += 33_000;
        self.timestamp += 2970;
        self.source.forwarded();
    }

    fn arrived<'a>(&self, payload: &'a [u8]) -> Arrived<'a> {
        Arrived {
            now: self.now,
            arrival: self.arrival,
            payload_type: PT,
            marker: false,
            timestamp: self.timestamp,
            told: Told::default(),
            kept: &[],
            payload,
            offset: None,
        }
    }

    fn receive(&mut self, index: u64, payload: &[u8]) -> Option<News> {
        let arrived = self.arrived(payload);
        self.source.receive(index, &arrived, &mut self.counters)
    }

    fn repair(&mut self, number: u16, payload: &[u8]) -> Option<News> {
        let mut arrived = self.arrived(payload);
        arrived.payload_type = PT + 1;
        self.source.repair(number, &arrived, &mut self.counters)
    }

    fn joint(&self) -> Option<u64> {
        self.source
            .joint(self.arrival, None)
            .map(|sequence| sequence & 0xFFFF)
    }
}

#[test]
fn a_keyframe_of_h264_begins_with_its_parameter_sets_even_when_they_come_last() {
    let mut feed = Feed::new(Codec::H264);
    feed.receive(10, SLICE);
    assert_eq!(feed.joint(), None);
    feed.frame();
    feed.receive(12, IDR);
    assert_eq!(feed.joint(), Some(12));
    feed.receive(11, SPS);
    assert_eq!(feed.joint(), Some(11));
    feed.receive(13, SLICE);
    assert_eq!(feed.joint(), Some(11));
    assert_eq!(feed.source.stats.keyframes, 1);
}

#[test]
fn an_old_keyframe_is_no_beginning() {
    let mut feed = Feed::new(Codec::H264);
    feed.receive(10, SPS);
    for index in 11..=30 {
        feed.frame();
        feed.receive(index, SLICE);
    }
    assert_eq!(feed.joint(), None);
    feed.receive(31, SPS);
    feed.frame();
    assert_eq!(feed.joint(), Some(31));
    let since = Some(feed.arrival);
    assert_eq!(
        feed.source.joint(feed.arrival, since),
        None,
        "it came before that"
    );
}

#[test]
fn a_packet_that_was_repaired_is_fresh_once() {
    let mut feed = Feed::new(Codec::H264);
    feed.receive(10, SPS);
    feed.receive(12, SLICE);
    assert!(feed.repair(11, SLICE).is_some_and(|news| news.fresh));
    assert_eq!(feed.repair(11, SLICE), None);
    assert_eq!(feed.receive(11, SLICE), None, "the original came after all");
    assert_eq!(feed.counters.drop_duplicate, 2);
    assert_eq!(feed.source.stats.repaired, 1);
    assert_eq!(feed.source.fresh.len(), 3);
}

#[test]
fn repairs_of_what_nobody_can_place_are_dropped() {
    let mut feed = Feed::new(Codec::H264);
    assert_eq!(feed.repair(5, SLICE), None, "before the first packet");
    feed.receive(10, SPS);
    assert_eq!(feed.repair(11, SLICE), None, "ahead of everything");
    assert_eq!(feed.receive(11, SLICE).map(|news| news.fresh), Some(true));
}

#[test]
fn a_leap_and_a_new_ssrc_begin_another_epoch_and_numbers_only_rise() {
    let mut feed = Feed::new(Codec::H264);
    feed.source.bind(1);
    feed.receive(10, SPS);
    let first = feed.source.highest();
    assert_eq!(feed.source.epoch, 0);
    feed.receive(5000, SLICE);
    assert_eq!(feed.source.epoch, 1);
    let second = feed.source.highest();
    feed.source.bind(2);
    assert!(feed.receive(3, SPS).is_some_and(|news| news.restarted));
    let third = feed.source.highest();
    assert_eq!(feed.source.epoch, 2);
    assert!(first < second && second < third);
    assert_eq!(third.map(|sequence| sequence & 0xFFFF), Some(3));
    assert_eq!(feed.joint(), Some(3));
}

#[test]
fn an_unknown_payload_type_is_counted() {
    let mut feed = Feed::new(Codec::H264);
    let mut arrived = feed.arrived(SLICE);
    arrived.payload_type = 35;
    assert_eq!(feed.source.receive(1, &arrived, &mut feed.counters), None);
    assert_eq!(feed.counters.drop_rtp_unknown_payload, 1);
}
