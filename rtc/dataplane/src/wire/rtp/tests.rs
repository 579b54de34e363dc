use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const FIELDS: Fields = Fields {
    marker: true,
    payload_type: 96,
    sequence_number: 0xFFFE,
    timestamp: 0x1234_5678,
    ssrc: 0xCAFE_BABE,
};

fn written(extensions: &[(u8, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xAA; header_len(extensions)];
    let len = write_header(&mut packet, &FIELDS, extensions).unwrap();
    assert_eq!(len, packet.len());
    packet.extend_from_slice(payload);
    packet
}

#[test]
fn a_plain_header_is_twelve_bytes() {
    let packet = written(&[], b"payload");
    let header = Header::parse(&packet).unwrap();
    assert_eq!(header.fields(), FIELDS);
    assert_eq!(header.payload_offset, 12);
    assert_eq!(header.extensions(&packet).count(), 0);
    assert_eq!(header.payload(&packet), Ok(&b"payload"[..]));
}

#[test]
fn short_values_and_ids_take_the_one_byte_form() {
    let packet = written(&[(1, &[5]), (14, &[7; 16])], &[]);
    assert_eq!(packet[12..16], [0xBE, 0xDE, 0, 5]);
    let header = Header::parse(&packet).unwrap();
    let elements: Vec<_> = header.extensions(&packet).collect();
    assert_eq!(elements, [(1, &[5][..]), (14, &[7; 16][..])]);
}

#[test]
fn long_empty_or_high_ones_take_the_two_byte_form() {
    for extensions in [
        [(1, &[5u8; 17][..])],
        [(2, &[][..])],
        [(15, &[1][..])],
        [(255, &[1; 255][..])],
    ] {
        let packet = written(&extensions, &[]);
        assert_eq!(packet[12..14], [0x10, 0x00]);
        let header = Header::parse(&packet).unwrap();
        assert_eq!(header.extensions(&packet).collect::<Vec<_>>(), extensions);
    }
}

#[test]
fn what_cannot_be_written_is_said_so() {
    let mut out = [0; 64];
    let error = write_header(&mut out, &FIELDS, &[(0, &[1])]).unwrap_err();
    assert_eq!(error, RtpError::Extension(ExtensionError::Id));
    let error = write_header(&mut [0; 700], &FIELDS, &[(1, &[1; 256])]).unwrap_err();
    assert_eq!(error, RtpError::Extension(ExtensionError::TooLong));
    assert_eq!(
        write_header(&mut out[..11], &FIELDS, &[]),
        Err(RtpError::NoRoom)
    );
    assert_eq!(
        write_header(&mut out[..15], &FIELDS, &[(1, &[1])]),
        Err(RtpError::NoRoom)
    );
    assert_eq!(
        write_header(&mut out[..19], &FIELDS, &[(1, &[1])]),
        Err(RtpError::NoRoom)
    );
    assert_eq!(write_header(&mut out[..20], &FIELDS, &[(1, &[1])]), Ok(20));
}

#[test]
fn contributing_sources_are_stepped_over() {
    let mut packet = vec![0x82, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    packet.extend([0xFF; 8]);
    packet.push(9);
    let header = Header::parse(&packet).unwrap();
    assert_eq!((header.csrc_count, header.payload_offset), (2, 20));
    assert_eq!(header.payload(&packet), Ok(&[9][..]));
    assert_eq!(Header::parse(&packet[..19]), Err(RtpError::TooShort));
}

#[test]
fn padding_is_cut_off_after_decryption() {
    let mut packet = written(&[], &[1, 2, 0, 0, 3]);
    packet[0] |= 0x20;
    let header = Header::parse(&packet).unwrap();
    assert_eq!(header.payload(&packet), Ok(&[1, 2][..]));
    assert_eq!(header.padding_len(&packet), Ok(3));
    for (count, expected) in [
        (5, Ok(&[][..])),
        (6, Err(RtpError::Padding)),
        (0, Err(RtpError::Padding)),
    ] {
        *packet.last_mut().unwrap() = count;
        assert_eq!(header.payload(&packet), expected);
    }
    assert_eq!(header.payload(&packet[..12]), Err(RtpError::Padding));
}

#[test]
fn cut_off_headers_are_refused() {
    let packet = written(&[(1, &[5]), (2, &[6])], &[]);
    for len in 0..packet.len() {
        assert_eq!(
            Header::parse(&packet[..len]),
            Err(RtpError::TooShort),
            "{len}"
        );
    }
    assert_eq!(Header::parse(&[0x40; 12]), Err(RtpError::Version));
}

#[test]
fn an_element_that_overruns_its_block_is_refused() {
    let mut packet = written(&[(1, &[5, 6, 7])], &[]);
    packet[16] = 0x1F;
    let error = Header::parse(&packet).unwrap_err();
    assert_eq!(error, RtpError::Extension(ExtensionError::Truncated));
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(
        elements in vec((1u8.., vec(any::<u8>(), 0..256)), 0..8),
        payload: Vec<u8>,
    ) {
        let extensions: Vec<(u8, &[u8])> =
            elements.iter().map(|(id, value)| (*id, value.as_slice())).collect();
        let packet = written(&extensions, &payload);
        let header = Header::parse(&packet).unwrap();
        prop_assert_eq!(header.fields(), FIELDS);
        prop_assert_eq!(header.extensions(&packet).collect::<Vec<_>>(), extensions);
        prop_assert_eq!(header.payload(&packet), Ok(payload.as_slice()));
    }

    #[test]
    fn random_bytes_never_panic(mut bytes: Vec<u8>) {
        if let Some(first) = bytes.first_mut() {
            *first = 0x80 | (*first & 0x3F);
        }
        if let Ok(header) = Header::parse(&bytes) {
            let _ = header.payload(&bytes);
            header.extensions(&bytes).for_each(drop);
        }
    }
}
