use std::net::SocketAddr;

use super::*;
use crate::core::Protocol;
use crate::wire::stun::{BindingRequest, write_binding_request};

const CONSENT: Duration = Duration::from_secs(30);

fn path(port: u16) -> Path {
    Path {
        protocol: Protocol::Udp,
        local: SocketAddr::from(([10, 0, 0, 1], 7882)),
        remote: SocketAddr::from(([10, 0, 0, 2], port)),
    }
}

struct Peer {
    now: Instant,
    ice: Ice,
}

impl Peer {
    fn new() -> Self {
        let now = Instant::now();
        let ice = Ice::new(now, "one".into(), "password of one");
        Self { now, ice }
    }

    fn check(&mut self, port: u16, ufrag: &str, nominate: bool) -> Result<Change, Refusal> {
        self.check_as(port, ufrag, nominate, true)
    }

    fn check_as(
        &mut self,
        port: u16,
        ufrag: &str,
        use_candidate: bool,
        controlling: bool,
    ) -> Result<Change, Refusal> {
        let mut bytes = Vec::new();
        let request = BindingRequest {
            transaction_id: [7; 12],
            username: &format!("{ufrag}:theirs"),
            priority: 1,
            use_candidate,
            controlling,
            tie_breaker: 5,
        };
        let key = IntegrityKey::new(format!("password of {ufrag}").as_bytes());
        write_binding_request(&mut bytes, &request, &key);
        let message = Message::parse(&bytes).expect("our own message");
        self.ice.check(self.now, path(port), ufrag, &message)
    }

    fn wait(&mut self, seconds: u64) -> Change {
        self.now += Duration::from_secs(seconds);
        self.ice.expire(self.now, CONSENT)
    }
}

#[test]
fn the_first_valid_path_is_used_until_one_is_nominated() {
    let mut peer = Peer::new();
    assert_eq!(
        peer.check(1, "one", false).expect("valid").selected,
        Some(path(1))
    );
    assert_eq!(peer.check(2, "one", false).expect("valid").selected, None);
    assert_eq!(
        peer.check(2, "one", true).expect("valid").selected,
        Some(path(2))
    );
    assert_eq!(
        peer.check(2, "one", true).expect("valid"),
        Change::default()
    );
    assert_eq!(peer.ice.selected(), Some(path(2)));
}

#[test]
fn a_peer_that_wants_us_to_control_is_told_otherwise() {
    let mut peer = Peer::new();
    assert_eq!(
        peer.check_as(1, "one", true, false),
        Err(Refusal::RoleConflict)
    );
    assert_eq!(peer.ice.selected(), None);
}

#[test]
fn the_old_ufrag_holds_until_the_first_check_on_the_new_one() {
    let mut peer = Peer::new();
    peer.check(1, "one", true).expect("valid");
    assert_eq!(peer.ice.restart("two".into(), "password of two"), None);
    peer.check(1, "one", true).expect("still valid");
    let change = peer.check(2, "two", true).expect("valid");
    assert_eq!(change.retired.as_deref(), Some("one"));
    assert_eq!(change.selected, Some(path(2)));
    assert_eq!(peer.check(1, "one", true), Err(Refusal::BadIntegrity));
}

#[test]
fn restarts_that_nobody_follows_keep_the_credentials_in_use() {
    let mut peer = Peer::new();
    peer.check(1, "one", true).expect("valid");
    peer.ice.restart("two".into(), "password of two");
    let retired = peer.ice.restart("three".into(), "password of three");
    assert_eq!(retired.as_deref(), Some("two"));
    assert_eq!(peer.ice.ufrags().collect::<Vec<_>>(), ["three", "one"]);
}

#[test]
fn consent_is_lost_after_thirty_seconds_and_comes_back_with_a_check() {
    let mut peer = Peer::new();
    peer.check(1, "one", true).expect("valid");
    assert_eq!(peer.wait(29), Change::default());
    let change = peer.wait(1);
    assert!(change.lost);
    assert_eq!(change.removed, [path(1)]);
    assert_eq!(peer.ice.selected(), None);
    assert!(!peer.wait(60).lost, "told once");
    assert_eq!(
        peer.check(3, "one", false).expect("valid").selected,
        Some(path(3))
    );
}

#[test]
fn a_path_that_is_no_longer_checked_leaves_media_to_one_that_is() {
    let mut peer = Peer::new();
    peer.check(1, "one", true).expect("valid");
    peer.wait(20);
    peer.check(2, "one", false).expect("valid");
    let change = peer.wait(10);
    assert_eq!(change.removed, [path(1)]);
    assert_eq!(change.selected, Some(path(2)));
    assert!(!change.lost);
}

#[test]
fn a_peer_with_many_addresses_keeps_the_selected_one() {
    let mut peer = Peer::new();
    peer.check(1, "one", true).expect("valid");
    for port in 2..=20 {
        peer.now += Duration::from_millis(1);
        peer.check(port, "one", false).expect("valid");
    }
    assert_eq!(peer.ice.paths().count(), MAX_PATHS);
    assert!(peer.ice.paths().any(|valid| valid == path(1)));
}

#[test]
fn a_closed_path_is_left() {
    let mut peer = Peer::new();
    peer.check(1, "one", true).expect("valid");
    let change = peer.ice.remove(path(1));
    assert_eq!((change.removed, change.selected), (vec![path(1)], None));
    assert_eq!(peer.ice.selected(), None);
}
