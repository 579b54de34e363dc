//! The programs are told what to do by lines of words on standard input.

use std::io::BufRead;
use std::str::FromStr;

/// The words of one line, taken one after the other.
pub struct Words(std::vec::IntoIter<String>);

impl Words {
    /// The next line of standard input; `None` at its end.
    pub fn read() -> Option<Self> {
        let mut line = String::new();
        let length = std::io::stdin()
            .lock()
            .read_line(&mut line)
            .expect("standard input");
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        (length > 0).then(|| Self(words.into_iter()))
    }

    pub fn next<T: FromStr>(&mut self) -> T {
        let word = self.0.next().expect("another word");
        word.parse()
            .unwrap_or_else(|_| panic!("{word:?} is of the wrong kind"))
    }

    pub fn hex(&mut self) -> Vec<u8> {
        let word: String = self.next();
        (0..word.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&word[at..at + 2], 16).expect("hexadecimal digits"))
            .collect()
    }
}
