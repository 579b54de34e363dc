use super::*;

const FRAME: Duration = Duration::from_millis(20);

struct Stage {
    now: Instant,
    speakers: Speakers,
    people: Vec<(SourceId, Loudness)>,
    told: Vec<Vec<SpeakerLevel>>,
}

impl Stage {
    fn new(people: u32, count: usize) -> Self {
        let now = Instant::now();
        let config = SpeakerConfig {
            count,
            ..SpeakerConfig::default()
        };
        Self {
            now,
            speakers: Speakers::new(config),
            people: (0..people)
                .map(|id| (SourceId(id), Loudness::new(now)))
                .collect(),
            told: Vec::new(),
        }
    }

    /// Everybody's level for some time; `None` sends nothing.
    fn play(&mut self, ms: u64, levels: &[Option<u8>]) {
        let end = self.now + Duration::from_millis(ms);
        while self.now < end {
            self.now += FRAME;
            for ((_, loudness), level) in self.people.iter_mut().zip(levels) {
                if let Some(level) = level {
                    loudness.hear(self.now, *level);
                }
            }
            if self.speakers.deadline(self.now) <= self.now {
                let people = self.people.iter_mut().map(|(id, loudness)| (*id, loudness));
                self.told.extend(self.speakers.rank(self.now, people));
            }
        }
    }

    fn last(&self) -> Vec<u32> {
        let last = self.told.last().map(Vec::as_slice).unwrap_or_default();
        last.iter().map(|speaker| speaker.source.0).collect()
    }
}

#[test]
fn the_loudest_come_first_and_the_silent_not_at_all() {
    let mut stage = Stage::new(3, 8);
    stage.play(500, &[Some(40), Some(20), Some(90)]);
    assert_eq!(stage.last(), [1, 0]);
}

#[test]
fn nobody_is_cut_off_by_a_slightly_louder_one() {
    let mut stage = Stage::new(2, 1);
    stage.play(500, &[Some(30), Some(127)]);
    assert_eq!(stage.last(), [0]);
    stage.play(500, &[Some(30), Some(27)]);
    assert_eq!(stage.last(), [0]);
    stage.play(500, &[Some(30), Some(15)]);
    assert_eq!(stage.last(), [1]);
}

#[test]
fn a_pause_between_words_is_still_speech() {
    let mut stage = Stage::new(1, 8);
    stage.play(500, &[Some(25)]);
    let told = stage.told.len();
    stage.play(200, &[Some(80)]);
    assert_eq!(stage.last(), [0]);
    stage.play(2000, &[Some(100)]);
    assert_eq!(stage.last(), [] as [u32; 0]);
    assert!(stage.told.len() > told);
}

#[test]
fn whoever_sends_no_more_packets_falls_silent() {
    let mut stage = Stage::new(1, 8);
    stage.play(500, &[Some(25)]);
    stage.play(3000, &[None]);
    assert_eq!(stage.last(), [] as [u32; 0]);
}

#[test]
fn a_steady_voice_is_told_once_and_a_lively_room_ten_times_a_second() {
    let mut stage = Stage::new(2, 8);
    stage.play(5000, &[Some(25), Some(127)]);
    assert!(stage.told.len() <= 4, "{}", stage.told.len());
    let mut lively = Stage::new(2, 8);
    for _ in 0..10 {
        lively.play(60, &[Some(10), Some(60)]);
        lively.play(40, &[Some(60), Some(10)]);
    }
    assert!(lively.told.len() <= 10, "{}", lively.told.len());
}
