//! Answers to connectivity checks, and what they do to a transport's paths.

use std::time::{Duration, Instant};

use super::deadlines::Who;
use super::ice::{Change, Refusal};
use super::{Event, Path, Plane, TransportId};
use crate::wire::stun::{
    self, Class, IntegrityKey, Message, write_binding_error, write_binding_success,
};

/// Refusals to people who have not proved anything: as many at once, and one more each so often. Without a bound we would
/// answer forged addresses on a flooder's behalf.
const REFUSALS: u32 = 100;
const REFUSAL_EVERY: Duration = Duration::from_millis(10);

/// The tokens left for unproven peers.
#[derive(Clone, Copy, Debug)]
pub struct RefusalBudget {
    left: u32,
    refilled: Option<Instant>,
}

impl Default for RefusalBudget {
    fn default() -> Self {
        Self {
            left: REFUSALS,
            refilled: None,
        }
    }
}

impl RefusalBudget {
    fn take(&mut self, now: Instant) -> bool {
        let refilled = *self.refilled.get_or_insert(now);
        let earned =
            now.saturating_duration_since(refilled).as_millis() / REFUSAL_EVERY.as_millis();
        if earned > 0 {
            self.left = REFUSALS.min(
                self.left
                    .saturating_add(earned.min(u128::from(REFUSALS)) as u32),
            );
            self.refilled = Some(now);
        }
        let some_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        some_left
    }
}

impl Plane {
    pub(super) fn take_stun(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        let Ok(message) = Message::parse(datagram) else {
            self.counters.drop_stun_malformed += 1;
            return;
        };
        // A lite agent asks nothing, so that no response is for us; indications keep a NAT open and want no answer.
        if message.class() != Class::Request || message.method() != stun::BINDING {
            return;
        }
        self.counters.stun_requests += 1;
        let Some(username) = message.username().filter(|_| message.has_integrity()) else {
            return self.refuse(now, path, &message, 400, "Bad Request");
        };
        let ufrag = username.split_once(':').map_or(username, |(ours, _)| ours);
        match self.ufrags.get(ufrag) {
            Some(transport) => self.check(now, *transport, path, ufrag, &message),
            None => {
                self.counters.drop_stun_unknown_ufrag += 1;
                self.refuse(now, path, &message, 401, "Unauthenticated");
            }
        }
    }

    fn check(
        &mut self,
        now: Instant,
        id: TransportId,
        path: Path,
        ufrag: &str,
        message: &Message<'_>,
    ) {
        let Some(transport) = self.transports.get_mut(&id) else {
            return;
        };
        let checked = transport.ice.check(now, path, ufrag, message);
        let transaction = message.transaction_id();
        if let Some(key) = transport.ice.key(ufrag) {
            let answer = |out: &mut Vec<u8>| match &checked {
                Ok(_) => write_binding_success(out, transaction, path.remote, key),
                Err(refusal) => refusal.write(out, message, key),
            };
            if checked != Err(Refusal::BadIntegrity) {
                self.outbox.send(path, answer);
            }
        }
        match checked {
            Ok(change) => self.change_paths(now, id, change),
            Err(Refusal::BadIntegrity) => {
                self.counters.drop_stun_bad_integrity += 1;
                self.refuse(now, path, message, 401, "Unauthenticated");
            }
            Err(_) => self.counters.stun_errors_sent += 1,
        }
    }

    /// To somebody who has proved nothing: without integrity (RFC 8489 section 9.1.3), and not without end.
    fn refuse(&mut self, now: Instant, path: Path, message: &Message<'_>, code: u16, reason: &str) {
        if self.refusals.take(now) {
            self.counters.stun_errors_sent += 1;
            let transaction = message.transaction_id();
            self.outbox.send(path, |out| {
                write_binding_error(out, transaction, code, reason, None, &[]);
            });
        }
    }

    pub(super) fn change_paths(&mut self, now: Instant, id: TransportId, change: Change) {
        for path in &change.removed {
            if self.paths.get(path) == Some(&id) {
                self.paths.remove(path);
            }
        }
        if let Some(ufrag) = &change.retired {
            self.ufrags.remove(ufrag);
        }
        if let Some(path) = change.added {
            self.claim(now, id, path);
        }
        if let Some(path) = change.selected {
            let transport = id;
            self.events.push(Event::PathSelected { transport, path });
            self.became_ready(id);
        }
        if change.lost {
            self.events.push(Event::ConsentLost { transport: id });
        }
        self.ask_for_consent(id);
    }

    /// The peer that proved itself last owns an address: an older one behind it is gone without a word.
    fn claim(&mut self, now: Instant, id: TransportId, path: Path) {
        let Some(before) = self.paths.insert(path, id).filter(|before| *before != id) else {
            return;
        };
        if let Some(transport) = self.transports.get_mut(&before) {
            let mut change = transport.ice.remove(path);
            change.removed.clear();
            self.change_paths(now, before, change);
        }
    }

    pub(super) fn ask_for_consent(&mut self, id: TransportId) {
        let transport = self.transports.get(&id);
        let deadline = transport.and_then(|found| found.ice.deadline(self.config.consent));
        if let Some(at) = deadline {
            self.deadlines.ask(Who::Transport(id), at);
        }
    }
}

impl Refusal {
    fn write(self, out: &mut Vec<u8>, message: &Message<'_>, key: &IntegrityKey) {
        let (code, reason) = match self {
            Self::BadIntegrity => (401, "Unauthenticated"),
            Self::UnknownAttributes => (420, "Unknown Attribute"),
            Self::RoleConflict => (487, "Role Conflict"),
        };
        let transaction = message.transaction_id();
        write_binding_error(out, transaction, code, reason, Some(key), message.unknown());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flooder_is_not_answered_without_end() {
        let (mut budget, start) = (RefusalBudget::default(), Instant::now());
        assert_eq!((0..1000).filter(|_| budget.take(start)).count(), 100);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..1000).filter(|_| budget.take(later)).count(), 100);
    }
}
