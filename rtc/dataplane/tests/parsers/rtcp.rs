//! Any bytes as an RTCP compound: read every packet to its end, and write again what can be written.

use std::collections::BTreeSet;

use _dataplane::wire::rtcp::{
    Compound, Packet, TransportFeedback, write_nacks, write_receiver_report, write_remb,
    write_sender_report, write_transport_feedback,
};

pub fn check(bytes: &[u8]) {
    let Ok(compound) = Compound::parse(bytes) else {
        return;
    };
    for packet in compound.flatten() {
        read(packet, bytes.len());
    }
}

fn read(packet: Packet<'_>, bound: usize) {
    let mut out = Vec::new();
    match packet {
        Packet::SenderReport(info, blocks) => {
            let blocks: Vec<_> = blocks.collect();
            write_sender_report(&mut out, &info, &blocks);
            let Packet::SenderReport(again, others) = only(&out) else {
                panic!("another type");
            };
            assert_eq!((again, others.collect::<Vec<_>>()), (info, blocks));
        }
        Packet::ReceiverReport { sender, blocks } => {
            let blocks: Vec<_> = blocks.collect();
            write_receiver_report(&mut out, sender, &blocks);
            let Packet::ReceiverReport { blocks: others, .. } = only(&out) else {
                panic!("another type");
            };
            assert_eq!(others.collect::<Vec<_>>(), blocks);
        }
        Packet::Nack { media, sequences } => {
            let sequences: Vec<_> = sequences.collect();
            assert!(!sequences.is_empty() && sequences.len() <= bound * 17 / 4);
            write_nacks(&mut out, 1, media, &sequences);
            // A mask has no order and no repetitions, and the items may be more than a packet's length can tell.
            if sequences.len() < 16_000 {
                let Packet::Nack {
                    sequences: others, ..
                } = only(&out)
                else {
                    panic!("another type");
                };
                let told: BTreeSet<_> = others.collect();
                assert_eq!(told, BTreeSet::from_iter(sequences));
            }
        }
        Packet::FullIntraRequest(requests) => assert!(requests.count() <= bound / 8),
        Packet::Goodbye(left) => assert!(left.count() <= 31),
        Packet::Remb(bound) => {
            let (bitrate, ssrcs) = (bound.bitrate, bound.collect::<Vec<_>>());
            write_remb(&mut out, 1, bitrate, &ssrcs);
            let Packet::Remb(again) = only(&out) else {
                panic!("another type");
            };
            assert!(again.bitrate <= bitrate && bitrate - again.bitrate <= bitrate >> 17);
            assert!(again.eq(ssrcs));
        }
        Packet::TransportCc(feedback) => read_feedback(&feedback),
        Packet::PictureLoss { .. } | Packet::SourceDescription | Packet::Unknown => {}
    }
}

fn read_feedback(feedback: &TransportFeedback<'_>) {
    let mut arrivals = Vec::new();
    feedback.for_each(|_, arrival| arrivals.push(arrival));
    assert_eq!(arrivals.len(), usize::from(feedback.status_count));
    let mut out = Vec::new();
    let written = write_transport_feedback(&mut out, (1, 2), 3, feedback.base_sequence, &arrivals);
    assert!(written.statuses <= arrivals.len());
    if written.statuses == 0 {
        assert!(out.is_empty());
        return;
    }
    let Packet::TransportCc(again) = only(&out) else {
        panic!("another type");
    };
    assert_eq!(usize::from(again.status_count), written.statuses);
    let mut others = Vec::new();
    again.for_each(|_, arrival| others.push(arrival));
    for (one, other) in arrivals.iter().zip(&others) {
        assert_eq!(one.is_some(), other.is_some());
    }
}

fn only(bytes: &[u8]) -> Packet<'_> {
    let mut compound = Compound::parse(bytes).expect("our own packet");
    compound.next().expect("one").expect("well formed")
}
