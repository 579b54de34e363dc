//! Any payload as each codec's, with VP8's ids rewritten in place.

use _dataplane::codec::{Codec, h264, inspect, vp8, vp9};

const CODECS: [Codec; 6] = [
    Codec::Vp8,
    Codec::Vp9,
    Codec::H264,
    Codec::Av1,
    Codec::Opus,
    Codec::Other,
];

pub fn check(input: &[u8]) {
    let Some(([low, high, tl0_shift], payload)) = input.split_first_chunk() else {
        return;
    };
    let picture_shift = u16::from_le_bytes([*low, *high]);
    for codec in CODECS {
        let info = inspect(codec, payload, false, None);
        assert!(inspect(codec, payload, true, None).end);
        assert!(info.temporal < 8 && info.spatial < 8);
        assert!(info.picture_id.is_none_or(|id| id < 1 << 15));
    }
    let _ = h264::sps_size(payload);
    let _ = vp9::parse(payload);
    rewrite(payload, picture_shift, *tl0_shift);
}

fn rewrite(payload: &[u8], picture_shift: u16, tl0_shift: u8) {
    let mut changed = payload.to_vec();
    vp8::rewrite(&mut changed, picture_shift, tl0_shift);
    let (before, after) = (vp8::parse(payload), vp8::parse(&changed));
    assert_eq!(before.is_some(), after.is_some());
    let (Some(before), Some(after)) = (before, after) else {
        return;
    };
    assert_eq!(before.len, after.len);
    assert_eq!(payload[before.len..], changed[after.len..]);
    let shifted = before
        .tl0_picture_index
        .map(|tl0| tl0.wrapping_add(tl0_shift));
    assert_eq!(after.tl0_picture_index, shifted);
    vp8::rewrite(
        &mut changed,
        picture_shift.wrapping_neg(),
        tl0_shift.wrapping_neg(),
    );
    assert_eq!(changed, payload);
}
