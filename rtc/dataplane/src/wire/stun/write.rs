//! STUN messages that we send. All append to `out`, so that a caller can keep one buffer.

use std::net::{IpAddr, SocketAddr};

use super::integrity::{self, IntegrityKey};
use super::{BINDING, HEADER_LEN, MAGIC_COOKIE, TransactionId, attribute, xor_mask};

const REQUEST: u16 = BINDING;
const INDICATION: u16 = 0x0010 | BINDING;
const SUCCESS: u16 = 0x0100 | BINDING;
const ERROR: u16 = 0x0110 | BINDING;

/// RFC 8489 section 14.8: a reason has fewer than 128 characters.
const MAX_REASON: usize = 127;

/// What an ICE agent says in a connectivity check. The server itself sends none: this is for peers in tests.
#[derive(Clone, Copy, Debug)]
pub struct BindingRequest<'a> {
    pub transaction_id: TransactionId,
    pub username: &'a str,
    pub priority: u32,
    pub use_candidate: bool,
    pub controlling: bool,
    pub tie_breaker: u64,
}

/// Answers a check: `mapped` is where it came from.
pub fn write_binding_success(
    out: &mut Vec<u8>,
    transaction_id: TransactionId,
    mapped: SocketAddr,
    key: &IntegrityKey,
) {
    let mut writer = Writer::start(out, SUCCESS, transaction_id);
    writer.xor_mapped_address(mapped, &transaction_id);
    writer.finish(Some(key));
}

/// Refuses a request. `key` is left out where the credentials themselves were wrong (RFC 8489 section 9.1.3);
/// `unknown` lists the attributes that a 420 is about.
pub fn write_binding_error(
    out: &mut Vec<u8>,
    transaction_id: TransactionId,
    code: u16,
    reason: &str,
    key: Option<&IntegrityKey>,
    unknown: &[u16],
) {
    let mut writer = Writer::start(out, ERROR, transaction_id);
    writer.error_code(code, reason);
    if !unknown.is_empty() {
        writer.unknown_attributes(unknown);
    }
    writer.finish(key);
}

/// A keepalive that wants no answer (RFC 8445 section 11).
pub fn write_binding_indication(out: &mut Vec<u8>, transaction_id: TransactionId) {
    Writer::start(out, INDICATION, transaction_id).finish(None);
}

pub fn write_binding_request(out: &mut Vec<u8>, request: &BindingRequest<'_>, key: &IntegrityKey) {
    let mut writer = Writer::start(out, REQUEST, request.transaction_id);
    writer.attribute(attribute::USERNAME, request.username.as_bytes());
    writer.attribute(attribute::PRIORITY, &request.priority.to_be_bytes());
    let role = if request.controlling {
        attribute::ICE_CONTROLLING
    } else {
        attribute::ICE_CONTROLLED
    };
    writer.attribute(role, &request.tie_breaker.to_be_bytes());
    if request.use_candidate {
        writer.attribute(attribute::USE_CANDIDATE, &[]);
    }
    writer.finish(Some(key));
}

/// Appends one message to a buffer; the length field follows as attributes are added.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    fn start(out: &'a mut Vec<u8>, kind: u16, transaction_id: TransactionId) -> Self {
        let start = out.len();
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        out.extend_from_slice(&transaction_id);
        Self { out, start }
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.out.extend_from_slice(&kind.to_be_bytes());
        self.out
            .extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.out.extend_from_slice(value);
        let padding = value.len().wrapping_neg() % 4;
        self.out.extend_from_slice(&[0; 3][..padding]);
        self.set_length(0);
    }

    /// Lets the header count `more` bytes that are not written yet.
    fn set_length(&mut self, more: usize) {
        let message = &mut self.out[self.start..];
        let length = (message.len() - HEADER_LEN + more) as u16;
        message[2..4].copy_from_slice(&length.to_be_bytes());
    }

    /// A dual-stack socket sees IPv4 peers as mapped IPv6 ones; they want to read the address they know.
    fn xor_mapped_address(&mut self, mapped: SocketAddr, transaction_id: &TransactionId) {
        let mut value = [0; 20];
        let port = mapped.port() ^ (MAGIC_COOKIE >> 16) as u16;
        value[2..4].copy_from_slice(&port.to_be_bytes());
        let len = match mapped.ip().to_canonical() {
            IpAddr::V4(ip) => {
                value[1] = 1;
                value[4..8].copy_from_slice(&(ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes());
                8
            }
            IpAddr::V6(ip) => {
                value[1] = 2;
                let bits = ip.to_bits() ^ xor_mask(transaction_id);
                value[4..20].copy_from_slice(&bits.to_be_bytes());
                20
            }
        };
        self.attribute(attribute::XOR_MAPPED_ADDRESS, &value[..len]);
    }

    fn error_code(&mut self, code: u16, reason: &str) {
        let reason = &reason[..reason.floor_char_boundary(MAX_REASON)];
        let mut value = [0; 4 + MAX_REASON];
        value[2] = (code / 100) as u8 & 7;
        value[3] = (code % 100) as u8;
        value[4..4 + reason.len()].copy_from_slice(reason.as_bytes());
        self.attribute(attribute::ERROR_CODE, &value[..4 + reason.len()]);
    }

    fn unknown_attributes(&mut self, kinds: &[u16]) {
        let mut value = [0; 2 * super::MAX_UNKNOWN];
        let mut len = 0;
        for (slot, kind) in value.chunks_exact_mut(2).zip(kinds) {
            slot.copy_from_slice(&kind.to_be_bytes());
            len += 2;
        }
        self.attribute(attribute::UNKNOWN_ATTRIBUTES, &value[..len]);
    }

    fn finish(mut self, key: Option<&IntegrityKey>) {
        if let Some(key) = key {
            let message = &self.out[self.start..];
            let tag = key.sign(message, message.len());
            self.attribute(attribute::MESSAGE_INTEGRITY, tag.as_ref());
        }
        self.set_length(8);
        let fingerprint = integrity::fingerprint(&self.out[self.start..]);
        self.attribute(attribute::FINGERPRINT, &fingerprint.to_be_bytes());
    }
}
