//! All workers as one thing: what a process opens, steers and closes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::core::{Command, Counters, RoomId, SinkId, SourceId, SpeakerConfig, TransportId};

use super::counters::IoCounters;
use super::event_fd::EventFd;
use super::events::Notice;
use super::mailbox::{Mailbox, Order, QueueFull};
use super::ports::Ports;
use super::tcp::{self, TcpPorts};
use super::udp::UdpSocket;
use super::worker::Worker;

/// Where to listen and with how many threads.
#[derive(Clone, Debug)]
pub struct Listen {
    pub addresses: Vec<IpAddr>,
    /// Worker i takes `port + i`; 0: each takes a free one.
    pub port: u16,
    pub workers: usize,
    pub tcp: bool,
}

#[derive(Debug)]
pub struct Dataplane {
    notify: Arc<EventFd>,
    workers: Vec<Handle>,
    /// Where `poll` goes on, so that no worker's events starve another's.
    turn: usize,
    /// Handles given out so far; of each number a worker has one.
    given: u32,
}

#[derive(Debug)]
struct Handle {
    mailbox: Arc<Mailbox>,
    port: u16,
    thread: Option<JoinHandle<()>>,
}

impl Dataplane {
    /// Bind everything, then start the threads.
    pub fn open(listen: &Listen) -> io::Result<Self> {
        if listen.addresses.is_empty() || listen.workers == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no address or no worker",
            ));
        }
        let notify = Arc::new(EventFd::new()?);
        let bound = (0..listen.workers)
            .map(|index| bind(listen, index))
            .collect::<io::Result<Vec<_>>>()?;
        let mut workers = Vec::new();
        for (index, (port, ports)) in bound.into_iter().enumerate() {
            let mailbox = Arc::new(Mailbox::new(Arc::clone(&notify))?);
            let worker = Worker::new(index, Arc::clone(&mailbox), ports)?;
            let thread = thread::Builder::new()
                .name(format!("media-{index}"))
                .spawn(move || worker.run())?;
            workers.push(Handle {
                mailbox,
                port,
                thread: Some(thread),
            });
        }
        Ok(Self {
            notify,
            workers,
            turn: 0,
            given: 0,
        })
    }

    pub fn ports(&self) -> Vec<u16> {
        self.workers.iter().map(|worker| worker.port).collect()
    }

    /// End the threads and close the sockets; a second call does nothing.
    pub fn close(&mut self) {
        for worker in &self.workers {
            worker.mailbox.order(Order::Stop);
        }
        for thread in self
            .workers
            .iter_mut()
            .filter_map(|worker| worker.thread.take())
        {
            // A thread that ended by a bug in its own recovery has nothing left to close.
            drop(thread.join());
        }
    }

    /// Up to `limit` notices; the descriptor stays readable while more wait.
    pub fn poll(&mut self, limit: usize) -> Vec<Notice> {
        self.notify.reset();
        let mut notices = Vec::new();
        let mut empty = 0;
        while notices.len() < limit && empty < self.workers.len() {
            match self.workers[self.turn].mailbox.next_notice() {
                Some(notice) => {
                    notices.push(notice);
                    empty = 0;
                }
                None => empty += 1,
            }
            self.turn = (self.turn + 1) % self.workers.len();
        }
        if self
            .workers
            .iter()
            .any(|worker| worker.mailbox.has_notices())
        {
            self.notify.raise();
        }
        notices
    }

    /// Sums over all workers.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let names = Counters::NAMES.iter().chain(IoCounters::NAMES).copied();
        let mut sums = vec![0; Counters::NAMES.len() + IoCounters::NAMES.len()];
        for worker in &self.workers {
            let (plane, io) = worker.mailbox.totals();
            for (sum, value) in sums
                .iter_mut()
                .zip(plane.values().into_iter().chain(io.values()))
            {
                *sum += value;
            }
        }
        names.zip(sums).collect()
    }

    /// A room on the least loaded worker, where it stays.
    pub fn add_room(&mut self, speakers: SpeakerConfig) -> Result<RoomId, QueueFull> {
        let loads = self.workers.iter().map(|worker| worker.mailbox.load());
        let worker = loads
            .enumerate()
            .min_by_key(|&(index, load)| (load, index))
            .map_or(0, |(index, _)| index);
        let room = RoomId(self.number_on(worker)?);
        self.send(room.0, Command::AddRoom { room, speakers })?;
        Ok(room)
    }

    pub fn add_transport(
        &mut self,
        room: RoomId,
        ufrag: String,
        pwd: String,
    ) -> Result<TransportId, QueueFull> {
        let transport = TransportId(self.number_on(self.worker_of(room.0))?);
        self.send(
            transport.0,
            Command::AddTransport {
                transport,
                room,
                local_ufrag: ufrag,
                local_pwd: pwd,
            },
        )?;
        Ok(transport)
    }

    /// A number for a source of this transport, to be used once in a command.
    pub fn source_on(&mut self, transport: TransportId) -> Result<SourceId, QueueFull> {
        self.number_on(self.worker_of(transport.0)).map(SourceId)
    }

    /// A number for a sink of this transport, to be used once in a command.
    pub fn sink_on(&mut self, transport: TransportId) -> Result<SinkId, QueueFull> {
        self.number_on(self.worker_of(transport.0)).map(SinkId)
    }

    /// To the worker on which the thing with this number lives.
    pub fn send(&self, number: u32, command: Command) -> Result<(), QueueFull> {
        self.workers[self.worker_of(number)].mailbox.send(command)
    }

    /// The index of the worker on which the thing with this number lives: numbers are dealt out in turn.
    pub fn worker_of(&self, number: u32) -> usize {
        number as usize % self.workers.len()
    }

    /// Have a worker hit a bug, for the tests of what happens then.
    pub fn fail_worker(&self, worker: usize) {
        if let Some(worker) = self.workers.get(worker) {
            worker.mailbox.order(Order::Fail);
        }
    }

    /// Refused when all numbers were used once, after hundreds of millions.
    fn number_on(&mut self, worker: usize) -> Result<u32, QueueFull> {
        let count = self.workers.len() as u32;
        let number = self
            .given
            .checked_mul(count)
            .and_then(|first| first.checked_add(worker as u32));
        self.given = self.given.checked_add(1).ok_or(QueueFull)?;
        number.ok_or(QueueFull)
    }
}

