use proptest::prelude::*;

use super::dependency_descriptor::{self as dd, DescriptorError, Indication};
use super::*;

const SIZE: Size = Size {
    width: 640,
    height: 360,
};
/// A frame header of a key picture, 640 x 360.
const VP8_KEY: [u8; 10] = [0x50, 0x0e, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];

fn look(codec: Codec, payload: &[u8]) -> FrameInfo {
    inspect(codec, payload, false, None)
}

#[test]
fn vp8_tells_keyframes_layers_and_picture_ids() {
    let mut payload = vec![0x90, 0xe0, 0x81, 0x02, 0x07, 0x60];
    payload.extend(VP8_KEY);
    let info = look(Codec::Vp8, &payload);
    assert!(info.keyframe && info.start);
    assert_eq!(info.size, Some(SIZE));
    assert_eq!(
        (info.picture_id, info.tl0_picture_index),
        (Some(0x102), Some(7))
    );
    assert_eq!(info.temporal, 1);
    payload[6] |= 1; // an inter frame
    let info = look(Codec::Vp8, &payload);
    assert!(!info.keyframe && info.start);
    payload[0] = 0x80; // not the first packet of the picture
    assert!(!look(Codec::Vp8, &payload).start);
}

#[test]
fn vp8_without_extension_has_neither_id_nor_layer() {
    let mut payload = vec![0x10];
    payload.extend(VP8_KEY);
    let info = look(Codec::Vp8, &payload);
    assert!(info.keyframe);
    assert_eq!(
        (info.picture_id, info.tl0_picture_index, info.temporal),
        (None, None, 0)
    );
}

#[test]
fn vp8_ids_are_rewritten_within_their_width() {
    let mut long = [0x90, 0xc0, 0xff, 0xff, 0xff, 1];
    vp8::rewrite(&mut long, 2, 3);
    assert_eq!(long, [0x90, 0xc0, 0x80, 0x01, 0x02, 1]);
    let mut short = [0x90, 0xc0, 0x7f, 0x10, 1];
    vp8::rewrite(&mut short, 1, 255);
    assert_eq!(short, [0x90, 0xc0, 0x00, 0x0f, 1]);
    let mut without = [0x10, 0xc0, 0x7f];
    vp8::rewrite(&mut without, 1, 1);
    assert_eq!(without, [0x10, 0xc0, 0x7f]);
    let mut cut = [0x90, 0xc0, 0x80];
    vp8::rewrite(&mut cut, 1, 1);
    assert_eq!(cut, [0x90, 0xc0, 0x80]);
}

#[test]
fn vp9_keyframes_are_not_predicted_and_begin_in_the_lowest_layer() {
    // Picture id 15 bits, layers, begin, structure with one size.
    let key = [0xaa, 0x81, 0x02, 0x00, 0x09, 0x10, 0x02, 0x80, 0x01, 0x68];
    let info = look(Codec::Vp9, &key);
    assert!(info.keyframe && info.start);
    assert_eq!(info.picture_id, Some(0x102));
    assert_eq!(info.tl0_picture_index, Some(9));
    assert_eq!(info.size, Some(SIZE));
    let predicted = [0xe8, 0x81, 0x03, 0x20, 0x09];
    let info = look(Codec::Vp9, &predicted);
    assert!(!info.keyframe && info.start);
    assert_eq!(info.temporal, 1);
    let upper_layer = [0xa8, 0x81, 0x02, 0x03, 0x09];
    let info = look(Codec::Vp9, &upper_layer);
    assert!(!info.keyframe && !info.start);
    assert_eq!(info.spatial, 1);
}

#[test]
fn vp9_flexible_mode_lists_what_it_refers_to() {
    let payload = [0xfc, 0x05, 0x02, 0x03, 0x05, 0x02];
    let descriptor = vp9::parse(&payload).expect("three references, the last without more");
    assert!(descriptor.start && descriptor.end);
    assert_eq!(descriptor.spatial, 1);
    assert_eq!(descriptor.tl0_picture_index, None);
    assert_eq!(vp9::parse(&[0xdc, 0x05, 0x03, 0x05, 0x07, 0x02]), None);
}

/// SPS of a constrained baseline stream of 1280 x 720 (level 3.1).
const SPS_720: [u8; 13] = [
    0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x68, 0x05, 0x00, 0x5b, 0xa1, 0x00, 0x00, 0x03,
];

#[test]
fn h264_keyframes_begin_with_parameters_or_an_idr_slice() {
    let sps = look(Codec::H264, &SPS_720);
    assert!(sps.keyframe && sps.start);
    let size = Size {
        width: 1280,
        height: 720,
    };
    assert_eq!(sps.size, Some(size));
    assert!(look(Codec::H264, &[0x65, 0xb8, 0]).keyframe);
    assert!(!look(Codec::H264, &[0x65, 0x38, 0]).keyframe); // a later slice of the picture
    let slice = look(Codec::H264, &[0x41, 0x9a, 0]);
    assert!(!slice.keyframe && slice.start);
}

