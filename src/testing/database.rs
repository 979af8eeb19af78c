//! A database: the types of its fields, and its points.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use super::point::{Point, Value};

#[derive(Debug, Default)]
pub(super) struct Database {
    /// Type names by measurement and field.
    types: HashMap<String, HashMap<String, &'static str>>,
    pub(super) received: Vec<Arc<Point>>,
    pub(super) stored: Vec<Arc<Point>>,
    /// Index in `stored` by series and timestamp.
    index: HashMap<Identity, usize>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    series: Vec<u8>,
    /// A point without a timestamp gets the number of its write.
    stamp: Result<i64, u64>,
}

/// Points of a write that the database refused. The first reason is reported, in 1.6.7's order of
/// checks: all tags, then all fields.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    pub(super) count: usize,
    tag: Option<String>,
    field: Option<String>,
    created: Option<String>,
}

impl Dropped {
    pub(super) fn reason(&self) -> Option<&str> {
        self.tag
            .as_ref()
            .or(self.field.as_ref())
            .or(self.created.as_ref())
            .map(String::as_str)
    }
}

impl Database {
    /// Stores the valid points of write number `write`.
    pub(super) fn write(&mut self, points: Vec<Point>, write: u64) -> Dropped {
        let mut dropped = Dropped::default();
        let checked: Vec<Point> = points
            .into_iter()
            .filter_map(|point| match self.check(point) {
                Ok(point) => Some(point),
                Err(Fault::Tag(reason)) => {
                    dropped.count += 1;
                    dropped.tag.get_or_insert(reason);
                    None
                }
                Err(Fault::Field(reason)) => {
                    dropped.count += 1;
                    dropped.field.get_or_insert(reason);
                    None
                }
            })
            .collect();
        for point in checked {
            match self.create_fields(&point) {
                Ok(()) => self.store(point, write),
                Err(reason) => {
                    dropped.count += 1;
                    dropped.created.get_or_insert(reason);
                }
            }
        }
        dropped
    }

    pub(super) fn put(&mut self, points: Vec<Point>, write: u64) {
        for point in points {
            self.store(point, write);
        }
    }

    pub(super) fn append(&mut self, points: Vec<Point>) {
        for point in points {
            // A field keeps its first type.
            let _ = self.create_fields(&point);
            let point = Arc::new(point);
            self.stored.push(Arc::clone(&point));
            self.received.push(point);
        }
    }

    pub(super) fn conflict(&self, point: &Point) -> Option<(String, &'static str, &'static str)> {
        let types = self.types.get(&point.measurement)?;
        point.fields.iter().find_map(|(field, value)| {
            let exists = *types.get(field)?;
            (exists != value.type_name()).then(|| (field.clone(), value.type_name(), exists))
        })
    }

    /// Removes and returns the lines that arrived; types stay.
    pub(super) fn take(&mut self) -> Vec<Arc<Point>> {
        self.stored.clear();
        self.index.clear();
        std::mem::take(&mut self.received)
    }

    /// Checks against the state before this write.
    fn check(&self, mut point: Point) -> Result<Point, Fault> {
        let name = &point.measurement;
        if point.tags.contains_key("time") {
            let reason =
                format!("invalid tag key: input tag \"time\" on measurement \"{name}\" is invalid");
            return Err(Fault::Tag(reason));
        }
        if let Some(types) = self.types.get(name) {
            for (field, value) in &point.fields {
                if let Some(exists) = types.get(field).filter(|it| **it != value.type_name()) {
                    return Err(Fault::Field(conflict(name, field, value, exists)));
                }
            }
        }
        // Seen on 1.6.7: a field named `time` is dropped, and refused only if it is the only one.
        if point.fields.remove("time").is_some() && point.fields.is_empty() {
            let reason = format!(
                "invalid field name: input field \"time\" on measurement \"{name}\" is invalid"
            );
            return Err(Fault::Field(reason));
        }
        Ok(point)
    }

    /// Gives new fields their types. Seen on 1.6.7: if a write has two types for a new field, the
    /// first wins, and other new fields of the refused point keep theirs.
    fn create_fields(&mut self, point: &Point) -> Result<(), String> {
        if !self.types.contains_key(&point.measurement) {
            self.types.insert(point.measurement.clone(), HashMap::new());
        }
        let types = self
            .types
            .get_mut(&point.measurement)
            .expect("was just inserted");
        let mut fault = None;
        for (field, value) in &point.fields {
            match types.get(field) {
                None => {
                    types.insert(field.clone(), value.type_name());
                }
                Some(exists) if *exists != value.type_name() => {
                    fault.get_or_insert_with(|| conflict(&point.measurement, field, value, exists));
                }
                Some(_) => {}
            }
        }
        fault.map_or(Ok(()), Err)
    }

    /// Merges the fields of points with the same series and timestamp.
    fn store(&mut self, point: Point, write: u64) {
        let identity = Identity {
            series: point.series_key(),
            stamp: point.timestamp.ok_or(write),
        };
        let point = Arc::new(point);
        match self.index.entry(identity) {
            Entry::Vacant(free) => {
                free.insert(self.stored.len());
                self.stored.push(Arc::clone(&point));
            }
            Entry::Occupied(taken) => {
                let stored = Arc::make_mut(&mut self.stored[*taken.get()]);
                let fields = point.fields.iter();
                stored
                    .fields
                    .extend(fields.map(|(key, value)| (key.clone(), value.clone())));
                stored.line.clone_from(&point.line);
            }
        }
        self.received.push(point);
    }
}

/// Why a point can't be stored, by check.
enum Fault {
    Tag(String),
    Field(String),
}

fn conflict(measurement: &str, field: &str, value: &Value, exists: &str) -> String {
    format!(
        "field type conflict: input field \"{field}\" on measurement \"{measurement}\" is type {}, \
         already exists as type {exists}",
        value.type_name()
    )
}
