//! How rare the pipeline's own points become in an outage, so that they leave room for what the program
//! records. Pure.

/// Which samples of the pipeline's own figures are recorded.
#[derive(Debug, Default)]
pub(crate) struct Thinning {
    /// Ticks of the interval that are passed over before the next sample.
    left: u32,
}

/// So many samples more than wait for their batch are followed by another one without a pause.
const WITHOUT_A_PAUSE: usize = 12;

/// With so many samples more than that there are no others.
const MAX_SAMPLES: usize = 64;

/// The longest pause, in doublings of the interval.
const MAX_DOUBLINGS: usize = 10;

/// At most one in so many measurements of the buffer is the pipeline's own.
const SHARE: usize = 100;

/// What there is room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Measurements of one sample.
    pub(crate) lines: usize,
    /// Samples that are not settled yet.
    pub(crate) unsettled: usize,
    /// Samples that may be unsettled while all goes well: those of an interval at which batches are sent.
    pub(crate) usual: usize,
    /// Measurements that are pending, and their limit.
    pub(crate) pending: (usize, usize),
    /// Bytes that are pending, and their limit.
    pub(crate) bytes: (usize, usize),
}

impl Thinning {
    /// Whether a sample is due at this tick of the interval.
    pub(crate) fn is_due(&mut self, room: Room) -> bool {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return false;
        }
        let Room {
            lines,
            unsettled,
            usual,
            pending: (pending, limit),
            bytes: (bytes, byte_limit),
        } = room;
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

    fn room(unsettled: usize) -> Room {
        Room {
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
            assert!(thinning.is_due(room(unsettled)));
        }
    }

    #[test]
    fn samples_that_wait_for_their_batch_are_no_outage() {
        let mut thinning = Thinning::default();
        for unsettled in 0..=112 {
            let usual = 100;
            assert!(thinning.is_due(Room {
                usual,
                ..room(unsettled)
            }));
        }
        assert!(!thinning.is_due(Room {
            usual: 0,
            ..room(112)
        }));
    }

    #[test]
    fn in_an_outage_samples_become_rarer_and_end_at_a_number() {
        let mut thinning = Thinning::default();
        let mut at = Vec::new();
        for tick in 0..100_000_u32 {
            if thinning.is_due(room(at.len())) {
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
        let pause = (0..).take_while(|_| !thinning.is_due(room(0))).count();
        assert!(pause <= 1_024);
        assert!(thinning.is_due(room(0)) && thinning.is_due(room(0)));
    }

    #[test]
    fn a_buffer_that_fills_is_left_to_the_program() {
        let due = |room: Room| Thinning::default().is_due(room);
        assert!(due(room(3)));
        for (room, is_due) in [
            (
                Room {
                    pending: (250_000, 500_000),
                    ..room(0)
                },
                false,
            ),
            (
                Room {
                    pending: (249_998, 500_000),
                    ..room(0)
                },
                true,
            ),
            (
                Room {
                    bytes: (65 << 20, 128 << 20),
                    ..room(0)
                },
                false,
            ),
            // At most a hundredth.
            (
                Room {
                    pending: (0, 800),
                    ..room(3)
                },
                true,
            ),
            (
                Room {
                    pending: (0, 800),
                    ..room(4)
                },
                false,
            ),
            // But for a single one, if the buffer is that small.
            (
                Room {
                    pending: (0, 10),
                    ..room(0)
                },
                true,
            ),
            (
                Room {
                    pending: (0, 10),
                    ..room(1)
                },
                false,
            ),
            (
                Room {
                    pending: (0, 3),
                    ..room(0)
                },
                false,
            ),
        ] {
            assert_eq!(due(room), is_due, "{room:?}");
        }
    }
}
