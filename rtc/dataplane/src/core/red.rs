//! Redundant audio (RFC 2198): the primary block, for receivers that did not negotiate the rest.

/// Payload type and bytes of the newest block; `None` where the packet ends inside its own headers.
pub fn primary(payload: &[u8]) -> Option<(u8, &[u8])> {
    let (mut at, mut redundant) = (0, 0);
    loop {
        let first = *payload.get(at)?;
        if first & 0x80 == 0 {
            return Some((first, payload.get(at + 1 + redundant..)?));
        }
        let block = payload.get(at..at + 4)?;
        redundant += usize::from(u16::from_be_bytes([block[2], block[3]]) & 0x03FF);
        at += 4;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_block_is_the_primary_one() {
        let red = [0x80 | 111, 0, 0, 2, 111, b'o', b'l', b'n', b'e', b'w'];
        assert_eq!(primary(&red), Some((111, &b"new"[..])));
        assert_eq!(primary(&[111, b'x']), Some((111, &b"x"[..])));
    }

    #[test]
    fn headers_that_are_cut_off_or_lie_give_nothing() {
        assert_eq!(primary(&[]), None);
        assert_eq!(primary(&[0x80 | 111, 0, 0]), None);
        assert_eq!(primary(&[0x80 | 111, 0, 0, 9, 111, 1]), None);
    }

    proptest! {
        #[test]
        fn no_payload_is_read_past_its_end(payload: Vec<u8>) {
            let _ = primary(&payload);
        }
    }
}
