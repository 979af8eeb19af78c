//! The unit of a request's timestamps.

use super::scan::Refusal;

/// InfluxDB's largest timestamp in nanoseconds, and the negative of its smallest; values beyond are
/// reserved.
const LIMIT: i64 = i64::MAX - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    /// v3: inferred from the timestamp's size.
    Auto,
}

impl Precision {
    /// 1.x. Seen on 1.6.7: `us` is unknown, and an unknown unit means nanoseconds.
    pub(super) fn of_v1(word: Option<&str>) -> Self {
        match word {
            Some("u") => Self::Microseconds,
            Some("ms") => Self::Milliseconds,
            Some("s") => Self::Seconds,
            Some("m") => Self::Minutes,
            Some("h") => Self::Hours,
            _ => Self::Nanoseconds,
        }
    }

    pub(super) fn of_v2(word: Option<&str>) -> Option<Self> {
        Some(match word {
            None | Some("ns") => Self::Nanoseconds,
            Some("us") => Self::Microseconds,
            Some("ms") => Self::Milliseconds,
            Some("s") => Self::Seconds,
            Some(_) => return None,
        })
    }

    pub(super) fn of_v3(word: Option<&str>) -> Option<Self> {
        Some(match word {
            None | Some("auto") => Self::Auto,
            Some("nanosecond") => Self::Nanoseconds,
            Some("microsecond") => Self::Microseconds,
            Some("millisecond") => Self::Milliseconds,
            Some("second") => Self::Seconds,
            Some(_) => return None,
        })
    }

    pub(super) fn nanoseconds(self, raw: i64) -> Result<i64, Refusal> {
        let factor = match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Hours => 3_600_000_000_000,
            Self::Auto => match raw.unsigned_abs() {
                0..5_000_000_000 => 1_000_000_000,
                5_000_000_000..5_000_000_000_000 => 1_000_000,
                5_000_000_000_000..5_000_000_000_000_000 => 1_000,
                _ => 1,
            },
        };
        raw.checked_mul(factor)
            .filter(|nanoseconds| (-LIMIT..=LIMIT).contains(nanoseconds))
            .ok_or_else(|| format!("time outside range -{LIMIT} - {LIMIT}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Written to 1.6.7 as `5` and queried back.
    #[test]
    fn the_words_of_1_6_7_mean_what_they_mean_there() {
        let stored = [
            None,
            Some("n"),
            Some("ns"),
            Some("us"),
            Some("nope"),
            Some(""),
        ]
        .map(|word| Precision::of_v1(word).nanoseconds(5).unwrap());
        assert_eq!(stored, [5; 6]);
        let stored = ["u", "ms", "s", "m", "h"]
            .map(|word| Precision::of_v1(Some(word)).nanoseconds(5).unwrap());
        assert_eq!(
            stored,
            [
                5_000,
                5_000_000,
                5_000_000_000,
                300_000_000_000,
                18_000_000_000_000
            ]
        );
    }

    #[test]
    fn v2_and_v3_have_their_own_words() {
        assert_eq!(Precision::of_v2(Some("us")), Some(Precision::Microseconds));
        assert_eq!(Precision::of_v2(Some("u")), None);
        assert_eq!(
            Precision::of_v3(Some("millisecond")),
            Some(Precision::Milliseconds)
        );
        assert_eq!(Precision::of_v3(Some("ms")), None);
    }

    #[test]
    fn v3_tells_the_unit_by_the_size_when_none_is_named() {
        let stamps = [
            1_700_000_000,
            1_700_000_000_000,
            1_700_000_000_000_000,
            1_700_000_000_000_000_000,
        ];
        for stamp in stamps {
            let auto = Precision::of_v3(None).unwrap();
            assert_eq!(auto.nanoseconds(stamp), Ok(1_700_000_000_000_000_000));
        }
    }

    #[test]
    fn timestamps_at_the_ends_of_the_range_are_refused() {
        let outside = "time outside range -9223372036854775806 - 9223372036854775806";
        let nanoseconds = |raw| Precision::Nanoseconds.nanoseconds(raw);
        assert_eq!(nanoseconds(LIMIT), Ok(LIMIT));
        assert_eq!(nanoseconds(-LIMIT), Ok(-LIMIT));
        for raw in [i64::MAX, i64::MIN, i64::MIN + 1] {
            assert_eq!(nanoseconds(raw).unwrap_err(), outside);
        }
        assert_eq!(Precision::Seconds.nanoseconds(LIMIT).unwrap_err(), outside);
    }
}
