//! `Serialize` for types defined elsewhere.

use serde::{Serialize, Serializer};

use crate::{Database, Product};

/// Like its `Display`: the name, followed by the retention policy if there is one.
impl Serialize for Database {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Like its `Display`: `InfluxDB`, `QuestDB`.
impl Serialize for Product {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
