use super::*;
use crate::core::{Codec, Kind, Payload};

fn config(mid: &str, rid: Option<&str>, ssrc: Option<u32>, pt: u8) -> SourceConfig {
    SourceConfig {
        kind: Kind::Video,
        mid: mid.into(),
        rid: rid.map(str::to_owned),
        ssrc,
        rtx_ssrc: ssrc.map(|ssrc| ssrc + 1),
        payloads: vec![Payload {
            pt,
            codec: Codec::Vp8,
            codec_key: 1,
            clock_rate: 90_000,
            rtx_pt: Some(pt + 1),
            nack: true,
            pli: true,
            transport_cc: true,
        }],
        participant: 1,
    }
}

fn role(configs: &[SourceConfig], bound: &[usize], ssrc: u32, pt: u8, told: Told<'_>) -> Role {
    let candidates = configs.iter().enumerate().map(|(index, config)| Candidate {
        id: SourceId(index as u32),
        config,
        bound: bound.contains(&index),
    });
    find_role(candidates, ssrc, pt, &told)
}

#[test]
fn a_signalled_ssrc_needs_no_names() {
    let configs = [
        config("0", None, Some(10), 96),
        config("1", None, Some(20), 96),
    ];
    assert_eq!(
        role(&configs, &[], 20, 96, Told::default()),
        Role::Media(SourceId(1))
    );
    assert_eq!(
        role(&configs, &[], 21, 97, Told::default()),
        Role::Repair(SourceId(1))
    );
}

#[test]
fn simulcast_layers_are_told_apart_by_rid_and_their_repairs_by_repaired_rid() {
    let configs = [
        config("0", Some("q"), None, 96),
        config("0", Some("f"), None, 96),
    ];
    let told = Told {
        mid: Some("0"),
        rid: Some("f"),
        ..Told::default()
    };
    assert_eq!(role(&configs, &[], 5, 96, told), Role::Media(SourceId(1)));
    let told = Told {
        mid: Some("0"),
        repaired_rid: Some("q"),
        ..Told::default()
    };
    assert_eq!(role(&configs, &[], 6, 97, told), Role::Repair(SourceId(0)));
    assert_eq!(role(&configs, &[], 7, 96, Told::default()), Role::Unknown);
}

#[test]
fn a_mid_without_rid_is_the_sections_only_source_and_may_change_its_ssrc() {
    let configs = [config("0", None, None, 96), config("1", None, None, 96)];
    let told = Told {
        mid: Some("1"),
        ..Told::default()
    };
    assert_eq!(role(&configs, &[1], 5, 96, told), Role::Media(SourceId(1)));
    assert_eq!(role(&configs, &[1], 6, 97, told), Role::Repair(SourceId(1)));
}

#[test]
fn without_names_the_payload_type_decides_where_only_one_source_has_it() {
    let configs = [config("0", None, None, 96), config("1", None, None, 100)];
    let nothing = Told::default();
    assert_eq!(
        role(&configs, &[], 5, 100, nothing),
        Role::Media(SourceId(1))
    );
    assert_eq!(role(&configs, &[0, 1], 5, 100, nothing), Role::Unknown);
    assert_eq!(
        role(&configs, &[0, 1], 6, 101, nothing),
        Role::Repair(SourceId(1))
    );
    assert_eq!(role(&configs, &[], 5, 111, nothing), Role::Unknown);
}

#[test]
fn a_peer_with_endless_ssrcs_is_not_remembered_without_end() {
    let mut streams = Streams::default();
    let mut known = Stream::new(1);
    known.role = Role::Media(SourceId(1));
    streams.add(known);
    for ssrc in 100..1000 {
        streams.add(Stream::new(ssrc));
    }
    assert_eq!(streams.streams.len(), MAX_STREAMS);
    assert_eq!(streams.role(1), Role::Media(SourceId(1)));
}
