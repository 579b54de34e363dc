//! Any datagram as a STUN message: read it, check it, and see that what we answer is well formed.

use std::net::SocketAddr;
use std::sync::LazyLock;

use _dataplane::wire::stun::{
    Class, IntegrityKey, Message, write_binding_error, write_binding_success,
};

/// The password of RFC 5769, so that its messages verify as seeds.
static KEY: LazyLock<IntegrityKey> = LazyLock::new(|| IntegrityKey::new(b"VOkJxbRl1RmTxUk/WvJxBt"));

pub fn check(datagram: &[u8]) {
    let Ok(message) = Message::parse(datagram) else {
        return;
    };
    let authentic = message.verify_integrity(&KEY);
    assert!(!authentic || message.has_integrity());
    let from = message
        .mapped_address()
        .unwrap_or_else(|| SocketAddr::from(([192, 0, 2, 1], 9)));
    let id = message.transaction_id();

    let mut answer = Vec::new();
    write_binding_success(&mut answer, id, from, &KEY);
    let read = Message::parse(&answer).expect("our own answer");
    assert_eq!(read.class(), Class::Success);
    let canonical = SocketAddr::new(from.ip().to_canonical(), from.port());
    assert_eq!(read.mapped_address(), Some(canonical));
    assert!(read.verify_integrity(&KEY));

    let mut refusal = Vec::new();
    let reason = message.username().unwrap_or("Unknown Attribute");
    write_binding_error(&mut refusal, id, 420, reason, Some(&KEY), message.unknown());
    let read = Message::parse(&refusal).expect("our own refusal");
    assert_eq!(read.error_code(), Some(420));
    assert!(read.verify_integrity(&KEY));
}
