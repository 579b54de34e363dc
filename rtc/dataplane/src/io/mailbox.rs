//! What is shared between a worker's thread and its owner: orders down, notices up, and who lives there.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::{Command, Counters, RoomId, TransportId};

use super::counters::IoCounters;
use super::event_fd::EventFd;
use super::events::{EventQueue, Failure, Notice, Pushed};

/// One order to a worker.
#[derive(Debug)]
pub enum Order {
    Command(Command),
    Stop,
    /// A bug on demand, for the tests of what happens then.
    Fail,
}

/// The command queue of a worker is full: nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker's command queue is full ({COMMANDS_WAITING} commands)")]
pub struct QueueFull;

#[derive(Debug)]
pub struct Mailbox {
    /// Wakes the worker.
    pub(super) wake: EventFd,
    /// Wakes Python; shared by all workers.
    pub(super) notify: Arc<EventFd>,
    down: Mutex<Down>,
    up: Mutex<EventQueue>,
    totals: Mutex<(Counters, IoCounters)>,
}

/// Orders and residents change together, so that a failure ends exactly what was ordered before it.
#[derive(Debug, Default)]
struct Down {
    orders: VecDeque<Order>,
    rooms: HashMap<RoomId, HashSet<TransportId>>,
    transports: HashMap<TransportId, RoomId>,
}

/// What lives on a worker, for choosing the least loaded: transports first, then rooms.
pub type Load = (usize, usize);

impl Mailbox {
    pub fn new(notify: Arc<EventFd>) -> io::Result<Self> {
        Ok(Self {
            wake: EventFd::new()?,
            notify,
            down: Mutex::default(),
            up: Mutex::default(),
            totals: Mutex::default(),
        })
    }

    /// Hand a command to the worker.
    pub fn send(&self, command: Command) -> Result<(), QueueFull> {
        let mut down = lock(&self.down);
        if down.orders.len() >= COMMANDS_WAITING {
            return Err(QueueFull);
        }
        down.note(&command);
        down.orders.push_back(Order::Command(command));
        drop(down);
        self.wake.raise();
        Ok(())
    }

    /// Beyond the bound: there are two of these in a worker's life.
    pub fn order(&self, order: Order) {
        lock(&self.down).orders.push_back(order);
        self.wake.raise();
    }

    pub fn load(&self) -> Load {
        let down = lock(&self.down);
        (down.transports.len(), down.rooms.len())
    }

    pub fn next_notice(&self) -> Option<Notice> {
        lock(&self.up).pop()
    }

    pub fn has_notices(&self) -> bool {
        !lock(&self.up).is_empty()
    }

    pub fn totals(&self) -> (Counters, IoCounters) {
        *lock(&self.totals)
    }

    /// Worker's side: take up to `limit` orders; the rest raises again.
    pub(super) fn take_orders(&self, into: &mut Vec<Order>, limit: usize) {
        self.wake.reset();
        let mut down = lock(&self.down);
        let count = down.orders.len().min(limit);
        into.extend(down.orders.drain(..count));
        let more = !down.orders.is_empty();
        drop(down);
        if more {
            self.wake.raise();
        }
    }

    /// Worker's side: tell something. `notify` is to be raised after the last of a turn.
    pub(super) fn push(&self, notice: Notice) -> Pushed {
        lock(&self.up).push(notice)
    }

    pub(super) fn publish(&self, plane: &Counters, io: &IoCounters) {
        *lock(&self.totals) = (*plane, *io);
    }

    /// Worker's side, after a bug: everything that was ordered or lived here ends, and the owner is told.
    pub(super) fn fail(&self, worker: usize, reason: String) {
        let mut down = lock(&self.down);
        let stops = down.orders.iter().any(|order| matches!(order, Order::Stop));
        let ended = std::mem::take(&mut *down);
        if stops {
            down.orders.push_back(Order::Stop);
        }
        let mut rooms: Vec<RoomId> = ended.rooms.into_keys().collect();
        let mut transports: Vec<TransportId> = ended.transports.into_keys().collect();
        rooms.sort_unstable();
        transports.sort_unstable();
        // Still under the lock: what is ordered from here on is told after this.
        self.push(Notice::Failed(Failure {
            worker,
            rooms,
            transports,
            reason,
        }));
        drop(down);
        self.notify.raise();
    }
}

