//! What fuzzing found worth keeping, as ordinary tests.
//!
//! Each module is also the body of the fuzz target of its name; `cases/` has the targets' corpora, reduced to what
//! reaches something of its own, as frames of RFC 4571 in one file each (`fuzz/README.md` says how they are made).

mod codec;
mod dependency_descriptor;
mod extensions;
mod framing;
mod rtcp;
mod rtp;
mod srtp;
mod stun;

use _dataplane::wire::framing::Reassembler;

fn each(cases: &[u8], check: fn(&[u8])) {
    let mut stream = Reassembler::new();
    stream.push(cases);
    let mut count = 0;
    while let Some(case) = stream.next_frame() {
        check(case);
        count += 1;
    }
    assert!(
        count > 0 && stream.pending() == 0,
        "the file of cases is damaged"
    );
}

macro_rules! every_case {
    ($($name:ident: $parser:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            each(include_bytes!(concat!("../cases/", stringify!($parser), ".bin")), $parser::check);
        })*
    };
}

every_case! {
    stun_messages_are_read_and_answered: stun,
    rtp_headers_are_read_and_written_again: rtp,
    extension_elements_and_values_are_read: extensions,
    compounds_are_read_and_written_again: rtcp,
    descriptors_are_read_one_after_the_other: dependency_descriptor,
    payloads_are_looked_at_and_rewritten: codec,
    streams_are_cut_into_the_same_frames: framing,
    packets_are_opened_only_with_the_key: srtp,
}
