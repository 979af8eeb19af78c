//! `Serialize` of types that are defined elsewhere.

use serde::{Serialize, Serializer};

use crate::{Database, Product};

/// As it prints: the name, and the retention policy behind it if there is one.
impl Serialize for Database {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As it prints: `InfluxDB`, `QuestDB`.
impl Serialize for Product {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
