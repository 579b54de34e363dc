use proptest::prelude::*;

use super::*;

fn packets(bytes: &[u8]) -> Vec<Packet<'_>> {
    let compound = Compound::parse(bytes).expect("a whole compound");
    compound
        .map(|packet| packet.expect("well formed"))
        .collect()
}

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 7,
    fraction_lost: 12,
    cumulative_lost: -3,
    highest_sequence: 0x1_0005,
    jitter: 90,
    last_report: 0xdead_beef,
    delay: 65_536,
};

#[test]
fn reports_read_as_they_were_written() {
    let info = SenderInfo {
        ssrc: 1,
        ntp: 0x0102_0304_0506_0708,
        timestamp: 9,
        packets: 10,
        octets: 11,
    };
    let mut bytes = Vec::new();
    write_sender_report(&mut bytes, &info, &[BLOCK]);
    write_cname(&mut bytes, 1, "hubbub");
    write_receiver_report(&mut bytes, 2, &[BLOCK, BLOCK]);
    write_goodbye(&mut bytes, 5);
    let read = packets(&bytes);
    let [
        Packet::SenderReport(sender, first),
        Packet::SourceDescription,
        Packet::ReceiverReport { sender: 2, blocks },
        Packet::Goodbye(left),
    ] = &read[..]
    else {
        panic!("{read:?}");
    };
    assert_eq!(*sender, info);
    assert_eq!(first.clone().collect::<Vec<_>>(), [BLOCK]);
    assert_eq!(blocks.clone().count(), 2);
    assert_eq!(left.clone().collect::<Vec<_>>(), [5]);
}

#[test]
fn a_nack_names_the_base_and_the_bits_behind_it() {
    // RFC 4585 section 6.2.1: PID 0x1234, the first and the last bit of the mask.
    let bytes = [
        0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0x12, 0x34, 0x80, 0x01,
    ];
    let read = packets(&bytes);
    let [
        Packet::Nack {
            media: 2,
            sequences,
        },
    ] = &read[..]
    else {
        panic!("{read:?}");
    };
    let read: Vec<_> = sequences.clone().collect();
    assert_eq!(read, [0x1234, 0x1235, 0x1244]);
}

#[test]
fn keyframe_requests_are_told_apart() {
    let mut bytes = Vec::new();
    write_picture_loss(&mut bytes, 1, 2);
    write_full_intra_request(&mut bytes, 1, 3, 4);
    let read = packets(&bytes);
    let [
        Packet::PictureLoss { media: 2 },
        Packet::FullIntraRequest(streams),
    ] = &read[..]
    else {
        panic!("{read:?}");
    };
    assert_eq!(streams.clone().collect::<Vec<_>>(), [(3, 4)]);
}

#[test]
fn a_remb_is_a_bound_and_other_application_feedback_is_not() {
    let mut bytes = Vec::new();
    write_remb(&mut bytes, 1, 1_500_000, &[7, 8]);
    let read = packets(&bytes);
    let [Packet::Remb(bound)] = &read[..] else {
        panic!("{read:?}");
    };
    assert_eq!(bound.bitrate, 1_500_000 >> 3 << 3);
    assert_eq!(bound.clone().collect::<Vec<_>>(), [7, 8]);
    bytes[12] = b'X';
    assert!(matches!(packets(&bytes)[..], [Packet::Unknown]));
}

fn arrivals(bytes: &[u8]) -> Vec<(u16, Option<i64>)> {
    let read = packets(bytes);
    let [Packet::TransportCc(feedback)] = &read[..] else {
        panic!("{read:?}");
    };
    let mut told = Vec::new();
    feedback.for_each(|sequence, arrival| told.push((sequence, arrival)));
    told
}

#[test]
fn transport_feedback_reads_the_three_kinds_of_chunk() {
    let mut bytes = vec![0x8f, 205, 0, 8];
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0, 12, 0, 0, 2, 9]);
    bytes.extend([0x20, 0x03]); // run: three with small deltas
    bytes.extend([0xe8, 0x80]); // two bits: large, large, 0, large, 0 …
    bytes.extend([0xa0, 0x00]); // one bit: received, and its end is cut by the count
    bytes.extend([1, 2, 3, 0xff, 0xff, 0, 4, 1, 0, 9]);
    bytes[3] = (bytes.len() / 4 - 1) as u8;
    let told = arrivals(&bytes);
    assert_eq!(told.len(), 12);
    assert_eq!(told[0], (0xffff, Some(128_000 + 250)));
    assert_eq!(told[2], (1, Some(128_000 + 6 * 250)));
    assert_eq!(told[3], (2, Some(128_000 + 5 * 250)));
    assert_eq!(told[5], (4, None));
}

#[test]
fn feedback_that_tells_of_absurdly_many_packets_is_refused() {
    let mut bytes = vec![0x8f, 205, 0, 5];
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0x20, 0x00, 0, 0, 2, 9]);
    bytes.extend([0x1f, 0xff, 0x00, 0x01]); // 8,192 in two runs
    assert_eq!(arrivals(&bytes).len(), 8192);
    bytes[15] = 1;
    let first = Compound::parse(&bytes).expect("lengths hold").next();
    assert_eq!(first.and_then(Result::err), Some(RtcpError::Malformed(205)));
    bytes[14..16].copy_from_slice(&[0, 1]);
    bytes[20..22].copy_from_slice(&[0, 0]); // a run of nothing
    let first = Compound::parse(&bytes).expect("lengths hold").next();
    assert_eq!(first.and_then(Result::err), Some(RtcpError::Malformed(205)));
}

