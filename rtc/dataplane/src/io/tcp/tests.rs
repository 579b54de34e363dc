use std::io::{Read, Write};

use super::*;

/// Listening ports with one client connected to them.
struct Door {
    ports: TcpPorts,
    poller: Poller,
    counters: IoCounters,
    now: Instant,
    frames: Vec<(Path, Vec<u8>)>,
}

impl Door {
    fn new() -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let ports = TcpPorts::new(vec![listener]);
        let poller = Poller::new().unwrap();
        ports.watch(&poller).unwrap();
        Self {
            ports,
            poller,
            counters: IoCounters::default(),
            now: Instant::now(),
            frames: Vec::new(),
        }
    }

    fn connect(&mut self) -> TcpStream {
        let stream = TcpStream::connect(self.ports.listeners[0].local_addr().unwrap()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        self.turn();
        stream
    }

    /// Wait until something is ready and handle it.
    fn turn(&mut self) {
        let mut ready = Vec::new();
        self.poller
            .wait(&mut ready, Some(Duration::from_secs(5)))
            .unwrap();
        assert!(!ready.is_empty(), "nothing came");
        for ready in ready {
            let frames = &mut self.frames;
            self.ports.ready(
                ready,
                &self.poller,
                self.now,
                &mut self.counters,
                |path, frame| frames.push((path, frame.to_vec())),
            );
        }
    }

    fn answer(&mut self, connection: u32, contents: &[u8]) {
        let path = self.ports.connections[&connection].path;
        let transmit = Transmit {
            path,
            contents,
            segment_size: None,
        };
        self.ports
            .send(connection, &transmit, self.now, &mut self.counters);
        self.ports.flush(&self.poller, &mut self.counters);
    }

    /// How many connections are told closed when this much time has passed.
    fn closed_after(&mut self, time: Duration) -> usize {
        self.now += time;
        std::iter::from_fn(|| self.ports.next_closed(self.now, &mut self.counters)).count()
    }
}

#[test]
fn frames_come_whole_however_they_are_cut() {
    let mut door = Door::new();
    let mut client = door.connect();
    for piece in [&[0u8, 3, 1][..], &[2, 3, 0, 0, 0], &[2, 8], &[9]] {
        client.write_all(piece).unwrap();
        door.turn();
    }
    let frames: Vec<&[u8]> = door.frames.iter().map(|(_, frame)| &frame[..]).collect();
    assert_eq!(frames, [&[1u8, 2, 3][..], &[], &[8, 9]]);
    assert_eq!(door.frames[0].0.remote, client.local_addr().unwrap());
}

#[test]
fn answers_are_framed() {
    let mut door = Door::new();
    let mut client = door.connect();
    door.answer(0, b"abc");
    let mut framed = [0; 5];
    client.read_exact(&mut framed).unwrap();
    assert_eq!(&framed, b"\0\x03abc");
}

#[test]
fn a_run_is_framed_datagram_by_datagram() {
    let mut door = Door::new();
    let mut client = door.connect();
    let path = door.ports.connections[&0].path;
    let run = Transmit {
        path,
        contents: b"aabbc",
        segment_size: Some(2),
    };
    door.ports.send(0, &run, door.now, &mut door.counters);
    door.ports.flush(&door.poller, &mut door.counters);
    let mut framed = [0; 11];
    client.read_exact(&mut framed).unwrap();
    assert_eq!(&framed, b"\0\x02aa\0\x02bb\0\x01c");
}

#[test]
fn a_stranger_is_closed_after_ten_seconds_whatever_he_sends() {
    let mut door = Door::new();
    let mut client = door.connect();
    door.now += Duration::from_secs(9);
    client.write_all(&[0, 1, 7]).unwrap();
    door.turn();
    assert_eq!(door.closed_after(Duration::from_secs(0)), 0);
    assert_eq!(door.closed_after(Duration::from_secs(2)), 1);
    assert_eq!(door.counters.tcp_expired, 1);
}

#[test]
fn who_was_answered_a_check_stays_while_he_is_heard() {
    let mut door = Door::new();
    let mut client = door.connect();
    door.answer(0, &[1, 1, 0, 0]);
    for _ in 0..3 {
        assert_eq!(door.closed_after(Duration::from_secs(30)), 0);
        client.write_all(&[0, 1, 7]).unwrap();
        door.turn();
    }
    assert_eq!(door.closed_after(Duration::from_secs(36)), 1);
    assert_eq!(door.ports.deadline(), None);
}

#[test]
fn an_ended_connection_is_told_and_makes_room() {
    let mut door = Door::new();
    for _ in 0..PER_ADDRESS + 10 {
        drop(door.connect());
        door.turn();
        assert_eq!(door.closed_after(Duration::ZERO), 1);
    }
    assert_eq!(door.counters.tcp_refused, 0);
    assert!(door.ports.per_address.is_empty());
}

#[test]
fn one_address_has_no_more_than_its_share() {
    let mut door = Door::new();
    let clients: Vec<TcpStream> = (0..PER_ADDRESS).map(|_| door.connect()).collect();
    let mut refused = door.connect();
    assert_eq!(refused.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(door.ports.connections.len(), clients.len());
    assert_eq!(door.counters.tcp_refused, 1);
}

#[test]
fn one_network_of_ipv6_counts_as_one_address() {
    let home = |text: &str| residence(text.parse().unwrap());
    assert_eq!(home("2001:db8::1"), home("2001:db8::ffff:1"));
    assert_ne!(home("2001:db8::1"), home("2001:db8:0:1::1"));
}

#[test]
fn a_peer_that_does_not_read_loses_media_and_keeps_its_connection() {
    let mut door = Door::new();
    let client = door.connect();
    let mut packet = vec![0; 1_200];
    packet[..2].copy_from_slice(&[0x80, 96]);
    while door.counters.tcp_dropped == 0 {
        door.answer(0, &packet);
    }
    assert_eq!(door.ports.connections.len(), 1);
    drop(client);
}
