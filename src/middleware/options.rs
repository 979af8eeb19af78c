use std::borrow::Cow;

use crate::Database;

/// What is recorded of a request, and where it goes.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) database: Database,
    pub(super) measurement: Cow<'static, str>,
}
