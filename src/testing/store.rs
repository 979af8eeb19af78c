//! The databases, and the results of writes to them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{database::Database, parse::Parsed, point::Point};

#[derive(Debug, Default)]
pub(super) struct Store {
    databases: BTreeMap<String, Database>,
    /// Databases with status 404 until they are created; all others exist.
    missing: HashSet<String>,
    /// Number of writes, to tell apart points without a timestamp.
    writes: u64,
}

impl Store {
    pub(super) fn exists(&self, database: &str) -> bool {
        !self.missing.contains(database)
    }

    pub(super) fn create(&mut self, database: &str) {
        self.missing.remove(database);
        self.databases.entry(database.to_owned()).or_default();
    }

    pub(super) fn remove(&mut self, database: &str) {
        self.missing.insert(database.to_owned());
        self.databases.remove(database);
    }

    /// Removes and returns the lines that arrived; also removes the points. Databases and types
    /// stay.
    pub(super) fn take(&mut self) -> BTreeMap<String, Vec<Arc<Point>>> {
        let databases = self.databases.iter_mut();
        let taken = databases.map(|(name, database)| (name.clone(), database.take()));
        taken.filter(|(_, points)| !points.is_empty()).collect()
    }

    /// Removes points and types; databases stay.
    pub(super) fn clear(&mut self) {
        self.databases
            .values_mut()
            .for_each(|database| *database = Database::default());
    }

    pub(super) fn databases(&self) -> impl Iterator<Item = &str> {
        self.databases.keys().map(String::as_str)
    }

    pub(super) fn stored(&self, database: &str) -> &[Arc<Point>] {
        self.databases
            .get(database)
            .map_or(&[], |database| &database.stored)
    }

    pub(super) fn received(&self, database: &str) -> &[Arc<Point>] {
        self.databases
            .get(database)
            .map_or(&[], |database| &database.received)
    }

    /// Stores points like a server without field types.
    pub(super) fn put(&mut self, database: &str, points: Vec<Point>) {
        self.writes += 1;
        let database = self.databases.entry(database.to_owned()).or_default();
        database.put(points, self.writes);
    }

    /// Stores points without merging.
    pub(super) fn append(&mut self, database: &str, points: Vec<Point>) {
        let database = self.databases.entry(database.to_owned()).or_default();
        database.append(points);
    }

    /// The first field of a point whose type conflicts: its name, the point's type and the stored
    /// type.
    pub(super) fn conflict(
        &self,
        database: &str,
        point: &Point,
    ) -> Option<(String, &'static str, &'static str)> {
        self.databases.get(database)?.conflict(point)
    }

