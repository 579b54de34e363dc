//! STUN binding messages as ICE uses them (RFC 8489, RFC 8445).

mod integrity;
mod write;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::cursor::Cursor;
pub use integrity::IntegrityKey;
pub use write::{
    BindingRequest, write_binding_error, write_binding_indication, write_binding_request,
    write_binding_success,
};

const HEADER_LEN: usize = 20;
const MAGIC_COOKIE: u32 = 0x2112_A442;
/// RFC 8489 section 14.3: a username has fewer than 509 bytes.
const MAX_USERNAME: usize = 508;
/// More unknown attributes than this are not listed: the answer says 420 all the same.
const MAX_UNKNOWN: usize = 8;

/// The method of every message that ICE sends.
pub const BINDING: u16 = 1;

pub type TransactionId = [u8; 12];

mod attribute {
    pub const MAPPED_ADDRESS: u16 = 0x0001;
    pub const USERNAME: u16 = 0x0006;
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub const ERROR_CODE: u16 = 0x0009;
    pub const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub const REALM: u16 = 0x0014;
    pub const NONCE: u16 = 0x0015;
    pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;
    pub const PASSWORD_ALGORITHM: u16 = 0x001D;
    pub const USERHASH: u16 = 0x001E;
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub const PRIORITY: u16 = 0x0024;
    pub const USE_CANDIDATE: u16 = 0x0025;
    /// From here on an attribute may be ignored by those who do not know it.
    pub const FIRST_OPTIONAL: u16 = 0x8000;
    pub const FINGERPRINT: u16 = 0x8028;
    pub const ICE_CONTROLLED: u16 = 0x8029;
    pub const ICE_CONTROLLING: u16 = 0x802A;
}

/// Why a datagram is no STUN message that we would answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StunError {
    /// Shorter than the fixed header.
    #[error("shorter than a STUN header")]
    TooShort,
    /// Leading bits or magic cookie of something else.
    #[error("not a STUN message")]
    NotStun,
    /// The header's length is odd or is not that of the datagram.
    #[error("message length does not match the datagram")]
    Length,
    /// An attribute reaches past the end of the message.
    #[error("attribute {0:#06x} is cut off")]
    Truncated(u16),
    /// An attribute's value does not have the form that its type demands.
    #[error("attribute {0:#06x} is malformed")]
    Malformed(u16),
    /// Something follows the fingerprint, which has to be last.
    #[error("attribute after the fingerprint")]
    AfterFingerprint,
    /// The fingerprint is not that of the message.
    #[error("fingerprint mismatch")]
    Fingerprint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Request,
    Indication,
    Success,
    Error,
}

/// The sender's ICE role with its tie-breaker (RFC 8445 section 7.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Controlling(u64),
    Controlled(u64),
}

/// One message, borrowed from its datagram.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: u16,
    transaction_id: TransactionId,
    username: Option<&'a str>,
    priority: Option<u32>,
    use_candidate: bool,
    role: Option<Role>,
    mapped_address: Option<SocketAddr>,
    error_code: Option<u16>,
    unknown: [u16; MAX_UNKNOWN],
    unknown_count: usize,
    /// Where the MESSAGE-INTEGRITY attribute starts. What follows it counts for nothing (RFC 8489 section 14.5).
    integrity_at: Option<usize>,
    has_fingerprint: bool,
}

