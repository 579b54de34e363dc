use proptest::prelude::*;

use super::*;

const SMALL: Limits = Limits {
    first_packets: 4,
    packets: 16,
    first_bytes: 64,
    bytes: 1024,
};

fn packet(sequence: u64, arrival: Micros) -> Packet {
    Packet {
        sequence,
        timestamp: 0,
        arrival,
        captured: arrival,
        marker: false,
        payload: 0,
        keyframe: false,
        start: false,
        temporal: 0,
        picture: None,
    }
}

/// What a packet of this number carries, so that a mix-up shows.
fn payload(sequence: u64, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (sequence as usize * 31 + at) as u8)
        .collect()
}

#[test]
fn a_packet_is_found_with_its_extensions() {
    let mut cache = Cache::new(SMALL);
    assert!(cache.insert(packet(70_000, 0), b"ext", b"payload"));
    let cached = cache.get(70_000).expect("kept");
    assert_eq!(
        (cached.extensions, cached.payload),
        (&b"ext"[..], &b"payload"[..])
    );
    assert!(cache.get(70_004).is_none());
    assert!(cache.get(4_464).is_none());
}

#[test]
fn a_lively_source_is_given_room_for_a_second() {
    let mut cache = Cache::new(SMALL);
    for sequence in 100..116 {
        let arrival = 10_000 * (sequence as Micros - 100);
        assert!(cache.insert(packet(sequence, arrival), &[], &payload(sequence, 50)));
    }
    let kept = (100..116).filter(|sequence| cache.get(*sequence).is_some());
    assert_eq!(kept.count(), 16);
}

#[test]
fn a_slow_source_stays_small() {
    let mut cache = Cache::new(SMALL);
    for sequence in 0..100 {
        let arrival = 1_000_000 * sequence as Micros;
        assert!(cache.insert(packet(sequence, arrival), &[], &payload(sequence, 30)));
    }
    assert_eq!(cache.ring.len(), SMALL.first_bytes);
    assert_eq!(cache.slots.len(), SMALL.first_packets);
    assert!(cache.get(99).is_some());
}

#[test]
fn what_is_too_old_or_too_long_is_not_kept() {
    let mut cache = Cache::new(SMALL);
    let now: Micros = 0;
    assert!(cache.insert(packet(1000, now), &[], b"new"));
    assert!(!cache.insert(packet(1000 - 16, now), &[], b"old"));
    assert!(!cache.insert(packet(1001, now), &[], &[0; 1025]));
    assert!(!cache.insert(packet(1001, now), &[], &[0; 70_000]));
    assert!(cache.get(1000).is_some());
}

proptest! {
    /// Whatever comes in whatever order, a packet is found whole or not at all, and the bounds hold.
    #[test]
    fn nothing_is_mixed_up(
        steps in prop::collection::vec((0u64..60, 0usize..200, 0u64..400), 1..300),
    ) {
        let mut cache = Cache::new(SMALL);
        let mut now: Micros = 0;
        let mut lengths = std::collections::HashMap::new();
        let mut base = 0;
        for (step, len, pause) in steps {
            now += 1000 * pause as Micros;
            base += step / 4;
            let sequence = base + step;
            if cache.insert(packet(sequence, now), &[], &payload(sequence, len)) {
                lengths.insert(sequence, len);
            }
            for (sequence, len) in &lengths {
                if let Some(cached) = cache.get(*sequence) {
                    prop_assert_eq!(cached.payload, &payload(*sequence, *len)[..]);
                }
            }
            prop_assert!(cache.ring.len() <= SMALL.bytes && cache.slots.len() <= SMALL.packets);
        }
    }
}