    /// Stores the valid points; the error is the text of the 400.
    pub(super) fn write(&mut self, database: &str, parsed: Parsed) -> Result<(), String> {
        let Parsed { points, refused } = parsed;
        if points.is_empty() {
            return if refused.is_empty() {
                Ok(())
            } else {
                Err(refused.join("\n"))
            };
        }
        self.writes += 1;
        let database = self.databases.entry(database.to_owned()).or_default();
        let dropped = database.write(points, self.writes);
        // Seen on 1.6.7: if points are dropped, unparsable lines are not mentioned, and otherwise
        // `dropped=0` doesn't count them.
        match dropped.reason() {
            Some(reason) => Err(format!("partial write: {reason} dropped={}", dropped.count)),
            None if refused.is_empty() => Ok(()),
            None => Err(format!("partial write: {} dropped=0", refused.join("\n"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{parse::Reading, point::Value, precision::Precision};

    fn write(store: &mut Store, body: &str) -> Result<(), String> {
        let reading = Reading {
            precision: Precision::Nanoseconds,
            unsigned: false,
            retention_policy: None,
        };
        store.write("d", reading.parse(body.as_bytes()))
    }

    fn conflict_text(input: &str, exists: &str, dropped: usize) -> Result<(), String> {
        Err(format!(
            "partial write: field type conflict: input field \"f\" on measurement \"c\" is type \
             {input}, already exists as type {exists} dropped={dropped}"
        ))
    }

    #[test]
    fn good_lines_are_stored_beside_bad_ones() {
        let mut store = Store::default();
        assert_eq!(
            write(&mut store, "bad line\ngood v=1 1\nbad2 x"),
            Err(
                "partial write: unable to parse 'bad line': invalid field format\nunable to parse \
                 'bad2 x': invalid field format dropped=0"
                    .to_owned()
            )
        );
        assert_eq!(store.stored("d").len(), 1);
    }

    #[test]
    fn when_no_line_is_good_the_write_is_not_partial() {
        let mut store = Store::default();
        assert_eq!(
            write(&mut store, "bad\n#\nbad2 x"),
            Err(
                "unable to parse 'bad': missing fields\nunable to parse 'bad2 x': invalid field \
                 format"
                    .to_owned()
            )
        );
        assert_eq!(store.databases().count(), 0);
    }

    #[test]
    fn a_type_conflict_drops_the_point_and_hides_the_bad_lines() {
        let mut store = Store::default();
        assert_eq!(write(&mut store, "c f=1 1"), Ok(()));
        assert_eq!(
            write(&mut store, "c f=\"s\" 2\ngood v=2 2"),
            conflict_text("string", "float", 1)
        );
        assert_eq!(
            write(&mut store, "c f=1i 2\nbad"),
            conflict_text("integer", "float", 1)
        );
        let three = "c f=1i 2\nc f=2i 3\nc f=true 4";
        assert_eq!(
            write(&mut store, three),
            conflict_text("integer", "float", 3)
        );
        assert_eq!(store.stored("d").len(), 2);
    }

    #[test]
    fn within_one_write_the_first_type_of_a_field_wins() {
        let mut store = Store::default();
        assert_eq!(
            write(&mut store, "c f=\"s\" 1\nc f=1 2\nc f=2,new=1 3"),
            conflict_text("float", "string", 2)
        );
        assert_eq!(store.stored("d").len(), 1);
        let text = write(&mut store, "c new=\"s\" 4").unwrap_err();
        assert!(
            text.contains("is type string, already exists as type float"),
            "{text}"
        );
    }

    #[test]
    fn new_fields_of_a_point_in_conflict_with_an_older_one_get_no_type() {
        let mut store = Store::default();
        write(&mut store, "c f=1 1").unwrap();
        write(&mut store, "c f=\"s\",new=1 2").unwrap_err();
        assert_eq!(write(&mut store, "c new=\"s\" 3"), Ok(()));
    }

    #[test]
    fn a_tag_named_time_is_refused_and_named_before_a_conflict() {
        let mut store = Store::default();
        assert_eq!(
            write(&mut store, "q f=1 1\nq f=\"s\" 2\nq,time=x f=2 3\nbad"),
            Err("partial write: invalid tag key: input tag \"time\" on measurement \"q\" is invalid \
                 dropped=2"
                .to_owned())
        );
    }

    #[test]
    fn a_field_named_time_is_left_out_and_refused_alone() {
        let mut store = Store::default();
        assert_eq!(write(&mut store, "m time=1,v=2 1"), Ok(()));
        assert_eq!(store.stored("d")[0].fields.len(), 1);
        assert_eq!(
            write(&mut store, "m time=1 1"),
            Err(
                "partial write: invalid field name: input field \"time\" on measurement \"m\" is \
                 invalid dropped=1"
                    .to_owned()
            )
        );
    }

    #[test]
    fn points_of_one_series_and_time_are_merged() {
        let mut store = Store::default();
        write(
            &mut store,
            "m,a=x,b=y a=1,b=1 1\nm,b=y,a=x a=2,c=\"x\" 1\nm,a=x a=3 1",
        )
        .unwrap();
        let stored = store.stored("d");
        assert_eq!(stored.len(), 2);
        assert_eq!(stored[0].field("a"), Some(&Value::Float(2.0)));
        assert_eq!(stored[0].field("b"), Some(&Value::Float(1.0)));
        assert_eq!(stored[0].field("c"), Some(&Value::from("x")));
        assert_eq!(store.received("d").len(), 3);
        assert_eq!(store.received("d")[0].field("a"), Some(&Value::Float(1.0)));
    }

    #[test]
    fn points_without_a_timestamp_have_the_time_of_their_write() {
        let mut store = Store::default();
        write(&mut store, "nt f=1\nnt f=2").unwrap();
        assert_eq!(store.stored("d").len(), 1);
        write(&mut store, "nt f=1").unwrap();
        assert_eq!(store.stored("d").len(), 2);
    }

    #[test]
    fn a_hundred_thousand_points_are_stored_in_one_go() {
        let mut store = Store::default();
        let body: String = (0..100_000)
            .map(|n| format!("m,t={} v={n}i {n}\n", n % 7))
            .collect();
        write(&mut store, &body).unwrap();
        write(&mut store, &body).unwrap();
        assert_eq!(
            (store.stored("d").len(), store.received("d").len()),
            (100_000, 200_000)
        );
    }
}
