//! Packs the files of a directory into one, as frames of RFC 4571: the cases of `tests/parsers`.

use std::path::PathBuf;
use std::{env, fs, io};

use _dataplane::wire::framing::write_frame;

fn main() -> io::Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(directory), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("usage: pack DIRECTORY FILE"));
    };
    let entries = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut cases = entries
        .map(|path| fs::read(path?))
        .collect::<io::Result<Vec<_>>>()?;
    cases.sort_unstable_by_key(|case| (case.len(), case.clone()));
    let mut packed = Vec::new();
    for case in &cases {
        write_frame(&mut packed, case).map_err(io::Error::other)?;
    }
    println!("{} cases, {} bytes", cases.len(), packed.len());
    fs::write(file, packed)
}
