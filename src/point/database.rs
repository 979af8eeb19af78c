use std::{borrow::Cow, fmt};

/// Where a measurement goes: a database, with its retention policy if it isn't the default one.
///
/// InfluxDB v2 calls it a bucket. A plain name converts into it:
///
/// ```
/// use actix_influxdb::{Database, Measurement};
///
/// let plain = Measurement::new("example", "login");
/// let kept_a_week = Measurement::new(Database::new("example").retention_policy("one_week"), "login");
/// # let _ = (plain, kept_a_week);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Database {
    pub(crate) name: Cow<'static, str>,
    pub(crate) retention_policy: Option<Cow<'static, str>>,
}

impl Database {
    /// The database `name`, in its default retention policy.
    #[inline]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            retention_policy: None,
        }
    }

    /// The same database, in the retention policy `name`.
    ///
    /// InfluxDB v1 takes it as a parameter of the write. The servers of v2 and v3 know no
    /// retention policies: there the bucket is `database/policy`, which is also how v2 maps the
    /// names of v1.
    #[must_use]
    pub fn retention_policy(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.retention_policy = Some(name.into());
        self
    }

    /// The bytes of its names that are its own, rather than the program's.
    pub(crate) fn heap_size(&self) -> usize {
        let own = |text: &Cow<'static, str>| match text {
            Cow::Borrowed(_) => 0,
            Cow::Owned(text) => text.capacity(),
        };
        own(&self.name) + self.retention_policy.as_ref().map_or(0, own)
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// `database`, or `database/retention_policy`.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.retention_policy {
            Some(policy) => write!(f, "/{policy}"),
            None => Ok(()),
        }
    }
}

impl From<&'static str> for Database {
    #[inline]
    fn from(name: &'static str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Database {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl From<Cow<'static, str>> for Database {
    fn from(name: Cow<'static, str>) -> Self {
        Self::new(name)
    }
}
