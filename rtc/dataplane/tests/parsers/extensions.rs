//! Any bytes as extension elements of any profile, and as the value of each extension that is read.

use _dataplane::wire::extensions::{
    Extensions, LayersAllocation, abs_send_time, audio_level, name, transport_sequence,
};

pub fn check(input: &[u8]) {
    let Some((profile, elements)) = input.split_first_chunk() else {
        return;
    };
    let profile = u16::from_le_bytes(*profile);
    for profile in [profile, 0xBEDE, 0x1000] {
        let extensions = Extensions::new(profile, elements);
        let total: usize = extensions.map(|(_, value)| 1 + value.len()).sum();
        assert!(total <= elements.len());
        for (id, value) in extensions {
            assert!(id != 0);
            read(value);
        }
        // What passes the check is read to its end or to where the RFC says to stop.
        let _ = extensions.check();
    }
    read(elements);
}

fn read(value: &[u8]) {
    if let Some(level) = audio_level(value) {
        assert_eq!(level.to_byte(), value[0]);
    }
    assert!(abs_send_time(value).is_none_or(|time| time < 1 << 24));
    let _ = transport_sequence(value);
    assert!(name(value).is_none_or(|name| (1..=16).contains(&name.len())));
    if let Some(allocation) = LayersAllocation::parse(value) {
        assert!(allocation.streams <= 4 && allocation.layers().len() <= 16);
        for layer in allocation.layers() {
            assert!(layer.stream < allocation.streams && layer.spatial < 4);
            assert!((1..=4).contains(&layer.temporal_layers));
            assert!(allocation.is_active(layer.stream));
            let _ = allocation.size_of(layer.stream);
        }
    }
}
