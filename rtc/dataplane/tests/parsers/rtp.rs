//! Any datagram as RTP: read header, extensions and padding, write the header again and read that.

use _dataplane::wire::rtp::{Header, header_len, write_header};

pub fn check(packet: &[u8]) {
    let Ok(header) = Header::parse(packet) else {
        return;
    };
    assert!(header.payload_offset <= packet.len());
    if let (Ok(payload), Ok(padding)) = (header.payload(packet), header.padding_len(packet)) {
        assert_eq!(
            header.payload_offset + payload.len() + padding,
            packet.len()
        );
    }
    let extensions: Vec<(u8, &[u8])> = header.extensions(packet).collect();
    assert!(
        extensions
            .iter()
            .all(|(id, value)| *id != 0 && value.len() < 256)
    );
    if let Some(&(id, value)) = extensions.first() {
        assert_eq!(header.extensions(packet).find(id), Some(value));
    }

    let len = header_len(&extensions);
    let mut written = vec![0xAA; len];
    match write_header(&mut written, &header.fields(), &extensions) {
        Ok(written_len) => assert_eq!(written_len, len),
        // Padding is cheaper than elements, so what was read can always be written in as much room as it came in:
        // only the two-byte form that a longer block forces may exceed what its length can tell.
        Err(_) => {
            assert!(len > 4 * usize::from(u16::MAX));
            return;
        }
    }
    let again = Header::parse(&written).expect("our own header");
    assert_eq!(again.fields(), header.fields());
    assert!(again.extensions(&written).eq(extensions));
    for short in [len - 1, 12.min(len - 1), 0] {
        assert!(
            write_header(&mut written[..short], &header.fields(), &[(1, &[1])]).is_err()
                || short >= 20
        );
    }
}
