//! Who speaks loudest in a room (levels of RFC 6464).

use std::time::{Duration, Instant};

use super::{SourceId, SpeakerConfig, SpeakerLevel};

#[cfg(test)]
mod tests;

/// 127 is silence (RFC 6464 section 3).
const SILENCE: f32 = 127.0;
/// A loud syllable counts at once, a pause between words hardly: time constants of the smoothed level.
const ATTACK: Duration = Duration::from_millis(60);
const DECAY: Duration = Duration::from_millis(600);
/// Decibels below overload: louder than this begins to speak, quieter than the other has ended.
const BEGIN: f32 = 50.0;
const END: f32 = 60.0;
/// Who is told stays told against those that are not louder by this much.
const HEAD_START: f32 = 6.0;
/// A change of level that is worth an event.
const NOTABLE: f32 = 3.0;
/// Without packets (DTX, mute) somebody is silent after this.
const SILENT_AFTER: Duration = Duration::from_millis(300);

/// One source's level, smoothed.
#[derive(Clone, Copy, Debug)]
pub struct Loudness {
    /// Decibels below overload.
    level: f32,
    heard: Instant,
    speaking: bool,
}

impl Loudness {
    pub fn new(now: Instant) -> Self {
        Self {
            level: SILENCE,
            heard: now,
            speaking: false,
        }
    }

    pub fn hear(&mut self, now: Instant, level_dbov: u8) {
        let since = now.saturating_duration_since(self.heard);
        self.heard = now;
        self.approach(f32::from(level_dbov), since.max(Duration::from_millis(10)));
    }

    /// Time passes without packets.
    fn fade(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.heard);
        if since >= SILENT_AFTER {
            self.heard = now;
            self.approach(SILENCE, since);
        }
    }

    fn approach(&mut self, level: f32, since: Duration) {
        let constant = if level < self.level { ATTACK } else { DECAY };
        let share = 1.0 - (-since.as_secs_f32() / constant.as_secs_f32()).exp();
        self.level += (level - self.level) * share;
        self.speaking = self.level < if self.speaking { END } else { BEGIN };
    }

    pub fn is_speaking(&self) -> bool {
        self.speaking
    }

    pub fn level_dbov(&self) -> u8 {
        self.level.round().clamp(0.0, SILENCE) as u8
    }
}

/// A room's ranking.
#[derive(Debug)]
pub struct Speakers {
    config: SpeakerConfig,
    told: Vec<SpeakerLevel>,
    /// When the next event may go out.
    next: Option<Instant>,
    ranking: Vec<(f32, SpeakerLevel)>,
}

impl Speakers {
    pub fn new(config: SpeakerConfig) -> Self {
        Self {
            config,
            told: Vec::new(),
            next: None,
            ranking: Vec::new(),
        }
    }

    /// When to rank again.
    pub fn deadline(&self, now: Instant) -> Instant {
        self.next.unwrap_or(now)
    }

    /// Nobody was told to be speaking.
    pub fn is_quiet(&self) -> bool {
        self.told.is_empty()
    }

    /// Ranks the room; answers what is to be told, if that is news. At most one answer per interval.
    pub fn rank<'a>(
        &mut self,
        now: Instant,
        sources: impl Iterator<Item = (SourceId, &'a mut Loudness)>,
    ) -> Option<Vec<SpeakerLevel>> {
        self.next = Some(now + self.config.interval);
        let mut ranking = std::mem::take(&mut self.ranking);
        ranking.clear();
        ranking.extend(sources.filter_map(|(source, loudness)| self.weigh(now, source, loudness)));
        ranking.sort_by(|one, other| one.0.total_cmp(&other.0));
        ranking.truncate(self.config.count);
        ranking.sort_by_key(|(_, speaker)| (speaker.level_dbov, speaker.source));
        let is_news = self.is_news(&ranking);
        if is_news {
            self.told = ranking.iter().map(|(_, speaker)| *speaker).collect();
        }
        self.ranking = ranking;
        is_news.then(|| self.told.clone())
    }

    fn weigh(
        &self,
        now: Instant,
        source: SourceId,
        loudness: &mut Loudness,
    ) -> Option<(f32, SpeakerLevel)> {
        loudness.fade(now);
        let is_told = self.told.iter().any(|speaker| speaker.source == source);
        let weight = loudness.level - if is_told { HEAD_START } else { 0.0 };
        let speaker = SpeakerLevel {
            source,
            level_dbov: loudness.level_dbov(),
            speaking: loudness.speaking,
        };
        loudness.speaking.then_some((weight, speaker))
    }

    fn is_news(&self, ranking: &[(f32, SpeakerLevel)]) -> bool {
        let notable = |told: &SpeakerLevel, level: &SpeakerLevel| {
            told.source != level.source
                || f32::from(told.level_dbov.abs_diff(level.level_dbov)) >= NOTABLE
        };
        ranking.len() != self.told.len()
            || (self.told.iter().zip(ranking)).any(|(told, (_, level))| notable(told, level))
    }
}
