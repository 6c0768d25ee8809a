//! Latencies in buckets of at most 1/64 relative width, whatever their size.

const BITS: u32 = 6;
const STEPS: usize = 1 << BITS;
const BUCKETS: usize = (64 - BITS as usize + 1) * STEPS;

/// Counts of values (nanoseconds here).
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
}

impl Histogram {
    pub fn new() -> Histogram {
        Histogram { counts: vec![0; BUCKETS].into_boxed_slice(), total: 0 }
    }

    #[inline]
    pub fn record(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.total += 1;
    }

    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    /// The least value that `share` (0 to 1) of all values do not exceed, up to the bucket's width; `None` of nothing.
    pub fn percentile(&self, share: f64) -> Option<u64> {
        if self.total == 0 {
            return None;
        }
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(highest(at));
            }
        }
        None
    }
}

/// Values below [`STEPS`] have their own bucket; above, each power of two is cut into [`STEPS`].
fn bucket(value: u64) -> usize {
    if value < STEPS as u64 {
        return value as usize;
    }
    let shift = 63 - value.leading_zeros() - BITS;
    (shift as usize + 1) * STEPS + (value >> shift) as usize - STEPS
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let shift = (bucket / STEPS - 1) as u32;
    let lowest = ((bucket % STEPS + STEPS) as u64) << shift;
    lowest + ((1u64 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_a_bucket_no_wider_than_a_sixty_fourth_of_it() {
        let mut value = 1u64;
        while value < u64::MAX / 3 {
            for v in [value - 1, value, value + 1, value + value / 3] {
                let top = highest(bucket(v));
                assert!(top >= v && top - v <= v / 64, "{v} in a bucket up to {top}");
            }
            value *= 2;
        }
        assert_eq!(highest(bucket(u64::MAX)), u64::MAX);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_of_one_to_a_thousand_are_within_a_bucket() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|v| histogram.record(v));
        for (share, exact) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0), (0.0, 1.0)] {
            let got = histogram.percentile(share).unwrap() as f64;
            assert!(got >= exact && got <= exact * (1.0 + 1.0 / 64.0), "{share}: {got} for {exact}");
        }
        histogram.clear();
        assert_eq!(histogram.percentile(0.5), None);
    }
}