impl AsRawFd for Dataplane {
    /// Readable while notices wait.
    fn as_raw_fd(&self) -> RawFd {
        self.notify.as_raw_fd()
    }
}

impl Drop for Dataplane {
    fn drop(&mut self) {
        self.close();
    }
}

/// All sockets of one worker on one port. A free one must be free for every address and protocol.
fn bind(listen: &Listen, index: usize) -> io::Result<(u16, Ports)> {
    if listen.port != 0 {
        let port = u16::try_from(usize::from(listen.port) + index).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "a worker's port would be above 65535",
            )
        })?;
        return Ok((port, bind_on(listen, port)?));
    }
    let mut tries = 0;
    loop {
        let probe = UdpSocket::bind(SocketAddr::new(listen.addresses[0], 0))?;
        let port = probe.local().port();
        drop(probe);
        match bind_on(listen, port) {
            Ok(ports) => return Ok((port, ports)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < FREE_PORT_TRIES => {
                tries += 1
            }
            Err(error) => return Err(error),
        }
    }
}

fn bind_on(listen: &Listen, port: u16) -> io::Result<Ports> {
    let addresses = || listen.addresses.iter().map(|&ip| SocketAddr::new(ip, port));
    let named = |address: SocketAddr, error: io::Error| {
        io::Error::new(error.kind(), format!("{address}: {error}"))
    };
    let udp = addresses()
        .map(|address| UdpSocket::bind(address).map_err(|error| named(address, error)))
        .collect::<io::Result<Vec<_>>>()?;
    let listeners = addresses()
        .filter(|_| listen.tcp)
        .map(|address| tcp::listen(address).map_err(|error| named(address, error)))
        .collect::<io::Result<Vec<_>>>()?;
    Ok(Ports::new(udp, TcpPorts::new(listeners)))
}

const FREE_PORT_TRIES: usize = 32;
