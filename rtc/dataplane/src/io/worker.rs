//! One worker: one thread, one loop. Feed the plane what came, send what it gives, tell what happened, wait.

use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::core::{Config, Counters, Input, Output, Path, Plane, Protocol};

use super::arrival::ClockPair;
use super::counters::IoCounters;
use super::events::{Notice, Pushed};
use super::mailbox::{Mailbox, Order};
use super::pace::Pace;
use super::poller::{Poller, Ready, Token};
use super::ports::Ports;
use super::receive::Arena;
use super::tcp;

pub struct Worker {
    index: usize,
    mailbox: Arc<Mailbox>,
    ports: Ports,
    poller: Poller,
    arena: Arena,
    counters: IoCounters,
    /// What the planes before the last failure counted.
    past: Counters,
    pace: Pace,
    /// The plane's time: never runs backwards.
    now: Instant,
    ready: Vec<Ready>,
    orders: Vec<Order>,
    /// Events of this turn wait for Python.
    told: bool,
}

impl Worker {
    pub fn new(index: usize, mailbox: Arc<Mailbox>, mut ports: Ports) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(&mailbox.wake, WAKE_TOKEN)?;
        ports.watch(&poller, UDP_TOKENS)?;
        let now = Instant::now();
        let counters = IoCounters {
            buffers_capped: ports.buffers_capped(),
            ..IoCounters::default()
        };
        Ok(Self {
            index,
            mailbox,
            ports,
            poller,
            arena: Arena::new(),
            counters,
            past: Counters::default(),
            pace: Pace::new(now),
            now,
            ready: Vec::new(),
            orders: Vec::new(),
            told: false,
        })
    }

    /// Work until told to stop. A bug ends what lives on this worker, not the worker.
    pub fn run(mut self) {
        loop {
            let began = Instant::now();
            let mut plane = Plane::new(config(), random_seed());
            let reason = match panic::catch_unwind(AssertUnwindSafe(|| self.serve(&mut plane))) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(panic) => message(panic.as_ref()),
            };
            self.begin_anew(&plane, reason);
            if began.elapsed() < HEALTHY {
                thread::sleep(RESTART_PAUSE); // a bug that strikes at once must not become a busy loop
            }
        }
    }

    fn serve(&mut self, plane: &mut Plane) -> io::Result<()> {
        let mut deadline = None;
        loop {
            self.wait(deadline)?;
            if !self.take_orders(plane) {
                return Ok(());
            }
            self.receive(plane)?;
            self.expire(plane, deadline);
            deadline = self.drain(plane);
            self.tell(plane);
        }
    }

    fn wait(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let now = Instant::now();
        self.counters.busy_us += self.pace.rest(now).as_micros() as u64;
        self.counters.turns += 1;
        let first = deadline.into_iter().chain(self.ports.tcp.deadline()).min();
        let timeout = first.map(|first| first.saturating_duration_since(now));
        self.poller.wait(&mut self.ready, timeout)?;
        if let Some(rest) = self.gathering() {
            self.counters.gathered += 1;
            thread::sleep(rest);
        }
        self.now = Instant::now();
        self.pace.wake(self.now);
        Ok(())
    }

    fn gathering(&self) -> Option<Duration> {
        let media = self
            .ready
            .iter()
            .any(|ready| ready.readable && self.udp_index(ready.token).is_some());
        if media {
            self.pace.gather(Instant::now())
        } else {
            None
        }
    }

    /// `false`: stop.
    fn take_orders(&mut self, plane: &mut Plane) -> bool {
        if !self.ready.iter().any(|ready| ready.token == WAKE_TOKEN) {
            return true;
        }
        self.mailbox.take_orders(&mut self.orders, ORDERS_PER_TURN);
        for order in self.orders.drain(..) {
            match order {
                Order::Command(command) => plane.handle(self.now, Input::Command(command)),
                Order::Stop => return false,
                Order::Fail => panic!("failure on demand"),
            }
        }
        true
    }

    fn receive(&mut self, plane: &mut Plane) -> io::Result<()> {
        for position in 0..self.ready.len() {
            let ready = self.ready[position];
            let Ready {
                token,
                readable,
                writable,
            } = ready;
            if token >= tcp::LISTENER_TOKENS {
                let now = self.now;
                self.ports.tcp.ready(
                    ready,
                    &self.poller,
                    now,
                    &mut self.counters,
                    |path, data| {
                        plane.handle(now, Input::Datagram { path, data });
                    },
                );
            } else if let Some(index) = self.udp_index(token) {
                if writable {
                    self.ports
                        .resume(index, &self.poller, token, &mut self.counters)?;
                }
                if readable {
                    self.receive_udp(index, plane);
                }
            }
        }
        Ok(())
    }

    fn receive_udp(&mut self, index: usize, plane: &mut Plane) {
        for _ in 0..FILLS_PER_TURN {
            let socket = &self.ports.udp[index].socket;
            let taken = match self.arena.fill(socket) {
                Ok(taken) => taken,
                Err(_) => {
                    self.counters.receive_failed += 1;
                    return;
                }
            };
            let clocks = ClockPair::read();
            for buffer in 0..taken.buffers {
                let Some(datagrams) = self.arena.datagrams(buffer, socket) else {
                    self.counters.receive_truncated += 1;
                    continue;
                };
                self.now = clocks.arrival(datagrams.arrival, self.now);
                let path = Path {
                    protocol: Protocol::Udp,
                    local: datagrams.local,
                    remote: datagrams.remote,
                };
                for data in datagrams.each() {
                    plane.handle(self.now, Input::Datagram { path, data });
                }
            }
            if taken.drained {
                return;
            }
        }
    }

    fn expire(&mut self, plane: &mut Plane, deadline: Option<Instant>) {
        self.now = self.now.max(Instant::now());
        while let Some(path) = self.ports.tcp.next_closed(self.now, &mut self.counters) {
            plane.handle(self.now, Input::PathClosed(path));
        }
        if deadline.is_some_and(|deadline| deadline <= self.now) {
            plane.handle(self.now, Input::Timeout);
        }
    }

    /// Perform what the plane wants; returns when it wants to be called again.
    fn drain(&mut self, plane: &mut Plane) -> Option<Instant> {
        let now = self.now;
        let Self {
            ports,
            poller,
            counters,
            mailbox,
            told,
            ..
        } = self;
        while ports.send(plane.transmits(now), poller, now, counters) {}
        let next = loop {
            match plane.poll(now) {
                Output::Transmit(transmit) => {
                    ports.send(std::iter::once(transmit), poller, now, counters);
                }
                Output::Event(event) => {
                    *told = true;
                    match mailbox.push(Notice::Plane(event)) {
                        Pushed::Queued => {}
                        Pushed::Merged => counters.events_merged += 1,
                        Pushed::Dropped => counters.dtls_events_dropped += 1,
                    }
                }
                Output::Timeout(next) => break next,
            }
        };
        ports.tcp.flush(poller, counters);
        next
    }

    /// Wake Python, which finds the counters as they were when its events came about.
    fn tell(&mut self, plane: &Plane) {
        let mut totals = self.past;
        totals.add(plane.counters());
        self.mailbox.publish(&totals, &self.counters);
        if std::mem::take(&mut self.told) {
            self.mailbox.notify.raise();
        }
    }

    fn begin_anew(&mut self, plane: &Plane, reason: String) {
        self.counters.worker_failures += 1;
        self.past.add(plane.counters());
        self.orders.clear();
        self.ports.tcp.close_all();
        self.mailbox.publish(&self.past, &self.counters);
        self.mailbox.fail(self.index, reason);
    }

    fn udp_index(&self, token: Token) -> Option<usize> {
        let index = token.checked_sub(UDP_TOKENS)? as usize;
        (index < self.ports.udp.len()).then_some(index)
    }
}

fn config() -> Config {
    let unix_time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Config {
        unix_time,
        ..Config::default()
    }
}

fn random_seed() -> u64 {
    RandomState::new().hash_one(0)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic")
        .to_owned()
}

const WAKE_TOKEN: Token = 0;
pub(super) const UDP_TOKENS: Token = 1;
/// Media goes on while thousands of commands wait.
const ORDERS_PER_TURN: usize = 256;
/// At most so many buffers of the arena are one batch; what is left is taken in the next turn.
const FILLS_PER_TURN: usize = 4;
const HEALTHY: Duration = Duration::from_secs(1);
const RESTART_PAUSE: Duration = Duration::from_millis(100);
