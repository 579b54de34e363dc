//! The plane itself: takes input, holds everything, gives output.

use std::collections::HashMap;
use std::time::Instant;

use super::batch::Batch;
use super::checks::RefusalBudget;
use super::deadlines::{Deadlines, Who};
use super::events::Events;
use super::hash::FastMap;
use super::outbox::Outbox;
use super::random::Random;
use super::room::Room;
use super::sink::Sink;
use super::source::Source;
use super::time::{Clock, Micros};
use super::timing::ParticipantClock;
use super::transport::Transport;
use super::{
    Config, Counters, Input, Output, Path, RoomId, SinkId, SourceId, Transmit, TransportId,
};

/// All rooms of one worker.
pub struct Plane {
    pub(super) config: Config,
    pub(super) random: Random,
    clock: Option<Clock>,
    pub(super) rooms: FastMap<RoomId, Room>,
    pub(super) transports: FastMap<TransportId, Transport>,
    pub(super) sources: FastMap<SourceId, Source>,
    pub(super) sinks: FastMap<SinkId, Sink>,
    /// With the number of sources that run on it.
    pub(super) participants: FastMap<u32, (ParticipantClock, usize)>,
    pub(super) ufrags: HashMap<String, TransportId>,
    /// Who has proved to be behind an address.
    pub(super) paths: FastMap<Path, TransportId>,
    pub(super) deadlines: Deadlines,
    pub(super) batch: Batch,
    pub(super) outbox: Outbox,
    pub(super) events: Events,
    pub(super) refusals: RefusalBudget,
    /// Header extensions of the packet in hand, used again and again.
    pub(super) kept: Vec<u8>,
    pub(super) counters: Counters,
}

impl Plane {
    /// `seed` decides everything that is random, so that a run can be repeated.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            random: Random::new(seed),
            clock: None,
            rooms: FastMap::default(),
            transports: FastMap::default(),
            sources: FastMap::default(),
            sinks: FastMap::default(),
            participants: FastMap::default(),
            ufrags: HashMap::default(),
            paths: FastMap::default(),
            deadlines: Deadlines::default(),
            batch: Batch::default(),
            outbox: Outbox::default(),
            events: Events::default(),
            refusals: RefusalBudget::default(),
            kept: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// Takes one input. What it brings about comes out of `poll`; all that is handed in before that is one batch.
    ///
    /// `now` is when the input came, for a datagram as exactly as the driver knows it.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.start(now);
        self.finish_forwarding(now);
        match input {
            Input::Datagram { path, data } => self.take_datagram(now, path, data),
            Input::Command(command) => self.obey(now, command),
            Input::PathClosed(path) => self.close_path(now, path),
            // What is due comes with the next `poll`.
            Input::Timeout => {}
        }
    }

    /// The next thing to do. Call until it answers `Timeout`.
    pub fn poll(&mut self, now: Instant) -> Output<'_> {
        self.make(now);
        if !self.outbox.is_empty()
            && let Some(transmit) = self.outbox.take()
        {
            return Output::Transmit(transmit);
        }
        match self.events.pop() {
            Some(event) => Output::Event(event),
            None => Output::Timeout(self.deadlines.next()),
        }
    }

    /// Many transmits at once, for drivers that send several with one system call: call until it answers none.
    ///
    /// They are the same that `poll` would give one by one. One answer is bounded (about 256 KiB).
    pub fn transmits(&mut self, now: Instant) -> impl Iterator<Item = Transmit<'_>> {
        self.make(now);
        self.outbox.take_all()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Work until the outbox has something to take, or nothing is left to do.
    fn make(&mut self, now: Instant) {
        self.start(now);
        while self.outbox.is_empty() && self.advance(now) {}
        self.counters.datagrams_sent = self.outbox.datagrams;
        self.counters.bytes_sent = self.outbox.total_bytes;
    }

    /// Answers whether there was anything to do.
    fn advance(&mut self, now: Instant) -> bool {
        if self.forward(now) {
            return true;
        }
        if let Some(transport) = self.batch.noticed.pop() {
            self.look_after(now, transport);
            return true;
        }
        match self.deadlines.take_due(now) {
            Some(Who::Transport(transport)) => self.look_after(now, transport),
            Some(Who::Room(room)) => self.rank_speakers(now, room),
            None => return false,
        }
        true
    }

    fn start(&mut self, now: Instant) {
        self.clock
            .get_or_insert(Clock::new(now, self.config.unix_time));
    }

    pub(super) fn clock(&self, now: Instant) -> Clock {
        self.clock.unwrap_or(Clock::new(now, self.config.unix_time))
    }

    pub(super) fn micros(&self, now: Instant) -> Micros {
        self.clock(now).micros(now)
    }
}