#[test]
fn deltas_beyond_eight_seconds_begin_another_message() {
    let mut bytes = Vec::new();
    let list = [Some(0), Some(1_000), Some(20_000_000)];
    let written = write_transport_feedback(&mut bytes, (1, 2), 0, 10, &list);
    assert_eq!(written, Written { statuses: 2 });
    assert_eq!(arrivals(&bytes), [(10, Some(0)), (11, Some(1_000))]);
    let written = write_transport_feedback(&mut bytes, (1, 2), 0, 10, &[None, None]);
    assert_eq!(written, Written { statuses: 0 });
}

#[test]
fn compounds_that_lie_about_their_length_are_refused_whole() {
    let mut bytes = Vec::new();
    write_receiver_report(&mut bytes, 2, &[BLOCK]);
    for len in 0..bytes.len() {
        assert_eq!(
            Compound::parse(&bytes[..len]).err(),
            Some(RtcpError::Truncated)
        );
    }
    let mut longer = bytes.clone();
    longer[3] += 1;
    assert_eq!(Compound::parse(&longer).err(), Some(RtcpError::Truncated));
    let mut counts_more = bytes.clone();
    counts_more[0] += 1;
    let first = Compound::parse(&counts_more).expect("lengths hold").next();
    assert_eq!(first.and_then(Result::err), Some(RtcpError::Malformed(201)));
    let mut other_version = bytes.clone();
    other_version[0] = 0x41;
    assert_eq!(
        Compound::parse(&other_version).err(),
        Some(RtcpError::Version)
    );
}

#[test]
fn padding_is_taken_off_the_last_packet_and_allowed_nowhere_else() {
    let mut bytes = Vec::new();
    write_goodbye(&mut bytes, 5);
    bytes[0] |= PADDING;
    bytes[3] += 1;
    bytes.extend([0, 0, 0, 4]);
    let read = packets(&bytes);
    let [Packet::Goodbye(left)] = &read[..] else {
        panic!("{read:?}");
    };
    assert_eq!(left.clone().count(), 1);
    let mut early = bytes.clone();
    write_goodbye(&mut early, 6);
    assert_eq!(Compound::parse(&early).err(), Some(RtcpError::Padding));
    for wrong in [0, 3, 255] {
        *bytes.last_mut().expect("bytes") = wrong;
        assert_eq!(Compound::parse(&bytes).err(), Some(RtcpError::Padding));
    }
}

fn exhaust(bytes: &[u8]) {
    let Ok(compound) = Compound::parse(bytes) else {
        return;
    };
    for packet in compound.flatten() {
        match packet {
            Packet::SenderReport(_, blocks) | Packet::ReceiverReport { blocks, .. } => {
                blocks.for_each(drop);
            }
            Packet::Nack { sequences, .. } => sequences.for_each(drop),
            Packet::FullIntraRequest(streams) => streams.for_each(drop),
            Packet::Goodbye(left) => left.for_each(drop),
            Packet::Remb(bound) => bound.for_each(drop),
            Packet::TransportCc(feedback) => feedback.for_each(|_, _| ()),
            Packet::PictureLoss { .. } | Packet::SourceDescription | Packet::Unknown => {}
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_arrives_makes_reading_panic(
        count in 0u8..32, kind in 200u8..208, body in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut bytes = Vec::new();
        write_packet(&mut bytes, count, kind, |out| out.extend(&body));
        exhaust(&bytes);
        exhaust(&body);
    }

    #[test]
    fn nacks_read_as_they_were_written(start: u16, offsets in prop::collection::btree_set(0u16..600, 1..60)) {
        let sequences: Vec<u16> = offsets.iter().map(|offset| start.wrapping_add(*offset)).collect();
        let mut bytes = Vec::new();
        write_nacks(&mut bytes, 1, 2, &sequences);
        let read = packets(&bytes);
        let [Packet::Nack { media: 2, sequences: told }] = &read[..] else { panic!("{read:?}") };
        prop_assert_eq!(told.clone().collect::<Vec<_>>(), sequences);
    }

    #[test]
    fn arrivals_read_as_they_were_written(
        base: u16,
        start in 0i64..1 << 40,
        steps in prop::collection::vec(prop::option::weighted(0.8, -2_000i64..200_000), 1..700),
    ) {
        let mut clock = start;
        let list: Vec<Option<i64>> = steps.iter().map(|step| step.map(|step| { clock += step; clock })).collect();
        let mut bytes = Vec::new();
        let written = write_transport_feedback(&mut bytes, (1, 2), 3, base, &list);
        if list.iter().flatten().next().is_none() {
            prop_assert_eq!(written.statuses, 0);
            return Ok(());
        }
        prop_assert_eq!(written.statuses, list.len().min(MAX_STATUSES));
        // The reference wraps after 12 days.
        let wrap = |micros: i64| micros.rem_euclid((1 << 24) * 64_000);
        for ((sequence, told), (index, wanted)) in arrivals(&bytes).iter().zip(list.iter().enumerate()) {
            prop_assert_eq!(*sequence, base.wrapping_add(index as u16));
            prop_assert_eq!(told.is_some(), wanted.is_some());
            if let (Some(told), Some(wanted)) = (told, wanted) {
                let off = wrap(wanted - told);
                prop_assert!(off < 250, "off by {} µs", off);
            }
        }
    }
}
