use std::net::SocketAddr;

use super::*;
use crate::core::Protocol;

fn path(port: u16) -> Path {
    Path {
        protocol: Protocol::Udp,
        local: SocketAddr::from(([10, 0, 0, 1], 7882)),
        remote: SocketAddr::from(([10, 0, 0, 2], port)),
    }
}

fn send(outbox: &mut Outbox, port: u16, len: usize) {
    outbox.send(path(port), |out| out.resize(out.len() + len, len as u8));
}

/// Port and sizes of each run.
fn runs(outbox: &mut Outbox) -> Vec<(u16, Vec<usize>)> {
    let size = |transmit: Transmit<'_>| {
        let sizes = transmit.datagrams().map(<[u8]>::len).collect();
        (transmit.path.remote.port(), sizes)
    };
    outbox.take_all().map(size).collect()
}

#[test]
fn equal_datagrams_to_one_path_are_one_run_that_a_shorter_one_ends() {
    let mut outbox = Outbox::default();
    for len in [100, 100, 100, 40, 40, 100] {
        send(&mut outbox, 1, len);
    }
    let expected = [vec![100, 100, 100, 40], vec![40], vec![100]];
    assert_eq!(runs(&mut outbox), expected.map(|sizes| (1, sizes)));
}

#[test]
fn another_path_begins_another_run() {
    let mut outbox = Outbox::default();
    send(&mut outbox, 1, 100);
    send(&mut outbox, 2, 100);
    send(&mut outbox, 2, 100);
    assert_eq!(runs(&mut outbox), [(1, vec![100]), (2, vec![100, 100])]);
}

#[test]
fn a_run_stays_within_what_the_kernel_takes() {
    let mut outbox = Outbox::default();
    for _ in 0..130 {
        send(&mut outbox, 1, 10);
    }
    for _ in 0..60 {
        send(&mut outbox, 2, 1400);
    }
    let segments: Vec<usize> = runs(&mut outbox)
        .iter()
        .map(|(_, sizes)| sizes.len())
        .collect();
    assert_eq!(segments, [64, 64, 2, 46, 14]);
}

#[test]
fn what_is_taken_one_by_one_is_the_same() {
    let mut outbox = Outbox::default();
    send(&mut outbox, 1, 10);
    send(&mut outbox, 2, 20);
    assert_eq!(
        outbox.take().map(|transmit| transmit.contents.len()),
        Some(10)
    );
    send(&mut outbox, 2, 20);
    assert_eq!(runs(&mut outbox), [(2, vec![20, 20])]);
    assert!(outbox.is_empty());
    assert_eq!(outbox.take(), None);
}

#[test]
fn a_datagram_that_could_not_be_written_leaves_nothing_behind() {
    let mut outbox = Outbox::default();
    let failed = outbox.try_send(path(1), |out| {
        out.extend_from_slice(b"half");
        None
    });
    assert_eq!(failed, None);
    assert!(outbox.is_empty());
    send(&mut outbox, 1, 5);
    assert_eq!(runs(&mut outbox), [(1, vec![5])]);
}
