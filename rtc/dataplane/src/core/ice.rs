//! One peer's ICE-lite side (RFC 8445 section 2.5): it answers checks and never sends any.

use std::time::{Duration, Instant};

use super::Path;
use crate::wire::stun::{IntegrityKey, Message, Role};

#[cfg(test)]
mod tests;

/// Validated paths that one peer may have at a time. Of more, the one that was checked longest ago goes.
const MAX_PATHS: usize = 8;

/// Why a check is refused (RFC 8489 section 9.1.3, RFC 8445 section 7.3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    BadIntegrity,
    /// It has attributes that must be understood and are not.
    UnknownAttributes,
    /// It says that we control; a lite agent never does.
    RoleConflict,
}

/// What changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Validated just now.
    pub added: Option<Path>,
    /// No longer valid.
    pub removed: Vec<Path>,
    /// Media goes another way than before, or goes at all.
    pub selected: Option<Path>,
    /// This ufrag is no longer valid.
    pub retired: Option<String>,
    /// Nobody may be sent anything any more.
    pub lost: bool,
}

#[derive(Debug)]
struct Credentials {
    ufrag: String,
    key: IntegrityKey,
    /// A valid check was made with them.
    used: bool,
}

impl Credentials {
    fn new(ufrag: String, password: &str) -> Self {
        let key = IntegrityKey::new(password.as_bytes());
        let used = false;
        Self { ufrag, key, used }
    }
}

#[derive(Debug)]
struct ValidPath {
    path: Path,
    checked: Instant,
}

#[derive(Debug)]
pub struct Ice {
    current: Credentials,
    /// From before a restart, valid until the first check on the current ones.
    previous: Option<Credentials>,
    paths: Vec<ValidPath>,
    selected: Option<Path>,
    /// The last valid check on any path; before the first one, when this began.
    alive: Instant,
    lost: bool,
}

impl Ice {
    pub fn new(now: Instant, ufrag: String, password: &str) -> Self {
        Self {
            current: Credentials::new(ufrag, password),
            previous: None,
            paths: Vec::new(),
            selected: None,
            alive: now,
            lost: false,
        }
    }

    /// Where to send: the path nominated last, and before any nomination the one validated first.
    pub fn selected(&self) -> Option<Path> {
        self.selected.filter(|_| !self.lost)
    }

    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.paths.iter().map(|valid| valid.path)
    }

    /// All ufrags that lead here.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        let previous = self.previous.as_ref();
        std::iter::once(&self.current)
            .chain(previous)
            .map(|credentials| credentials.ufrag.as_str())
    }

    /// The key behind one of our ufrags.
    pub fn key(&self, ufrag: &str) -> Option<&IntegrityKey> {
        self.credentials(ufrag).map(|credentials| &credentials.key)
    }

    fn credentials(&self, ufrag: &str) -> Option<&Credentials> {
        std::iter::once(&self.current)
            .chain(self.previous.as_ref())
            .find(|credentials| credentials.ufrag == ufrag)
    }

    /// New credentials (RFC 8445 section 9). Media keeps flowing on the selected path until another is nominated.
    /// Answers a ufrag that is no longer valid, if there is one: restarts that nobody followed do not pile up.
    pub fn restart(&mut self, ufrag: String, password: &str) -> Option<String> {
        let replaced = std::mem::replace(&mut self.current, Credentials::new(ufrag, password));
        if replaced.used || self.previous.is_none() {
            return self.previous.replace(replaced).map(|old| old.ufrag);
        }
        Some(replaced.ufrag)
    }

    /// A binding request whose username begins with `ufrag`.
    pub fn check(
        &mut self,
        now: Instant,
        path: Path,
        ufrag: &str,
        message: &Message<'_>,
    ) -> Result<Change, Refusal> {
        let key = self.key(ufrag).ok_or(Refusal::BadIntegrity)?;
        if !message.verify_integrity(key) {
            return Err(Refusal::BadIntegrity);
        }
        if !message.unknown().is_empty() {
            return Err(Refusal::UnknownAttributes);
        }
        if matches!(message.role(), Some(Role::Controlled(_))) {
            return Err(Refusal::RoleConflict);
        }
        let mut change = self.validate(now, path);
        if ufrag == self.current.ufrag {
            self.current.used = true;
            change.retired = self.previous.take().map(|old| old.ufrag);
        }
        // Chrome repeats the nomination in every check of its selected pair, and so moves us when it moves.
        if message.use_candidate() || self.selected.is_none() || self.lost {
            change.selected = self.select(path);
        }
        Ok(change)
    }

    fn validate(&mut self, now: Instant, path: Path) -> Change {
        self.alive = now;
        let mut change = Change::default();
        if let Some(valid) = self.paths.iter_mut().find(|valid| valid.path == path) {
            valid.checked = now;
            return change;
        }
        if self.paths.len() == MAX_PATHS {
            change.removed.extend(self.evict());
        }
        let checked = now;
        self.paths.push(ValidPath { path, checked });
        change.added = Some(path);
        change
    }

    fn evict(&mut self) -> Option<Path> {
        let selected = self.selected;
        let (index, _) = (self.paths.iter().enumerate())
            .filter(|(_, valid)| Some(valid.path) != selected)
            .min_by_key(|(_, valid)| valid.checked)?;
        Some(self.paths.swap_remove(index).path)
    }

    fn select(&mut self, path: Path) -> Option<Path> {
        let is_news = self.lost || self.selected != Some(path);
        self.selected = Some(path);
        self.lost = false;
        is_news.then_some(path)
    }

    /// When to look for paths that were not checked for too long.
    pub fn deadline(&self, consent: Duration) -> Option<Instant> {
        let oldest = self.paths.iter().map(|valid| valid.checked).min();
        let next = oldest.unwrap_or(self.alive);
        (!self.lost || oldest.is_some()).then_some(next + consent)
    }

    /// Drops the paths whose consent ran out (RFC 7675 section 5.1).
    pub fn expire(&mut self, now: Instant, consent: Duration) -> Change {
        self.remove_paths(|valid| now.duration_since(valid.checked) >= consent)
            .or_lost(self, now.duration_since(self.alive) >= consent)
    }

    /// A path that is gone, or that another peer has proved to be its own.
    pub fn remove(&mut self, path: Path) -> Change {
        self.remove_paths(|valid| valid.path == path)
    }

    fn remove_paths(&mut self, mut is_gone: impl FnMut(&ValidPath) -> bool) -> Change {
        let mut change = Change::default();
        self.paths.retain(|valid| {
            let gone = is_gone(valid);
            if gone {
                change.removed.push(valid.path);
            }
            !gone
        });
        if self
            .selected
            .is_some_and(|path| change.removed.contains(&path))
        {
            self.selected = None;
            let freshest = self.paths.iter().max_by_key(|valid| valid.checked);
            change.selected = freshest.map(|valid| valid.path);
            self.selected = change.selected;
        }
        change
    }
}

impl Change {
    fn or_lost(mut self, ice: &mut Ice, is_lost: bool) -> Self {
        self.lost = is_lost && !ice.lost;
        ice.lost |= is_lost;
        self
    }
}
