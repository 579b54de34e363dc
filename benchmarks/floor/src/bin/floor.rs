//! The least that forwarding can cost: receive what came, decrypt once, encrypt per receiver, send as runs.
//!
//! Standard input: `listen IP`, answered by the port; `in PROFILE KEY SALT`; any number of
//! `out IP:PORT PROFILE KEY SALT`; `go`. It ends with its standard input.

use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;

use hubbub_floor::bulk::{self, Arena, BUFFERS, Run};
use hubbub_floor::srtp::{Context, Rollover};
use hubbub_floor::text::Words;

struct Receiver {
    address: SocketAddrV4,
    context: Context,
}

fn main() {
    let (mut socket, mut input, mut receivers) = (None, None, Vec::new());
    while let Some(mut words) = Words::read() {
        match words.next::<String>().as_str() {
            "listen" => {
                let ip: String = words.next();
                let made = UdpSocket::bind((ip.as_str(), 0)).expect("a free port");
                bulk::widen(&made);
                println!("{}", made.local_addr().expect("bound").port());
                socket = Some(made);
            }
            "in" => input = Some(Context::new(words.next(), &words.hex(), &words.hex())),
            "out" => {
                let address = words.next();
                let context = Context::new(words.next(), &words.hex(), &words.hex());
                receivers.push(Receiver { address, context });
            }
            _ => break,
        }
    }
    let (socket, input) = (socket.expect("listen"), input.expect("in"));
    thread::spawn(move || forward(&socket, &input, &receivers));
    while Words::read().is_some() {}
}

fn forward(socket: &UdpSocket, input: &Context, receivers: &[Receiver]) -> ! {
    let mut arena = Arena::default();
    let mut rollover = Rollover::default();
    let mut ends = Vec::with_capacity(BUFFERS);
    let mut bytes = vec![0u8; receivers.len() * BUFFERS * 1600];
    loop {
        wait(socket);
        let count = arena.receive(socket);
        ends.clear();
        let mut packets: Vec<(usize, u32)> = Vec::with_capacity(count);
        for index in 0..count {
            let datagram = arena.datagram(index);
            if datagram.first().is_some_and(|first| first >> 6 == 2) {
                let roc = rollover.of(datagram);
                if let Some(length) = input.unprotect(datagram, roc) {
                    packets.push((length, roc));
                    ends.push(index);
                }
            }
        }
        let mut written = 0;
        let mut marks: Vec<(usize, usize, u16)> = Vec::with_capacity(receivers.len());
        for (who, receiver) in receivers.iter().enumerate() {
            let mut start = written;
            let mut size = 0;
            for (&index, &(length, roc)) in ends.iter().zip(&packets) {
                let whole = length + receiver.context.overhead();
                if written > start && (whole != size || written - start + whole > 65_000) {
                    marks.push((who, start, size as u16));
                    start = written;
                }
                size = whole;
                let out = &mut bytes[written..written + whole];
                out[..length].copy_from_slice(&arena.datagram(index)[..length]);
                receiver.context.protect(out, roc);
                written += whole;
            }
            marks.push((who, start, size as u16));
        }
        let stops = marks.iter().skip(1).map(|mark| mark.1).chain([written]);
        let runs: Vec<Run<'_>> = marks
            .iter()
            .zip(stops)
            .filter(|(mark, stop)| *stop > mark.1)
            .map(|(&(who, start, size), stop)| Run {
                to: receivers[who].address,
                bytes: &bytes[start..stop],
                size,
            })
            .collect();
        bulk::send(socket, &runs);
    }
}

fn wait(socket: &UdpSocket) {
    let mut poll = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one pollfd, which lives over the call.
    unsafe { libc::poll(&mut poll, 1, -1) };
}
