use proptest::prelude::*;

use super::*;

const ANN: SourceId = SourceId(1);
const BOB: SourceId = SourceId(2);

fn on(source: SourceId, first_in: u64) -> Rewriter {
    let mut rewriter = Rewriter::new(1000);
    rewriter.switch(source, first_in, 0, None);
    rewriter
}

fn number(rewriter: &mut Rewriter, sequence: u64) -> Option<u64> {
    rewriter.place(sequence, None).map(|place| place.sequence)
}

fn picture(id: u16, tl0: u8) -> Option<Picture> {
    Some(Picture {
        id: Some(id),
        tl0: Some(tl0),
    })
}

#[test]
fn a_lost_packet_leaves_its_number_open_and_finds_it_when_it_comes_late() {
    let mut rewriter = on(ANN, 50);
    assert_eq!(number(&mut rewriter, 50), Some(1000));
    assert_eq!(number(&mut rewriter, 53), Some(1003));
    assert_eq!(number(&mut rewriter, 51), Some(1001));
    assert_eq!(number(&mut rewriter, 54), Some(1004));
}

#[test]
fn packets_not_passed_on_leave_no_hole() {
    let mut rewriter = on(ANN, 50);
    assert_eq!(number(&mut rewriter, 50), Some(1000));
    assert!(rewriter.skip(51));
    assert!(rewriter.skip(52));
    assert_eq!(number(&mut rewriter, 53), Some(1001));
    assert_eq!(number(&mut rewriter, 52), None);
}

#[test]
fn the_holes_before_a_skipped_packet_stay_open() {
    let mut rewriter = on(ANN, 50);
    assert_eq!(number(&mut rewriter, 50), Some(1000));
    assert!(rewriter.skip(53));
    assert_eq!(number(&mut rewriter, 54), Some(1003));
    assert_eq!(number(&mut rewriter, 52), Some(1002));
    assert_eq!(number(&mut rewriter, 51), Some(1001));
}

#[test]
fn a_skipped_packet_that_comes_late_is_told_to_fill_its_hole() {
    let mut rewriter = on(ANN, 50);
    number(&mut rewriter, 50);
    number(&mut rewriter, 52);
    assert!(!rewriter.skip(51));
    assert_eq!(number(&mut rewriter, 51), Some(1001));
}

#[test]
fn a_switch_goes_on_with_the_next_number_and_drops_what_comes_late_for_the_old_source() {
    let mut rewriter = on(ANN, 50);
    number(&mut rewriter, 50);
    rewriter.switch(BOB, 7000, 5, None);
    assert_eq!(number(&mut rewriter, 7000), Some(1001));
    assert_eq!(number(&mut rewriter, 6999), None);
    rewriter.switch(ANN, 90, 0, None);
    assert_eq!(number(&mut rewriter, 90), Some(1002));
    assert_eq!(number(&mut rewriter, 51), None, "of the first run");
}

#[test]
fn a_receiver_can_ask_for_packets_from_before_a_switch() {
    let mut rewriter = on(ANN, 50);
    for sequence in 50..60 {
        number(&mut rewriter, sequence);
    }
    rewriter.switch(BOB, 7000, 5, None);
    number(&mut rewriter, 7000);
    let origin = rewriter.origin(1004).expect("known");
    assert_eq!((origin.source, origin.sequence), (ANN, 54));
    let origin = rewriter.origin(1010).expect("known");
    assert_eq!(
        (origin.source, origin.sequence, origin.shift.timestamp),
        (BOB, 7000, 5)
    );
    assert_eq!(rewriter.origin(1011), None, "never sent");
}

#[test]
fn picture_ids_go_on_over_a_switch_and_over_their_wrap() {
    let mut rewriter = Rewriter::new(0);
    rewriter.switch(ANN, 1, 0, picture(100, 10));
    let shift = rewriter.place(1, picture(100, 10)).expect("placed").shift;
    assert_eq!((shift.picture, shift.tl0), (0, 0));
    rewriter.place(2, picture(101, 11));
    rewriter.switch(BOB, 9, 0, picture(0x7FFF, 255));
    let shift = rewriter
        .place(9, picture(0x7FFF, 255))
        .expect("placed")
        .shift;
    assert_eq!(0x7FFFu16.wrapping_add(shift.picture) & 0x7FFF, 102);
    assert_eq!(255u8.wrapping_add(shift.tl0), 12);
    rewriter.place(10, picture(0, 0));
    rewriter.switch(ANN, 200, 0, picture(5, 5));
    let shift = rewriter.place(200, picture(5, 5)).expect("placed").shift;
    assert_eq!(5u16.wrapping_add(shift.picture) & 0x7FFF, 104);
    assert_eq!(5u8.wrapping_add(shift.tl0), 14);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    Lose,
    Skip,
    Switch,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Send),
        2 => Just(Step::Lose),
        2 => Just(Step::Skip),
        1 => Just(Step::Switch),
    ]
}

proptest! {
    /// Numbers are given once, in order, with exactly one hole for each loss, and lead back to their packets.
    #[test]
    fn numbers_are_unique_and_lead_back(steps in prop::collection::vec(step(), 1..400)) {
        let mut rewriter = on(ANN, 100);
        let (mut sequence, mut expected, mut holes) = (100, 1000, 0);
        let mut recent = Vec::new();
        for step in steps {
            match step {
                Step::Send => {
                    expected += holes;
                    holes = 0;
                    prop_assert_eq!(number(&mut rewriter, sequence), Some(expected));
                    recent.push((expected, sequence));
                    expected += 1;
                }
                Step::Lose => holes += 1,
                Step::Skip => {
                    prop_assert!(rewriter.skip(sequence));
                    expected += holes;
                    holes = 0;
                }
                Step::Switch => {
                    holes = 0;
                    rewriter.switch(BOB, sequence + 1, 0, None);
                    recent.clear();
                }
            }
            sequence += 1;
        }
        for (out, sequence) in recent.iter().rev().take(MAX_SEGMENTS / 2) {
            let origin = rewriter.origin(*out as u16).map(|origin| origin.sequence);
            prop_assert_eq!(origin, Some(*sequence));
        }
    }
}
