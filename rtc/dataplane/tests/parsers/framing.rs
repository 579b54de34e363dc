//! Any byte stream in pieces of any size: the frames are those that the stream holds, however it was cut.

use _dataplane::wire::framing::{PREFIX, Reassembler, write_frame};

pub fn check(input: &[u8]) {
    let Some((&count, rest)) = input.split_first() else {
        return;
    };
    let (cuts, stream) = rest.split_at(usize::from(count).min(rest.len()));
    let mut whole = Reassembler::new();
    whole.push(stream);
    let expected = drain(&mut whole);

    let mut reassembler = Reassembler::new();
    let mut received = Vec::new();
    let mut rest = stream;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let cut = cuts.next().map_or(7, |cut| usize::from(*cut) + 1);
        let (piece, later) = rest.split_at(cut.min(rest.len()));
        reassembler.push(piece);
        received.extend(drain(&mut reassembler));
        assert!(reassembler.pending() < PREFIX + usize::from(u16::MAX));
        rest = later;
    }
    assert_eq!(received, expected);
    assert_eq!(reassembler.pending(), whole.pending());

    let mut again = Vec::new();
    for frame in &expected {
        write_frame(&mut again, frame).expect("it came in a frame");
    }
    assert_eq!(again, stream[..stream.len() - whole.pending()]);
}

fn drain(reassembler: &mut Reassembler) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| reassembler.next_frame().map(|frame| frame.to_vec())).collect()
}
