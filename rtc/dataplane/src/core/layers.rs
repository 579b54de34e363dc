//! Which encoding of a track a sink is to get.

/// What is known of one encoding. A track's encodings come lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Layer {
    /// Packets come, and the receiver knows the codec.
    pub usable: bool,
    pub height: Option<u16>,
    pub frames_per_second: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub height: Option<u16>,
    pub frames_per_second: Option<u16>,
}

/// Where payloads are encrypted and nothing is told, the highest encoding is taken to have this height and each one below
/// half of the next.
const USUAL_HEIGHT: u16 = 720;

/// The highest usable encoding within the limits; if none is, the lowest usable one.
pub fn choose(layers: &[Layer], limits: Limits) -> Option<usize> {
    let usable = || (0..layers.len()).filter(|index| layers[*index].usable);
    usable()
        .rfind(|index| is_within(layers, *index, limits))
        .or_else(|| usable().next())
}

fn is_within(layers: &[Layer], index: usize, limits: Limits) -> bool {
    let height = layers[index].height.unwrap_or_else(|| guess(layers, index));
    limits.height.is_none_or(|most| height <= most)
        && limits.frames_per_second.is_none_or(|most| {
            // A limit that no encoding meets says nothing about which to take.
            layers[index].is_slow_enough(most)
                || !layers.iter().any(|other| other.is_slow_enough(most))
        })
}

impl Layer {
    /// A camera that is asked for 30 frames gives 30.3 at times.
    fn is_slow_enough(&self, most: u16) -> bool {
        let fits = |fps| fps <= f64::from(most) * 1.1;
        self.usable && self.frames_per_second.is_some_and(fits)
    }
}

/// From the next known height above or below, else from the usual one.
fn guess(layers: &[Layer], index: usize) -> u16 {
    let below = (0..index)
        .rev()
        .find_map(|at| Some((layers[at].height?, index - at)));
    let above = (index..layers.len()).find_map(|at| Some((layers[at].height?, at - index)));
    match (below, above) {
        (_, Some((height, steps))) => height >> steps.min(15),
        (Some((height, steps)), None) => {
            u16::try_from(u32::from(height) << steps.min(15)).unwrap_or(u16::MAX)
        }
        (None, None) => USUAL_HEIGHT >> (layers.len() - 1 - index).min(15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(height: u16) -> Layer {
        Layer {
            usable: true,
            height: Some(height),
            frames_per_second: Some(30.0),
        }
    }

    fn unknown() -> Layer {
        Layer {
            usable: true,
            ..Layer::default()
        }
    }

    fn within(height: u16) -> Limits {
        Limits {
            height: Some(height),
            ..Limits::default()
        }
    }

    #[test]
    fn the_highest_within_the_limits_is_taken() {
        let layers = [layer(180), layer(360), layer(720)];
        assert_eq!(choose(&layers, Limits::default()), Some(2));
        assert_eq!(choose(&layers, within(719)), Some(1));
        assert_eq!(choose(&layers, within(100)), Some(0), "better than nothing");
    }

    #[test]
    fn a_dead_layer_is_replaced_by_a_living_one() {
        let mut layers = [layer(180), layer(360), layer(720)];
        layers[2].usable = false;
        assert_eq!(choose(&layers, Limits::default()), Some(1));
        layers[1].usable = false;
        assert_eq!(choose(&layers, Limits::default()), Some(0));
        layers[0].usable = false;
        assert_eq!(choose(&layers, Limits::default()), None);
    }

    #[test]
    fn with_the_lower_ones_dead_a_limit_is_exceeded_rather_than_nothing_shown() {
        let mut layers = [layer(180), layer(360), layer(720)];
        layers[0].usable = false;
        layers[1].usable = false;
        assert_eq!(choose(&layers, within(180)), Some(2));
    }

    #[test]
    fn unknown_heights_follow_from_the_order() {
        assert_eq!(
            choose(&[unknown(), unknown(), unknown()], within(360)),
            Some(1)
        );
        assert_eq!(
            choose(&[layer(270), unknown(), unknown()], within(600)),
            Some(1)
        );
        assert_eq!(
            choose(&[unknown(), unknown(), layer(1080)], within(300)),
            Some(0)
        );
    }

    #[test]
    fn frame_rates_count_only_where_some_encoding_is_slow_enough() {
        let slow = Layer {
            frames_per_second: Some(7.5),
            ..layer(360)
        };
        let limits = Limits {
            height: None,
            frames_per_second: Some(10),
        };
        assert_eq!(choose(&[layer(180), slow, layer(720)], limits), Some(1));
        assert_eq!(choose(&[layer(180), layer(360)], limits), Some(1));
    }
}
