//! One publisher and many receivers that count, for whichever server.
//!
//! Sockets come by inheritance, connected, their DTLS done. Standard input:
//! `publisher FD PROFILE KEY SALT SSRC PT CHECK`, any number of `receiver FD PROFILE KEY SALT PT CHECK VERIFY`
//! (CHECK is a STUN request, repeated to keep consent; VERIFY 1: decrypt everything and take the delays), then any
//! number of `run PACKETS_PER_SECOND PACKETS_PER_BURST SECONDS`. Each is answered by `started`, `ended` and a line of
//! results. It ends with its standard input.

use std::io::Write;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hubbub_floor::bulk::{self, Arena};
use hubbub_floor::srtp::{Context, RTP_HEADER, Rollover};
use hubbub_floor::text::Words;

const PAYLOAD: usize = 1_100 - RTP_HEADER;
const CHECK_EVERY: Duration = Duration::from_millis(2_500);
const FRAMES_PER_KEYFRAME: u32 = 30;

struct Publisher {
    socket: UdpSocket,
    context: Context,
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    rollover: u32,
    timestamp: u32,
    frame: u32,
}

struct Receiver {
    socket: UdpSocket,
    context: Context,
    rollover: Rollover,
    payload_type: u8,
    check: Vec<u8>,
    verify: bool,
}

#[derive(Default)]
struct Tally {
    received: Vec<u64>,
    /// Other RTP: retransmissions and padding.
    other: u64,
    forged: u64,
    delays_us: Vec<u32>,
}

fn main() {
    // SAFETY: takes numbers only. Bursts leave on time instead of 50 µs late.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let (mut publisher, mut receivers, mut checks) = (None, Vec::new(), Vec::new());
    let tally = Arc::new(Mutex::new(Tally::default()));
    while let Some(mut words) = Words::read() {
        match words.next::<String>().as_str() {
            "publisher" => {
                let (made, check) = Publisher::read(&mut words);
                checks.push((made.socket.try_clone().expect("a descriptor"), check));
                publisher = Some(made);
            }
            "receiver" => receivers.push(Receiver::read(&mut words)),
            "run" => {
                if !receivers.is_empty() || !checks.is_empty() {
                    tally.lock().expect("tally").received = vec![0; receivers.len()];
                    start(
                        std::mem::take(&mut receivers),
                        std::mem::take(&mut checks),
                        &tally,
                    );
                }
                run(publisher.as_mut().expect("a publisher"), &mut words, &tally);
            }
            other => panic!("{other:?} is no order"),
        }
    }
}

fn start(
    receivers: Vec<Receiver>,
    mut checks: Vec<(UdpSocket, Vec<u8>)>,
    tally: &Arc<Mutex<Tally>>,
) {
    for receiver in &receivers {
        checks.push((
            receiver.socket.try_clone().expect("a descriptor"),
            receiver.check.clone(),
        ));
    }
    thread::spawn(move || {
        loop {
            for (socket, check) in &checks {
                let _ = socket.send(check); // an ICMP error of a server that is gone
            }
            thread::sleep(CHECK_EVERY);
        }
    });
    let tally = Arc::clone(tally);
    thread::spawn(move || receive(receivers, &tally));
}

fn run(publisher: &mut Publisher, words: &mut Words, tally: &Mutex<Tally>) {
    let (rate, burst, seconds): (u32, u32, u32) = (words.next(), words.next(), words.next());
    {
        let mut tally = tally.lock().expect("tally");
        tally.received.fill(0);
        tally.delays_us.clear();
        (tally.other, tally.forged) = (0, 0);
    }
    say("started");
    let interval = Duration::from_secs_f64(f64::from(burst) / f64::from(rate));
    let bursts = rate * seconds / burst;
    let begin = Instant::now();
    for number in 0..bursts {
        thread::sleep((begin + interval * number).saturating_duration_since(Instant::now()));
        publisher.send_frame(burst, interval);
    }
    thread::sleep((begin + interval * bursts).saturating_duration_since(Instant::now()));
    say("ended");
    thread::sleep(Duration::from_millis(300)); // for what is still on its way
    report(u64::from(bursts * burst), &mut tally.lock().expect("tally"));
}