impl Down {
    fn note(&mut self, command: &Command) {
        match *command {
            Command::AddRoom { room, .. } => {
                self.rooms.insert(room, HashSet::new());
            }
            Command::RemoveRoom { room } => {
                for transport in self.rooms.remove(&room).unwrap_or_default() {
                    self.transports.remove(&transport);
                }
            }
            Command::AddTransport {
                transport, room, ..
            } => {
                if let Some(residents) = self.rooms.get_mut(&room) {
                    residents.insert(transport);
                    self.transports.insert(transport, room);
                }
            }
            Command::CloseTransport { transport } => {
                let room = self.transports.remove(&transport);
                if let Some(residents) = room.and_then(|room| self.rooms.get_mut(&room)) {
                    residents.remove(&transport);
                }
            }
            _ => {}
        }
    }
}

/// A panic while one of these is held is a bug of a few lines above; the data is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ten thousand joins at once; a worker that is so far behind has stalled.
pub const COMMANDS_WAITING: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::SpeakerConfig;

    fn mailbox() -> Mailbox {
        Mailbox::new(Arc::new(EventFd::new().unwrap())).unwrap()
    }

    fn add_room(room: u32) -> Command {
        Command::AddRoom {
            room: RoomId(room),
            speakers: SpeakerConfig::default(),
        }
    }

    fn add_transport(transport: u32, room: u32) -> Command {
        let (local_ufrag, local_pwd) = ("ufrag".to_owned(), "password".to_owned());
        Command::AddTransport {
            transport: TransportId(transport),
            room: RoomId(room),
            local_ufrag,
            local_pwd,
        }
    }

    #[test]
    fn a_full_queue_refuses_and_notes_nothing() {
        let mailbox = mailbox();
        for _ in 0..COMMANDS_WAITING {
            mailbox
                .send(Command::RemoveRoom { room: RoomId(1) })
                .unwrap();
        }
        assert_eq!(mailbox.send(add_room(2)), Err(QueueFull));
        assert_eq!(mailbox.load(), (0, 0));
        let mut orders = Vec::new();
        mailbox.take_orders(&mut orders, 10);
        assert_eq!(orders.len(), 10);
        assert_eq!(mailbox.send(add_room(2)), Ok(()));
    }

    #[test]
    fn the_load_follows_rooms_and_transports() {
        let mailbox = mailbox();
        mailbox.send(add_room(1)).unwrap();
        mailbox.send(add_transport(1, 1)).unwrap();
        mailbox.send(add_transport(2, 1)).unwrap();
        mailbox.send(add_transport(3, 9)).unwrap();
        assert_eq!(mailbox.load(), (2, 1));
        mailbox
            .send(Command::CloseTransport {
                transport: TransportId(1),
            })
            .unwrap();
        assert_eq!(mailbox.load(), (1, 1));
        mailbox
            .send(Command::RemoveRoom { room: RoomId(1) })
            .unwrap();
        assert_eq!(mailbox.load(), (0, 0));
    }

    #[test]
    fn a_failure_ends_what_lived_or_was_ordered_and_nothing_later() {
        let mailbox = mailbox();
        mailbox.send(add_room(1)).unwrap();
        mailbox.send(add_transport(7, 1)).unwrap();
        mailbox.order(Order::Stop);
        mailbox.fail(3, "a bug".to_owned());
        mailbox.send(add_room(2)).unwrap();
        let Some(Notice::Failed(failure)) = mailbox.next_notice() else {
            panic!("no failure told")
        };
        assert_eq!(
            (failure.worker, failure.rooms, failure.transports),
            (3, vec![RoomId(1)], vec![TransportId(7)])
        );
        let mut orders = Vec::new();
        mailbox.take_orders(&mut orders, 10);
        assert!(matches!(
            orders[..],
            [
                Order::Stop,
                Order::Command(Command::AddRoom {
                    room: RoomId(2),
                    ..
                })
            ]
        ));
    }
}
