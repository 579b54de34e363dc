use proptest::prelude::*;

use super::layers::Layer;
use super::*;

fn one_byte(elements: &[u8]) -> Vec<(u8, &[u8])> {
    Extensions::new(ONE_BYTE_PROFILE, elements).collect()
}

#[test]
fn padding_between_one_byte_elements_is_skipped() {
    assert_eq!(
        one_byte(&[0x10, 1, 0, 0, 0x21, 2, 3, 0]),
        [(1, &[1][..]), (2, &[2, 3][..])]
    );
}

#[test]
fn id_fifteen_and_id_zero_with_a_length_end_the_block() {
    assert_eq!(one_byte(&[0x10, 1, 0xF0, 9, 0x20, 2]), [(1, &[1][..])]);
    assert_eq!(one_byte(&[0x10, 1, 0x03, 9, 0x20, 2]), [(1, &[1][..])]);
    assert_eq!(
        Extensions::new(ONE_BYTE_PROFILE, &[0xFF, 9]).check(),
        Ok(())
    );
}

#[test]
fn two_byte_elements_may_be_empty_and_carry_any_application_bits() {
    let elements = [1, 0, 0, 200, 2, 8, 9];
    for profile in [0x1000, 0x100F] {
        let found: Vec<_> = Extensions::new(profile, &elements).collect();
        assert_eq!(found, [(1, &[][..]), (200, &[8, 9][..])]);
    }
}

#[test]
fn a_foreign_profile_has_no_elements() {
    assert_eq!(Extensions::new(0x1234, &[0x1F; 4]).check(), Ok(()));
    assert_eq!(Extensions::new(0x1234, &[0x10; 4]).count(), 0);
}

#[test]
fn cut_off_elements_are_an_error_to_check_and_an_end_to_iterate() {
    for (profile, elements) in [
        (0xBEDE, &[0x12, 1, 2][..]),
        (0x1000, &[1][..]),
        (0x1000, &[1, 2, 3][..]),
    ] {
        let extensions = Extensions::new(profile, elements);
        assert_eq!(extensions.check(), Err(ExtensionError::Truncated));
        assert_eq!(extensions.count(), 0);
    }
}

#[test]
fn the_first_element_of_an_id_is_found() {
    let extensions = Extensions::new(ONE_BYTE_PROFILE, &[0x10, 1, 0x20, 2, 0x10, 3]);
    assert_eq!(extensions.find(1), Some(&[1][..]));
    assert_eq!(extensions.find(2), Some(&[2][..]));
    assert_eq!(extensions.find(3), None);
}

#[test]
fn typed_values_are_read() {
    let level = AudioLevel {
        level_dbov: 42,
        voice: true,
    };
    assert_eq!(audio_level(&[level.to_byte()]), Some(level));
    assert_eq!(audio_level(&[]), None);
    assert_eq!(abs_send_time(&[1, 2, 3]), Some(0x01_0203));
    assert_eq!(abs_send_time(&[1, 2]), None);
    assert_eq!(transport_sequence(&[1, 2]), Some(0x0102));
    assert_eq!(transport_sequence(&[1, 2, 0x80, 1]), Some(0x0102));
    assert_eq!(transport_sequence(&[1]), None);
}

#[test]
fn names_are_short_visible_ascii() {
    assert_eq!(name(b"audio0"), Some("audio0"));
    assert_eq!(name(b"0123456789abcdef"), Some("0123456789abcdef"));
    for bad in [
        &b""[..],
        b"0123456789abcdefg",
        b"a b",
        b"a\0",
        "é".as_bytes(),
    ] {
        assert_eq!(name(bad), None, "{bad:?}");
    }
}

#[test]
fn three_simulcast_streams_with_sizes() {
    let mut value = vec![0b1010_0001, 0b1010_1000];
    value.extend([0x64, 0xC8, 0x01, 0xF4, 0x03]);
    value.extend([0xF4, 0x03, 0xE8, 0x07, 0xC4, 0x13]);
    value.extend([0xC4, 0x13, 0xA8, 0x46, 0x90, 0x4E]);
    for (width, height) in [(319u16, 179u16), (639, 359), (1279, 719)] {
        value.extend(width.to_be_bytes());
        value.extend(height.to_be_bytes());
        value.push(30);
    }
    let allocation = LayersAllocation::parse(&value).unwrap();
    assert_eq!((allocation.stream, allocation.streams), (2, 3));
    let expected = |stream, bitrate_kbps, size| Layer {
        stream,
        spatial: 0,
        temporal_layers: 3,
        bitrate_kbps,
        size: Some(size),
        fps: Some(30),
    };
    assert_eq!(
        allocation.layers(),
        [
            expected(0, 500, (320, 180)),
            expected(1, 2500, (640, 360)),
            expected(2, 10_000, (1280, 720))
        ]
    );
    assert_eq!(allocation.size_of(1), Some((640, 360)));
}

#[test]
fn streams_with_masks_of_their_own_and_no_sizes() {
    let value = [
        0b0010_0000,
        0b0001_0000,
        0b0011_0000,
        0b0000_0000,
        10,
        20,
        30,
    ];
    let allocation = LayersAllocation::parse(&value).unwrap();
    let active: Vec<_> = allocation
        .layers()
        .iter()
        .map(|layer| (layer.stream, layer.spatial))
        .collect();
    assert_eq!(active, [(0, 0), (2, 0), (2, 1)]);
    assert!(allocation.is_active(0) && !allocation.is_active(1) && allocation.is_active(2));
    assert_eq!(allocation.size_of(0), None);
}

#[test]
fn a_single_zero_byte_means_that_nothing_is_sent() {
    let allocation = LayersAllocation::parse(&[0]).unwrap();
    assert_eq!(allocation.streams, 0);
    assert!(allocation.layers().is_empty());
}

#[test]
fn cut_off_or_oversized_allocations_are_refused() {
    let value = [0b0000_0001, 0, 10, 0, 99, 0, 49, 30];
    assert!(LayersAllocation::parse(&value).is_some());
    for len in [0, 1, 2, 4, 5, 6, 7] {
        assert_eq!(LayersAllocation::parse(&value[..len]), None, "{len}");
    }
    let endless = [0b0000_0001, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0];
    assert_eq!(LayersAllocation::parse(&endless), None);
}

proptest! {
    #[test]
    fn random_values_never_panic(profile: u16, bytes: Vec<u8>) {
        Extensions::new(profile, &bytes).for_each(drop);
        let _ = LayersAllocation::parse(&bytes);
        let _ = (audio_level(&bytes), abs_send_time(&bytes), transport_sequence(&bytes), name(&bytes));
    }
}