fn report(sent: u64, tally: &mut Tally) {
    tally.delays_us.sort_unstable();
    let delays = &tally.delays_us;
    let quantile = |share: f64| {
        let index = (delays.len() as f64 * share) as usize;
        delays
            .get(index.min(delays.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0)
    };
    let received: u64 = tally.received.iter().sum();
    let least = tally.received.iter().min().copied().unwrap_or(0);
    say(&format!(
        "sent={sent} received={received} least={least} other={} forged={} verified={} p50={} p99={} p999={} max={}",
        tally.other,
        tally.forged,
        delays.len(),
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        quantile(1.0),
    ));
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().expect("standard output");
}

impl Publisher {
    fn read(words: &mut Words) -> (Self, Vec<u8>) {
        let (socket, context) = session(words);
        let publisher = Self {
            socket,
            context,
            ssrc: words.next(),
            payload_type: words.next(),
            sequence: 1,
            rollover: 0,
            timestamp: 0,
            frame: 0,
        };
        (publisher, words.hex())
    }

    /// One picture of so many packets of one size, each stamped when it leaves.
    fn send_frame(&mut self, packets: u32, duration: Duration) {
        for number in 0..packets {
            let mut packet = vec![0u8; RTP_HEADER + PAYLOAD + self.context.overhead()];
            self.write_header(&mut packet, number + 1 == packets);
            self.write_payload(&mut packet[RTP_HEADER..RTP_HEADER + PAYLOAD], number == 0);
            self.context.protect(&mut packet, self.rollover);
            let _ = self.socket.send(&packet); // an ICMP error of a server that is gone
            self.sequence = self.sequence.wrapping_add(1);
            self.rollover += u32::from(self.sequence == 0);
        }
        self.frame += 1;
        self.timestamp = self
            .timestamp
            .wrapping_add((duration.as_secs_f64() * 90_000.0) as u32);
    }

    fn write_header(&self, packet: &mut [u8], last: bool) {
        packet[0] = 0x80;
        packet[1] = self.payload_type | if last { 0x80 } else { 0 };
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }

    /// VP8 (RFC 7741) with a long picture id; the first packet says whether it is a keyframe. The stamp is the last thing.
    fn write_payload(&self, payload: &mut [u8], first: bool) {
        let picture = (self.frame as u16 & 0x7FFF | 0x8000).to_be_bytes();
        payload[..4].copy_from_slice(&[
            if first { 0x90 } else { 0x80 },
            0x80,
            picture[0],
            picture[1],
        ]);
        if first {
            let keyframe = self.frame % FRAMES_PER_KEYFRAME == 0;
            payload[4..14].copy_from_slice(&[
                if keyframe { 0x10 } else { 0x11 },
                0,
                0,
                0x9D,
                0x01,
                0x2A,
                0x80,
                0x02,
                0x68,
                0x01,
            ]);
        }
        let stamp = payload.len() - 8;
        payload[stamp..].copy_from_slice(&now_ns().to_be_bytes());
    }
}

impl Receiver {
    fn read(words: &mut Words) -> Self {
        let (socket, context) = session(words);
        bulk::stamp_arrivals(&socket);
        let (payload_type, check) = (words.next(), words.hex());
        let verify = words.next::<u8>() == 1;
        Self {
            socket,
            context,
            rollover: Rollover::default(),
            payload_type,
            check,
            verify,
        }
    }

    /// `Some(delay)` of a packet that is verified.
    fn take(&mut self, datagram: &mut [u8], arrival: Option<Duration>) -> Option<u32> {
        let roc = self.rollover.of(datagram);
        let length = self.context.unprotect(datagram, roc)?;
        let stamp = u64::from_be_bytes(datagram[length - 8..length].try_into().ok()?);
        let arrival = arrival.map_or_else(now_ns, |arrival| arrival.as_nanos() as u64);
        Some((arrival.saturating_sub(stamp) / 1_000) as u32)
    }
}

fn session(words: &mut Words) -> (UdpSocket, Context) {
    let descriptor = words.next();
    // SAFETY: whoever started this program opened the socket for it and names each only once.
    let socket = unsafe { UdpSocket::from_raw_fd(descriptor) };
    socket.set_nonblocking(false).expect("a socket");
    bulk::widen(&socket);
    (
        socket,
        Context::new(words.next(), &words.hex(), &words.hex()),
    )
}

fn receive(mut receivers: Vec<Receiver>, tally: &Mutex<Tally>) -> ! {
    let mut arena = Arena::default();
    let mut polls: Vec<libc::pollfd> = receivers
        .iter()
        .map(|receiver| libc::pollfd {
            fd: receiver.socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    loop {
        // SAFETY: `polls` lives over the call.
        unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, -1) };
        let mut tally = tally.lock().expect("tally");
        for (index, receiver) in receivers.iter_mut().enumerate() {
            if polls[index].revents == 0 {
                continue;
            }
            let count = arena.receive(&receiver.socket);
            for number in 0..count {
                let arrival = arena.arrival(number);
                let datagram = arena.datagram(number);
                let [0x80..=0xBF, kind, ..] = *datagram else {
                    continue;
                }; // STUN and DTLS
                if (192..=223).contains(&kind) {
                    continue; // RTCP
                }
                if kind & 0x7F != receiver.payload_type || datagram.len() < PAYLOAD {
                    tally.other += 1;
                    continue;
                }
                tally.received[index] += 1;
                if receiver.verify {
                    match receiver.take(datagram, arrival) {
                        Some(delay) => tally.delays_us.push(delay),
                        None => tally.forged += 1,
                    }
                }
            }
        }
        drop(tally);
        // The server's processor is not to be woken against by every packet: take them in bulk.
        thread::sleep(Duration::from_micros(500));
    }
}

fn now_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_nanos() as u64
}
