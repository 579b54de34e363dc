//! Bits per second, of the last whole second.

use super::time::Micros;

const WINDOW: Micros = 1_000_000;

#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    began: Micros,
    bytes: u64,
    rate: u64,
}

impl Meter {
    pub fn add(&mut self, now: Micros, bytes: usize) {
        let elapsed = now - self.began;
        if elapsed >= WINDOW {
            self.rate = self.bytes * 8 * WINDOW as u64 / elapsed as u64;
            self.began = now;
            self.bytes = 0;
        }
        self.bytes += bytes as u64;
    }

    /// Nothing for a second is zero.
    pub fn bits_per_second(&self, now: Micros) -> u64 {
        if now - self.began >= 2 * WINDOW {
            return 0;
        }
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_and_its_end_noticed() {
        let mut meter = Meter::default();
        for step in 0..300 {
            meter.add(step * 10_000, 1250);
        }
        assert_eq!(meter.bits_per_second(3_000_000), 1_000_000);
        assert_eq!(meter.bits_per_second(5_000_000), 0);
    }
}
