//! What points look like, written once for all clients: tags and fields by name, as in a program.

use std::marker::PhantomData;

use super::{
    Point,
    key::{
        ALLOCATED, ARCHITECTURE, BYTES, CLUSTER, DATABASE_TIME, DURATION, ENDPOINT, FIRST_BYTE,
        HOST, INSTANCE, KERNEL, Key, METHOD, NAMESPACE, OUTCOME, POD, PROTOCOL, QUEUED, RECEIVED,
        REGION, RELEASE, RENDER_TIME, RETRIES, ROWS, RUNTIME, SCHEME, SERVICE, STATUS, TEAM, TIER,
        ZONE,
    },
};

/// What a client builds a point with: it is given tags first.
pub trait Tags: Sized {
    type Error;

    fn tag<V: Value>(self, key: Key, value: V) -> Result<Self, Self::Error>;
}

/// What a client builds a point with: it is given fields last.
pub trait Fields: Sized {
    type Error;

    fn float(self, key: Key, value: f64) -> Result<Self, Self::Error>;

    fn integer(self, key: Key, value: i64) -> Result<Self, Self::Error>;
}

/// The tags and fields of a point.
pub trait Shape: 'static {
    fn tags<T: Tags>(point: &Point<'_>, to: T) -> Result<T, T::Error>;

    fn fields<F: Fields>(point: &Point<'_>, to: F) -> Result<F, F::Error>;

    /// Both, where one thing takes both.
    #[inline(always)]
    fn write<B, E>(point: &Point<'_>, to: B) -> Result<B, E>
    where
        B: Tags<Error = E> + Fields<Error = E>,
    {
        Self::fields(point, Self::tags(point, to)?)
    }
}

/// A tag's value, in every form that clients ask for.
pub trait Value:
    AsRef<str> + Into<String> + Into<actix_influxdb::TagValue> + Into<influxdb::Type>
{
}

impl Value for &'static str {}
impl Value for String {}

/// How a program comes by its tag values.
pub trait Source: 'static {
    type Value: Value;

    fn value(text: &'static str) -> Self::Value;
}

/// They are in the program.
#[derive(Debug)]
pub struct Literals;

impl Source for Literals {
    type Value = &'static str;

    #[inline(always)]
    fn value(text: &'static str) -> &'static str {
        text
    }
}

/// Each is made for its point.
#[derive(Debug)]
pub struct Strings;

impl Source for Strings {
    type Value = String;

    #[inline(always)]
    fn value(text: &'static str) -> String {
        text.to_owned()
    }
}

/// 6 tags and 2 fields.
#[derive(Debug)]
pub struct Request<S>(PhantomData<S>);

impl<S: Source> Shape for Request<S> {
    #[inline(always)]
    fn tags<T: Tags>(point: &Point<'_>, to: T) -> Result<T, T::Error> {
        to.tag(HOST, S::value(point.host.name))?
            .tag(REGION, S::value(point.host.region))?
            .tag(SERVICE, S::value(point.host.service))?
            .tag(ENDPOINT, S::value(point.endpoint))?
            .tag(METHOD, S::value(point.method))?
            .tag(STATUS, S::value(point.status))
    }

    #[inline(always)]
    fn fields<F: Fields>(point: &Point<'_>, to: F) -> Result<F, F::Error> {
        let numbers = &point.numbers[0];
        to.float(DURATION, numbers.seconds)?
            .integer(BYTES, numbers.count.into())
    }
}

/// 20 tags and 2 fields.
#[derive(Debug)]
pub struct ManyTags;

impl Shape for ManyTags {
    #[inline(always)]
    fn tags<T: Tags>(point: &Point<'_>, to: T) -> Result<T, T::Error> {
        let more = point.host.more;
        Request::<Literals>::tags(point, to)?
            .tag(ZONE, more[0])?
            .tag(CLUSTER, more[1])?
            .tag(NAMESPACE, more[2])?
            .tag(POD, more[3])?
            .tag(RELEASE, more[4])?
            .tag(RUNTIME, more[5])?
            .tag(KERNEL, more[6])?
            .tag(ARCHITECTURE, more[7])?
            .tag(INSTANCE, more[8])?
            .tag(TEAM, more[9])?
            .tag(TIER, more[10])?
            .tag(PROTOCOL, more[11])?
            .tag(SCHEME, more[12])?
            .tag(OUTCOME, more[13])
    }

    #[inline(always)]
    fn fields<F: Fields>(point: &Point<'_>, to: F) -> Result<F, F::Error> {
        Request::<Literals>::fields(point, to)
    }
}

/// 1 tag and 10 fields.
#[derive(Debug)]
pub struct ManyFields;

impl Shape for ManyFields {
    #[inline(always)]
    fn tags<T: Tags>(point: &Point<'_>, to: T) -> Result<T, T::Error> {
        to.tag(HOST, point.host.name)
    }

    #[inline(always)]
    fn fields<F: Fields>(point: &Point<'_>, to: F) -> Result<F, F::Error> {
        let [first, second, third, fourth, fifth] = point.numbers;
        to.float(DURATION, first.seconds)?
            .float(FIRST_BYTE, second.seconds)?
            .float(QUEUED, third.seconds)?
            .float(DATABASE_TIME, fourth.seconds)?
            .float(RENDER_TIME, fifth.seconds)?
            .integer(BYTES, first.count.into())?
            .integer(RECEIVED, second.count.into())?
            .integer(ROWS, third.count.into())?
            .integer(ALLOCATED, fourth.count.into())?
            .integer(RETRIES, fifth.count.into())
    }
}