/// Of a camera's or a file's stream as encoders write it: high profile, cropped by eight lines, emulation prevention.
const SPS_1080: [u8; 30] = [
    0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x5a, 0x80, 0x80, 0x80,
    0xa0, 0x00, 0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x07, 0x81, 0xe3, 0x06, 0x32, 0xc0,
];

#[test]
fn h264_sizes_are_cropped_scaled_lists_skipped_and_fields_doubled() {
    let size = |payload: &[u8]| look(Codec::H264, payload).size;
    let full_hd = Size {
        width: 1920,
        height: 1080,
    };
    assert_eq!(size(&SPS_1080), Some(full_hd));

    let mut bits = Writer::default();
    bits.put(0x67, 8).put(100, 8).put(0, 8).put(40, 8);
    bits.golomb(0).golomb(1).golomb(0).golomb(0).put(0, 1); // 4:2:0, eight bits
    bits.put(1, 1); // scaling lists: the first repeats its only value (8 - 8), the others are not there
    bits.put(1, 1).golomb(16).put(0, 7);
    bits.golomb(0).golomb(2).golomb(0).put(0, 1); // picture order of type 2 has no fields
    bits.golomb(119).golomb(33); // 120 times 34 macroblocks of a field
    bits.put(0, 1).put(0, 1).put(1, 1);
    bits.put(1, 1).golomb(0).golomb(0).golomb(0).golomb(2); // two lines of a field, twice for the chroma
    assert_eq!(size(&bits.bytes()), Some(full_hd));
}

#[test]
fn h264_is_seen_through_aggregates_and_fragments() {
    let mut aggregate = vec![0x78, 0, SPS_720.len() as u8];
    aggregate.extend(SPS_720);
    aggregate.extend([0, 2, 0x68, 0xce]);
    let info = look(Codec::H264, &aggregate);
    assert!(info.keyframe && info.start);
    assert_eq!(info.size.map(|size| size.height), Some(720));
    assert!(look(Codec::H264, &[0x7c, 0x85, 0xb8]).keyframe);
    assert!(!look(Codec::H264, &[0x7c, 0x05, 0xb8]).keyframe); // not the first fragment
    assert!(!look(Codec::H264, &[0x7c, 0x81, 0x9a]).keyframe);
    assert!(!look(Codec::H264, &[0x78, 0xff, 0xff, 0x67]).keyframe); // lies about its length
}

#[test]
fn av1_begins_with_a_sequence_header() {
    let mut bits = Writer::default();
    bits.put(0, 3).put(0, 1).put(0, 1).put(0, 1).put(0, 1); // no timing, no display delay
    bits.put(0, 5).put(0, 12).put(8, 5).put(0, 1);
    bits.put(9, 4).put(8, 4).put(639, 10).put(359, 9);
    let sequence = bits.bytes();
    let mut payload = vec![0x18, sequence.len() as u8 + 1, 0x08]; // W = 1 would need no length; here W = 0
    payload[0] = 0x08;
    payload.extend(&sequence);
    payload.extend([2, 0x30, 0]);
    let info = look(Codec::Av1, &payload);
    assert!(info.keyframe);
    assert_eq!(info.size, Some(SIZE));
    let mut counted = vec![0x18, 0x08];
    counted.extend(&sequence);
    assert_eq!(look(Codec::Av1, &counted).size, Some(SIZE));
    assert!(!look(Codec::Av1, &[0x10, 0x30, 0]).keyframe);
}

/// Two spatial and two temporal layers, three targets, one chain.
fn structure() -> Vec<u8> {
    let mut bits = Writer::default();
    bits.put(1, 1).put(1, 1).put(62, 6).put(1000, 16);
    bits.put(0b10000, 5);
    bits.put(62, 6).put(2, 5); // offset 62: ids wrap; three targets
    bits.put(1, 2).put(2, 2).put(1, 2).put(3, 2); // S0T0 S0T1 S1T0 S1T1
    for indications in [[2, 2, 2], [0, 1, 1], [0, 0, 3], [0, 0, 1]] {
        for indication in indications {
            bits.put(indication, 2);
        }
    }
    bits.put(0, 1);
    bits.put(1, 1).put(1, 4).put(0, 1);
    bits.put(1, 1).put(0, 4).put(0, 1);
    bits.put(0, 1);
    bits.put(0b01, 2); // ns(4): one chain
    // ns(1) takes no bits
    for _ in 0..4 {
        bits.put(1, 4);
    }
    bits.put(1, 1);
    bits.put(319, 16).put(179, 16).put(639, 16).put(359, 16);
    bits.bytes()
}