impl<'a> Message<'a> {
    /// Reads a whole datagram, and checks the fingerprint where there is one.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, StunError> {
        let mut message = Self::parse_header(datagram)?;
        let mut cursor = Cursor::new(&datagram[HEADER_LEN..]);
        while !cursor.is_empty() {
            let start = datagram.len() - cursor.rest().len();
            let kind = cursor.u16().ok_or(StunError::Truncated(0))?;
            let len = usize::from(cursor.u16().ok_or(StunError::Truncated(kind))?);
            let value = cursor.take(len).ok_or(StunError::Truncated(kind))?;
            cursor
                .take(len.wrapping_neg() % 4)
                .ok_or(StunError::Truncated(kind))?;
            message.take_attribute(start, kind, value)?;
        }
        Ok(message)
    }

    fn parse_header(datagram: &'a [u8]) -> Result<Self, StunError> {
        let (header, attributes) = datagram
            .split_at_checked(HEADER_LEN)
            .ok_or(StunError::TooShort)?;
        let mut cursor = Cursor::new(header);
        let kind = cursor.u16().ok_or(StunError::TooShort)?;
        let length = cursor.u16().ok_or(StunError::TooShort)?;
        let cookie = cursor.u32().ok_or(StunError::TooShort)?;
        if kind & 0xC000 != 0 || cookie != MAGIC_COOKIE {
            return Err(StunError::NotStun);
        }
        if !length.is_multiple_of(4) || usize::from(length) != attributes.len() {
            return Err(StunError::Length);
        }
        let mut transaction_id = TransactionId::default();
        transaction_id.copy_from_slice(cursor.rest());
        Ok(Self {
            bytes: datagram,
            class: class_of(kind),
            method: method_of(kind),
            transaction_id,
            username: None,
            priority: None,
            use_candidate: false,
            role: None,
            mapped_address: None,
            error_code: None,
            unknown: [0; MAX_UNKNOWN],
            unknown_count: 0,
            integrity_at: None,
            has_fingerprint: false,
        })
    }

    fn take_attribute(
        &mut self,
        start: usize,
        kind: u16,
        value: &'a [u8],
    ) -> Result<(), StunError> {
        if self.has_fingerprint {
            return Err(StunError::AfterFingerprint);
        }
        if kind == attribute::FINGERPRINT {
            return self.take_fingerprint(start, value);
        }
        if self.integrity_at.is_some() {
            return Ok(());
        }
        let malformed = StunError::Malformed(kind);
        let mut cursor = Cursor::new(value);
        match kind {
            attribute::MESSAGE_INTEGRITY => {
                if value.len() != integrity::TAG_LEN {
                    return Err(malformed);
                }
                self.integrity_at = Some(start);
            }
            attribute::USERNAME => {
                let name = str::from_utf8(value).map_err(|_| malformed)?;
                if name.len() > MAX_USERNAME {
                    return Err(malformed);
                }
                self.username.get_or_insert(name);
            }
            attribute::PRIORITY => {
                self.priority
                    .get_or_insert(exactly(cursor.u32(), cursor).ok_or(malformed)?);
            }
            attribute::USE_CANDIDATE => self.use_candidate = true,
            attribute::ICE_CONTROLLING => {
                let tie_breaker = exactly(cursor.u64(), cursor).ok_or(malformed)?;
                self.role.get_or_insert(Role::Controlling(tie_breaker));
            }
            attribute::ICE_CONTROLLED => {
                let tie_breaker = exactly(cursor.u64(), cursor).ok_or(malformed)?;
                self.role.get_or_insert(Role::Controlled(tie_breaker));
            }
            attribute::XOR_MAPPED_ADDRESS => {
                let mapped = xor_address(value, &self.transaction_id).ok_or(malformed)?;
                self.mapped_address.get_or_insert(mapped);
            }
            attribute::ERROR_CODE => {
                let code = cursor.u32().ok_or(malformed)?;
                let (class, number) = ((code >> 8) & 7, code & 0xFF);
                self.error_code.get_or_insert((class * 100 + number) as u16);
            }
            attribute::MAPPED_ADDRESS
            | attribute::UNKNOWN_ATTRIBUTES
            | attribute::REALM
            | attribute::NONCE
            | attribute::MESSAGE_INTEGRITY_SHA256
            | attribute::PASSWORD_ALGORITHM
            | attribute::USERHASH
            | attribute::FIRST_OPTIONAL.. => {}
            unknown => self.note_unknown(unknown),
        }
        Ok(())
    }

    fn take_fingerprint(&mut self, start: usize, value: &[u8]) -> Result<(), StunError> {
        let mut cursor = Cursor::new(value);
        let told =
            exactly(cursor.u32(), cursor).ok_or(StunError::Malformed(attribute::FINGERPRINT))?;
        if told != integrity::fingerprint(&self.bytes[..start]) {
            return Err(StunError::Fingerprint);
        }
        self.has_fingerprint = true;
        Ok(())
    }

    fn note_unknown(&mut self, kind: u16) {
        if let Some(slot) = self.unknown.get_mut(self.unknown_count) {
            *slot = kind;
            self.unknown_count += 1;
        }
    }

    pub fn class(&self) -> Class {
        self.class
    }

    pub fn method(&self) -> u16 {
        self.method
    }

    pub fn transaction_id(&self) -> TransactionId {
        self.transaction_id
    }

    /// In ICE: "receiver's ufrag:sender's ufrag".
    pub fn username(&self) -> Option<&'a str> {
        self.username
    }

    /// The controlling side nominates this pair.
    pub fn use_candidate(&self) -> bool {
        self.use_candidate
    }

    pub fn priority(&self) -> Option<u32> {
        self.priority
    }

    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// XOR-MAPPED-ADDRESS of a success response.
    pub fn mapped_address(&self) -> Option<SocketAddr> {
        self.mapped_address
    }

    /// The code of an error response: 300 to 699 if the sender is sane.
    pub fn error_code(&self) -> Option<u16> {
        self.error_code
    }

    /// Attributes that must be understood and are not: a request with any is answered with 420.
    pub fn unknown(&self) -> &[u16] {
        &self.unknown[..self.unknown_count]
    }

    pub fn has_integrity(&self) -> bool {
        self.integrity_at.is_some()
    }

    pub fn has_fingerprint(&self) -> bool {
        self.has_fingerprint
    }

    /// Whether the message was made with this key; false where it carries no MESSAGE-INTEGRITY. Constant time.
    pub fn verify_integrity(&self, key: &IntegrityKey) -> bool {
        self.integrity_at
            .is_some_and(|at| key.verify(self.bytes, at))
    }
}

/// `value`, if reading it used the attribute up.
fn exactly<T>(value: Option<T>, cursor: Cursor<'_>) -> Option<T> {
    value.filter(|_| cursor.is_empty())
}

/// Class and method bits are interleaved (RFC 8489 section 5).
fn class_of(kind: u16) -> Class {
    match kind & 0x0110 {
        0x0000 => Class::Request,
        0x0010 => Class::Indication,
        0x0100 => Class::Success,
        _ => Class::Error,
    }
}

fn method_of(kind: u16) -> u16 {
    (kind & 0x000F) | ((kind & 0x00E0) >> 1) | ((kind & 0x3E00) >> 2)
}

/// RFC 8489 section 14.2.
fn xor_address(value: &[u8], transaction_id: &TransactionId) -> Option<SocketAddr> {
    let mut cursor = Cursor::new(value);
    let family = cursor.u16()? & 0xFF;
    let port = cursor.u16()? ^ (MAGIC_COOKIE >> 16) as u16;
    let ip = match (family, cursor.rest().len()) {
        (1, 4) => IpAddr::V4(Ipv4Addr::from_bits(cursor.u32()? ^ MAGIC_COOKIE)),
        (2, 16) => {
            let high = cursor.u64()?;
            let low = cursor.u64()?;
            let bits = (u128::from(high) << 64) | u128::from(low);
            IpAddr::V6(Ipv6Addr::from_bits(bits ^ xor_mask(transaction_id)))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn xor_mask(transaction_id: &TransactionId) -> u128 {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(transaction_id);
    u128::from_be_bytes(mask)
}
