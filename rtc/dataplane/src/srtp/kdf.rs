//! Session keys from master keys (RFC 3711 section 4.3): AES in counter mode over a label, no rekeying.

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use super::SrtpError;

/// What a derived key is for.
#[derive(Clone, Copy)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// The label is the first byte of the 7-byte key id, which is aligned to the right of the 14-byte salt.
const LABEL_AT: usize = 7;
const MAX_SALT: usize = 14;

pub(super) fn counter_mode(key: &[u8]) -> Result<EncryptingKey, SrtpError> {
    let algorithm = match key.len() {
        16 => &AES_128,
        32 => &AES_256,
        _ => return Err(SrtpError::KeyLength),
    };
    let key = UnboundCipherKey::new(algorithm, key).map_err(|_| SrtpError::KeyLength)?;
    EncryptingKey::ctr(key).map_err(|_| SrtpError::KeyLength)
}

/// Encrypts or decrypts in place with the counter block `iv`.
pub(super) fn apply(key: &EncryptingKey, iv: [u8; 16], bytes: &mut [u8]) -> Result<(), SrtpError> {
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    let done = key.less_safe_encrypt(bytes, context);
    done.map(|_| ()).map_err(|_| SrtpError::Authentication)
}

/// `N` bytes for `label`. A salt of 12 bytes is filled with zeros to 14 (RFC 7714 section 11).
pub(super) fn derive<const N: usize>(
    master_key: &[u8],
    master_salt: &[u8],
    label: Label,
) -> Result<[u8; N], SrtpError> {
    if master_salt.len() > MAX_SALT {
        return Err(SrtpError::KeyLength);
    }
    let mut iv = [0; 16];
    iv[..master_salt.len()].copy_from_slice(master_salt);
    iv[LABEL_AT] ^= label as u8;
    let mut out = [0; N];
    apply(&counter_mode(master_key)?, iv, &mut out)?;
    Ok(out)
}
