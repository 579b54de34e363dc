use super::*;

const SECOND: Micros = 1_000_000;

#[test]
fn the_least_delay_among_reports_is_the_offset() {
    let mut clock = ParticipantClock::default();
    assert_eq!(clock.offset(), None);
    for delay in [30_000, 10_000, 50_000] {
        clock.observe(SECOND + delay, 500 * SECOND + SECOND);
    }
    assert_eq!(clock.offset(), Some(10_000 - 500 * SECOND));
}

#[test]
fn a_drifting_clock_is_followed_within_two_windows() {
    let mut clock = ParticipantClock::default();
    clock.observe(0, 0);
    for window in 1..=3 {
        clock.observe(window * OFFSET_WINDOW, window * (OFFSET_WINDOW - 1000));
    }
    assert_eq!(clock.offset(), Some(2000));
}

#[test]
fn before_any_report_the_swiftest_packet_is_the_measure() {
    let mut timing = Timing::new(90_000);
    assert_eq!(timing.receive(9000, 150_000, None), 150_000);
    assert_eq!(
        timing.receive(9000 + 3000, 150_000 + 53_333, None),
        150_000 + 33_333
    );
    assert_eq!(
        timing.receive(9000 + 6000, 150_000 + 56_666, None),
        150_000 + 56_666
    );
}

#[test]
fn a_report_and_the_offset_decide_once_they_are_there() {
    let mut timing = Timing::new(48_000);
    timing.receive(48_000, 20 * SECOND, None);
    timing.report(96_000, 700 * SECOND);
    let offset = Some(21 * SECOND - 700 * SECOND);
    assert_eq!(timing.receive(144_000, 23 * SECOND, offset), 22 * SECOND);
    assert_eq!(timing.timestamp_at(22 * SECOND, offset), Some(144_000));
}

#[test]
fn timestamps_wrap_without_a_jump() {
    let mut timing = Timing::new(90_000);
    timing.receive(u32::MAX - 44_999, 0, None);
    assert_eq!(timing.receive(45_000, SECOND, None), SECOND);
    assert_eq!(timing.timestamp_at(SECOND, None), Some(45_000));
}

#[test]
fn a_pause_begins_a_new_line() {
    let mut timing = Timing::new(90_000);
    timing.receive(0, 0, None);
    assert_eq!(timing.receive(3000, 60 * SECOND, None), 60 * SECOND);
}
