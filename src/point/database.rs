use std::{borrow::Cow, fmt};

/// A database, with a retention policy if it isn't the default one; a bucket of InfluxDB v2.
///
/// A plain name converts into a `Database`:
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
    /// Creates the database `name`, in its default retention policy.
    #[inline]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            retention_policy: None,
        }
    }

    /// Sets the retention policy.
    ///
    /// InfluxDB v1 takes the policy as a parameter of the write. The servers of v2 and v3 know no
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

    /// Returns the database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the retention policy, if one is set.
    ///
    /// ```
    /// use actix_influxdb::Database;
    ///
    /// let database = Database::new("example").retention_policy("one_week");
    /// assert_eq!(database.name(), "example");
    /// assert_eq!(database.get_retention_policy(), Some("one_week"));
    /// assert_eq!(database.to_string(), "example/one_week");
    /// ```
    pub fn get_retention_policy(&self) -> Option<&str> {
        self.retention_policy.as_deref()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_has_names_that_are_made_at_run_time() {
        let size = |database: Database| database.heap_size();
        let own = || "week".to_owned();
        assert_eq!(size(Database::new("db").retention_policy("week")), 0);
        assert_eq!(size(Database::new(own())), own().capacity());
        let both = Database::new(own()).retention_policy(own());
        assert_eq!(size(both), 2 * own().capacity());
    }
}
