//! Medians, and ratios of rounds.

/// The middle value, or the mean of the two middle ones; `None` of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// Ours ÷ peer of every round that has both. The two sides of one round ran next to each other, so what slowed both
/// cancels out; the ratio of two medians would not have that.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ratio {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Ratio {
    pub fn of(pairs: impl IntoIterator<Item = (Option<f64>, Option<f64>)>) -> Option<Ratio> {
        let ratios: Vec<f64> = pairs
            .into_iter()
            .filter_map(|pair| match pair {
                (Some(ours), Some(peer)) if peer > 0.0 => Some(ours / peer),
                _ => None,
            })
            .filter(|ratio| ratio.is_finite())
            .collect();
        Some(Ratio {
            median: median(ratios.iter().copied())?,
            least: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            most: ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_middle_ones() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0]), Some(3.0));
        assert_eq!(median([9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median([1.0, 10.0, 2.0, 4.0]), Some(3.0));
        assert_eq!(median([1.0, f64::NAN, 2.0, 3.0]), Some(2.0));
    }

    #[test]
    fn a_ratio_is_taken_within_each_round_so_a_slow_round_does_not_move_it() {
        let ratio =
            Ratio::of([(Some(2.0), Some(1.0)), (Some(0.2), Some(0.1)), (Some(3.0), Some(1.0))]).unwrap();
        assert_eq!((ratio.median, ratio.least, ratio.most), (2.0, 2.0, 3.0));
    }

    #[test]
    fn rounds_without_a_peer_give_no_ratio() {
        assert_eq!(Ratio::of([(Some(2.0), None), (None, Some(1.0)), (Some(1.0), Some(0.0))]), None);
    }
}
