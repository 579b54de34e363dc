//! A row of dependency descriptors, each with the structure that the ones before it left.

use _dataplane::codec::dependency_descriptor::parse;
use _dataplane::codec::{Codec, inspect};

pub fn check(input: &[u8]) {
    let mut structure = None;
    let mut rest = input;
    // One byte of length in front of each, as in the two-byte form of the extension.
    while let Some((&len, body)) = rest.split_first() {
        let (descriptor, later) = body.split_at(usize::from(len).min(body.len()));
        rest = later;
        let Ok(mut found) = parse(descriptor, structure.as_deref()) else {
            continue;
        };
        let info = inspect(Codec::Av1, &[], false, Some(&found));
        assert!(info.temporal < 8 && info.spatial < 4);
        assert!(!info.keyframe || info.start);
        for target in 0..32 {
            let _ = found.indication(target);
        }
        if let Some(attached) = found.structure.take() {
            assert!((1..=32).contains(&attached.targets()));
            for target in 0..attached.targets() {
                let _ = attached.layers_of(target);
            }
            structure = Some(attached);
        }
    }
}
