use proptest::prelude::*;

use super::*;

const RTT: Duration = Duration::from_millis(50);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn asked(nacks: &mut Nacks, now: Instant) -> Vec<u16> {
    let mut asked = Vec::new();
    nacks.ask(now, RTT, |sequence| asked.push(sequence));
    asked
}

#[test]
fn a_packet_that_is_only_late_is_not_asked_for() {
    let (mut nacks, start) = (Nacks::default(), Instant::now());
    nacks.receive(start, 1);
    nacks.receive(start, 3);
    assert_eq!(asked(&mut nacks, start), []);
    assert_eq!(nacks.deadline(RTT), Some(start + PATIENCE));
    nacks.receive(start + ms(5), 2);
    assert!(nacks.is_complete());
    assert_eq!(nacks.deadline(RTT), None);
}

#[test]
fn three_later_packets_make_it_a_loss_at_once() {
    let (mut nacks, start) = (Nacks::default(), Instant::now());
    for sequence in [1, 3, 4, 5] {
        nacks.receive(start, sequence);
    }
    assert_eq!(asked(&mut nacks, start), [2]);
    assert_eq!(asked(&mut nacks, start + ms(49)), []);
    assert_eq!(asked(&mut nacks, start + ms(50)), [2]);
    assert_eq!(nacks.receive(start + ms(70), 2), Some(start + ms(50)));
}

#[test]
fn asking_ends_after_ten_times_or_a_second_and_is_then_hopeless() {
    let (mut nacks, start) = (Nacks::default(), Instant::now());
    nacks.receive(start, 1);
    nacks.receive(start, 3);
    let times = (0..200).filter(|step| !asked(&mut nacks, start + ms(10 * step)).is_empty());
    assert_eq!(times.count(), 10);
    assert!(nacks.is_complete());
    assert!(nacks.take_hopeless());
    assert!(!nacks.take_hopeless());
}

#[test]
fn an_outage_is_not_asked_for_packet_by_packet() {
    let (mut nacks, start) = (Nacks::default(), Instant::now());
    nacks.receive(start, 1);
    nacks.receive(start, 500);
    assert!(nacks.is_complete());
    assert!(nacks.take_hopeless());
    nacks.receive(start, 502);
    assert_eq!(asked(&mut nacks, start + PATIENCE), [501]);
}

proptest! {
    /// Exactly the numbers between the first and the highest that never came are asked for.
    #[test]
    fn the_holes_are_what_is_asked_for(mut sequences in prop::collection::vec(1000u64..1200, 2..150)) {
        let (mut nacks, start) = (Nacks::default(), Instant::now());
        let first = sequences[0];
        sequences.retain(|sequence| *sequence >= first);
        for sequence in &sequences {
            nacks.receive(start, *sequence);
        }
        let highest = *sequences.iter().max().expect("at least the first");
        let holes: Vec<u16> = (first..highest)
            .filter(|sequence| !sequences.contains(sequence))
            .map(|sequence| sequence as u16)
            .collect();
        prop_assert_eq!(asked(&mut nacks, start + PATIENCE), holes);
    }
}
