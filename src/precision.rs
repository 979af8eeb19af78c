#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum Precision {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
}
impl Precision {
    pub(crate) fn from_nanos(self, ns: i64) -> i64 {
        ns.div_euclid(match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        })
    }
}
