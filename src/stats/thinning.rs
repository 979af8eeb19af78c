//! Thins out the pipeline's own points in an outage, to leave room for the program's measurements.
//! Pure.

/// Decides which samples of the pipeline's own figures are recorded.
#[derive(Debug, Default)]
pub(crate) struct Thinning {
    /// Ticks to skip before the next sample.
    left: u32,
}

/// Number of overdue samples without a pause between them.
const WITHOUT_A_PAUSE: usize = 12;

/// Maximum number of overdue samples.
const MAX_SAMPLES: usize = 64;

/// Maximum pause, in doublings of the interval.
const MAX_DOUBLINGS: usize = 10;

/// At most one in this many buffered measurements is the pipeline's own.
const SHARE: usize = 100;

/// The buffer's load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Measurements of one sample.
    pub(crate) lines: usize,
    /// Samples that are not settled yet.
    pub(crate) unsettled: usize,
    /// Samples that may be unsettled in normal operation: those of one interval.
    pub(crate) usual: usize,
    /// Pending measurements, and their limit.
    pub(crate) pending: (usize, usize),
    /// Pending bytes, and their limit.
    pub(crate) bytes: (usize, usize),
}

impl Thinning {
    /// Whether a sample is due at this tick of the interval.
    pub(crate) fn is_due(&mut self, load: Load) -> bool {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return false;
        }
        let Load {
            lines,
            unsettled,
            usual,
            pending: (pending, limit),
            bytes: (bytes, byte_limit),
        } = load;
        let is_small = (unsettled + 1).saturating_mul(lines) <= limit / SHARE;
        let is_half_empty = pending.saturating_add(lines) <= limit / 2 && bytes <= byte_limit / 2;
        let overdue = unsettled.saturating_sub(usual);
        if overdue >= MAX_SAMPLES || !(is_small || unsettled == 0) || !is_half_empty {
            return false;
        }
        let doublings = (overdue + 1).saturating_sub(WITHOUT_A_PAUSE);
        self.left = (1 << doublings.min(MAX_DOUBLINGS)) - 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(unsettled: usize) -> Load {
        Load {
            lines: 2,
            unsettled,
            usual: 0,
            pending: (1_000, 500_000),
            bytes: (1_000, 128 << 20),
        }
    }

    #[test]
    fn while_all_goes_well_each_tick_has_its_sample() {
        let mut thinning = Thinning::default();
        for unsettled in [0, 1, 0, 2, 11, 0, 3] {
            assert!(thinning.is_due(load(unsettled)));
        }
    }

    #[test]
    fn samples_that_wait_for_their_batch_are_no_outage() {
        let mut thinning = Thinning::default();
        for unsettled in 0..=112 {
            let usual = 100;
            assert!(thinning.is_due(Load {
                usual,
                ..load(unsettled)
            }));
        }
        assert!(!thinning.is_due(Load {
            usual: 0,
            ..load(112)
        }));
    }

    #[test]
    fn in_an_outage_samples_become_rarer_and_end_at_a_number() {
        let mut thinning = Thinning::default();
        let mut at = Vec::new();
        for tick in 0..100_000_u32 {
            if thinning.is_due(load(at.len())) {
                at.push(tick);
            }
        }
        assert_eq!(at.len(), MAX_SAMPLES);
        let first: Vec<_> = (0..=WITHOUT_A_PAUSE as u32).collect();
        assert_eq!(at[..first.len()], first);
        let pauses: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses[12..17], [2, 4, 8, 16, 32]);
        assert_eq!(pauses.iter().max(), Some(&1_024));
        // And when it is over each tick has its sample again, after one pause at most.
        let pause = (0..).take_while(|_| !thinning.is_due(load(0))).count();
        assert!(pause <= 1_024);
        assert!(thinning.is_due(load(0)) && thinning.is_due(load(0)));
    }

    #[test]
    fn a_buffer_that_fills_is_left_to_the_program() {
        let due = |load: Load| Thinning::default().is_due(load);
        assert!(due(load(3)));
        for (load, is_due) in [
            (
                Load {
                    pending: (250_000, 500_000),
                    ..load(0)
                },
                false,
            ),
            (
                Load {
                    pending: (249_998, 500_000),
                    ..load(0)
                },
                true,
            ),
            (
                Load {
                    bytes: (65 << 20, 128 << 20),
                    ..load(0)
                },
                false,
            ),
            // At most a hundredth.
            (
                Load {
                    pending: (0, 800),
                    ..load(3)
                },
                true,
            ),
            (
                Load {
                    pending: (0, 800),
                    ..load(4)
                },
                false,
            ),
            // But for a single one, if the buffer is that small.
            (
                Load {
                    pending: (0, 10),
                    ..load(0)
                },
                true,
            ),
            (
                Load {
                    pending: (0, 10),
                    ..load(1)
                },
                false,
            ),
            (
                Load {
                    pending: (0, 3),
                    ..load(0)
                },
                false,
            ),
        ] {
            assert_eq!(due(load), is_due, "{load:?}");
        }
    }
}