#[test]
fn a_dependency_structure_comes_with_a_keyframe_and_explains_what_follows() {
    let first = dd::parse(&structure(), None).expect("a structure");
    let kept = first.structure.as_deref().expect("attached");
    assert!(first.start && first.end);
    assert_eq!(
        (first.frame_number, first.spatial, first.temporal),
        (1000, 0, 0)
    );
    assert_eq!(first.active_targets, Some(0b111));
    assert_eq!(kept.targets(), 3);
    assert_eq!(kept.sizes.len(), 2);
    assert_eq!(kept.layers_of(0), Some((0, 0)));
    assert_eq!(kept.layers_of(1), Some((0, 1)));
    assert_eq!(kept.layers_of(2), Some((1, 1)));
    assert_eq!(first.indication(2), Indication::Switch);

    let info = inspect(Codec::Av1, &[], false, Some(&first));
    assert!(info.keyframe);
    assert_eq!(info.size, Some(SIZE));

    let mut bits = Writer::default();
    bits.put(1, 1).put(0, 1).put(1, 6).put(1001, 16); // template 62 + 3
    let upper = dd::parse(&bits.bytes(), Some(kept)).expect("three bytes are enough");
    assert_eq!((upper.spatial, upper.temporal), (1, 1));
    assert_eq!(upper.indication(2), Indication::Discardable);
    assert_eq!(upper.indication(1), Indication::NotPresent);
    let info = inspect(Codec::Av1, &[], false, Some(&upper));
    assert!(!info.keyframe && !info.start); // a higher layer goes on with the picture
}

#[test]
fn custom_indications_win_over_the_template() {
    let first = dd::parse(&structure(), None).expect("a structure");
    let mut bits = Writer::default();
    bits.put(1, 1).put(1, 1).put(62, 6).put(1002, 16);
    bits.put(0b00110, 5);
    bits.put(1, 2).put(2, 2).put(3, 2);
    bits.put(1, 2).put(5, 4).put(2, 2).put(200, 8).put(0, 2);
    let custom = dd::parse(&bits.bytes(), first.structure.as_deref()).expect("custom fields");
    let read: Vec<_> = (0..3).map(|target| custom.indication(target)).collect();
    assert_eq!(
        read,
        [
            Indication::Discardable,
            Indication::Switch,
            Indication::Required
        ]
    );
}

#[test]
fn a_descriptor_without_its_structure_is_refused() {
    assert_eq!(
        dd::parse(&[0x80, 0, 1], None),
        Err(DescriptorError::UnknownTemplate)
    );
    let first = dd::parse(&structure(), None).expect("a structure");
    let unknown = [0x80 | 40, 0, 1];
    let answer = dd::parse(&unknown, first.structure.as_deref());
    assert_eq!(answer, Err(DescriptorError::UnknownTemplate));
    let whole = structure();
    for len in 0..whole.len() {
        assert!(dd::parse(&whole[..len], None).is_err());
    }
}

#[test]
fn templates_without_end_are_refused() {
    let mut bits = Writer::default();
    bits.put(3, 2)
        .put(0, 6)
        .put(0, 16)
        .put(0b10000, 5)
        .put(0, 6)
        .put(0, 5);
    for _ in 0..200 {
        bits.put(0, 2);
    }
    assert_eq!(
        dd::parse(&bits.bytes(), None),
        Err(DescriptorError::OutOfBounds)
    );
}

proptest! {
    #[test]
    fn nothing_that_arrives_makes_inspection_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus, Codec::Other] {
            look(codec, &bytes);
        }
        let known = dd::parse(&structure(), None).expect("a structure");
        let _ = dd::parse(&bytes, known.structure.as_deref());
        let mut rewritten = bytes.clone();
        vp8::rewrite(&mut rewritten, 7, 9);
        prop_assert_eq!(vp8::parse(&rewritten).map(|d| d.len), vp8::parse(&bytes).map(|d| d.len));
    }

    #[test]
    fn a_rewritten_vp8_payload_reads_as_shifted(
        id in 0u16..0x8000, tl0: u8, picture_shift: u16, tl0_shift: u8,
    ) {
        let mut payload = vec![0x90, 0xc0, 0x80 | (id >> 8) as u8, id as u8, tl0, 1];
        vp8::rewrite(&mut payload, picture_shift, tl0_shift);
        let read = vp8::parse(&payload).expect("still whole");
        prop_assert_eq!(read.picture_id, Some(id.wrapping_add(picture_shift) & 0x7fff));
        prop_assert_eq!(read.tl0_picture_index, Some(tl0.wrapping_add(tl0_shift)));
    }
}

/// Writes bits, most significant first.
#[derive(Default)]
struct Writer {
    bits: Vec<bool>,
}

impl Writer {
    fn put(&mut self, value: u32, count: u32) -> &mut Self {
        self.bits
            .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn golomb(&mut self, value: u32) -> &mut Self {
        let width = (value + 1).ilog2();
        self.put(value + 1, 2 * width + 1)
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            bits.iter()
                .enumerate()
                .fold(0, |byte, (at, &bit)| byte | u8::from(bit) << (7 - at))
        };
        self.bits.chunks(8).map(byte).collect()
    }
}
