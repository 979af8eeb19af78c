use std::{cell::RefCell, collections::HashMap, rc::Rc};

use foldhash::fast::RandomState;

use super::{
    labels::{self, Outcome, UNMATCHED},
    options::Options,
};
use crate::{Influx, Measurement, RecordError, Series};

/// A resource of the program, and the series of its requests.
#[derive(Debug)]
pub(super) struct Route {
    /// `None` for requests that match no resource.
    pattern: Option<String>,
    name: Option<String>,
    /// The latest, at most [`MAX_SERIES`].
    series: RefCell<Vec<(Ending, Series)>>,
}

/// Maximum number of series per route, as a handler may return any status.
const MAX_SERIES: usize = 32;

/// The tags in which the requests of a route differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) method: &'static str,
    pub(super) status: u16,
    pub(super) outcome: Outcome,
}

impl Route {
    fn new(pattern: Option<&str>, name: Option<&str>) -> Self {
        // A service mounted at the root, like `Files::new("/", …)`, has an empty pattern, but a
        // tag's value is never empty.
        let pattern = pattern.map(|pattern| match pattern {
            "" => "/",
            pattern => pattern,
        });
        Self {
            pattern: pattern.map(str::to_owned),
            name: name.map(str::to_owned),
            series: RefCell::default(),
        }
    }

    pub(super) fn is_unmatched(&self) -> bool {
        self.pattern.is_none()
    }

    pub(super) fn is_named(&self) -> bool {
        self.name.is_some()
    }

    /// Sets the tags of a request with this ending.
    pub(super) fn set_tags(
        &self,
        ending: Ending,
        options: &Options,
        measurement: &mut Measurement,
    ) {
        match &self.pattern {
            Some(pattern) => measurement.set_tag("endpoint", pattern.clone()),
            None => measurement.set_tag("endpoint", UNMATCHED),
        }
        if let Some(name) = &self.name {
            measurement.set_tag("handler", name.clone());
        }
        measurement.set_tag("method", ending.method);
        measurement.set_tag("outcome", ending.outcome.tag());
        measurement.set_tag("status_code", labels::status_tag(ending.status));
        measurement.set_tags(options.tags.iter().cloned());
    }

    /// The series of requests with this ending, built once.
    pub(super) fn series(
        &self,
        ending: Ending,
        options: &Options,
        influx: &Influx,
    ) -> Result<Series, RecordError> {
        let mut all = self.series.borrow_mut();
        if let Some(known) = all.iter().find(|(known, _)| *known == ending) {
            return Ok(known.1.clone());
        }
        let (database, name) = (options.database.clone(), options.measurement.clone());
        let mut measurement = Measurement::new(database, name);
        self.set_tags(ending, options, &mut measurement);
        let series = Series::of(influx, measurement)?;
        if all.len() == MAX_SERIES {
            all.remove(0);
        }
        all.push((ending, series.clone()));
        Ok(series)
    }
}

/// The routes that were requested: at most as many as the program has resources.
#[derive(Debug)]
pub(super) struct Routes {
    by_pattern: RefCell<HashMap<String, SamePattern, RandomState>>,
    unmatched: Rc<Route>,
}

/// Resources with a common pattern, distinguished by guards.
#[derive(Debug, Default)]
struct SamePattern {
    named: Vec<Rc<Route>>,
    unnamed: Option<Rc<Route>>,
    /// Methods of requests for a resource without a name.
    unnamed_methods: Vec<&'static str>,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            by_pattern: RefCell::default(),
            unmatched: Rc::new(Route::new(None, None)),
        }
    }
}

impl Routes {
    /// The route of a pattern and a name. `name` is not called again for a method if there was none
    /// before: actix-web would match all routes anew, which costs more than the rest of the
    /// measurement.
    pub(super) fn of<'a>(
        &self,
        pattern: Option<&str>,
        method: &'static str,
        name: impl FnOnce() -> Option<&'a str>,
    ) -> Rc<Route> {
        let Some(pattern) = pattern else {
            return self.unmatched();
        };
        self.with(pattern, |routes| routes.of(pattern, method, name))
    }

    /// The route of a resource with a pattern and a name.
    pub(super) fn named(&self, pattern: &str, name: &str) -> Rc<Route> {
        self.with(pattern, |routes| routes.named(pattern, name))
    }

    /// The route of a pattern, for a request whose name is not known for certain.
    pub(super) fn most_likely(&self, pattern: &str, name: Option<&str>) -> Rc<Route> {
        self.with(pattern, |routes| match name {
            Some(name) => routes.named(pattern, name),
            None => routes.most_likely(pattern),
        })
    }

    pub(super) fn unmatched(&self) -> Rc<Route> {
        Rc::clone(&self.unmatched)
    }

    fn with<T>(&self, pattern: &str, then: impl FnOnce(&mut SamePattern) -> T) -> T {
        let mut routes = self.by_pattern.borrow_mut();
        match routes.get_mut(pattern) {
            Some(known) => then(known),
            None => then(routes.entry(pattern.to_owned()).or_default()),
        }
    }
}

impl SamePattern {
    fn of<'a>(
        &mut self,
        pattern: &str,
        method: &'static str,
        name: impl FnOnce() -> Option<&'a str>,
    ) -> Rc<Route> {
        if let Some(unnamed) = &self.unnamed
            && self.unnamed_methods.contains(&method)
        {
            return Rc::clone(unnamed);
        }
        let Some(name) = name() else {
            self.unnamed_methods.push(method);
            return self.unnamed(pattern);
        };
        self.named(pattern, name)
    }

    /// The only route seen with this pattern, or else the one without a name.
    fn most_likely(&mut self, pattern: &str) -> Rc<Route> {
        match (&self.unnamed, &self.named[..]) {
            (None, [only]) => Rc::clone(only),
            _ => self.unnamed(pattern),
        }
    }

    fn unnamed(&mut self, pattern: &str) -> Rc<Route> {
        let new = || Rc::new(Route::new(Some(pattern), None));
        Rc::clone(self.unnamed.get_or_insert_with(new))
    }

    fn named(&mut self, pattern: &str, name: &str) -> Rc<Route> {
        let known = |route: &&Rc<Route>| route.name.as_deref() == Some(name);
        if let Some(known) = self.named.iter().find(known) {
            return Rc::clone(known);
        }
        let route = Rc::new(Route::new(Some(pattern), Some(name)));
        self.named.push(Rc::clone(&route));
        route
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn influx() -> Influx {
        Influx::start(Config::default().enabled(false)).unwrap()
    }

    fn series(route: &Route, ending: Ending) -> Series {
        let options = Options::new("db".into(), "m x".into());
        route.series(ending, &options, &influx()).unwrap()
    }

    const GET: Ending = Ending {
        method: "GET",
        status: 200,
        outcome: Outcome::Ok,
    };

    fn tags(series: &Series) -> Vec<(&str, &str)> {
        series.tags().collect()
    }

    #[test]
    fn a_series_is_built_once_for_each_ending() {
        let routes = Routes::default();
        let route = routes.of(Some("/a b"), "GET", || Some("x"));
        let first = series(&route, GET);
        assert_eq!((first.database().name(), first.name()), ("db", "m x"));
        let expected = [
            ("endpoint", "/a b"),
            ("handler", "x"),
            ("method", "GET"),
            ("outcome", "ok"),
            ("status_code", "200"),
        ];
        assert_eq!(tags(&first), expected);
        series(&route, GET);
        assert_eq!(route.series.borrow().len(), 1);
        let other = series(&route, Ending { status: 201, ..GET });
        assert!(tags(&other).contains(&("status_code", "201")));
        assert_eq!(route.series.borrow().len(), 2);
    }

    #[test]
    fn a_route_keeps_a_bounded_number_of_series() {
        let route = Routes::default().of(Some("/a"), "GET", || None);
        for status in 200..900 {
            let series = series(&route, Ending { status, ..GET });
            assert!(tags(&series).contains(&("status_code", &status.to_string())));
            assert!(route.series.borrow().len() <= MAX_SERIES);
        }
    }

    #[test]
    fn the_endpoint_of_a_service_at_the_root_is_a_slash() {
        let route = Routes::default().of(Some(""), "GET", || None);
        assert!(tags(&series(&route, GET)).contains(&("endpoint", "/")));
    }

    #[test]
    fn a_route_is_one_of_a_pattern_and_a_name() {
        let routes = Routes::default();
        let of = |pattern, name| routes.of(pattern, "GET", || name);
        let named = of(Some("/a"), Some("n"));
        assert!(Rc::ptr_eq(&named, &of(Some("/a"), Some("n"))));
        assert!(!Rc::ptr_eq(&named, &of(Some("/a"), Some("o"))));
        let unnamed = of(Some("/b"), None);
        assert!(Rc::ptr_eq(&unnamed, &of(Some("/b"), None)));
        assert!(!Rc::ptr_eq(&unnamed, &of(Some("/c"), None)));
        assert!(Rc::ptr_eq(&of(None, None), &of(None, Some("n"))));
    }

    #[test]
    fn a_request_of_which_only_the_pattern_is_known_has_the_one_route_that_was_seen() {
        let routes = Routes::default();
        assert!(!routes.most_likely("/a", None).is_named());
        let named = routes.named("/b", "n");
        assert!(named.is_named());
        assert!(Rc::ptr_eq(&named, &routes.most_likely("/b", None)));
        assert!(Rc::ptr_eq(&named, &routes.most_likely("/b", Some("n"))));
        routes.named("/b", "o");
        assert!(!routes.most_likely("/b", None).is_named());
        // And it keeps none from being asked for.
        assert!(Rc::ptr_eq(
            &named,
            &routes.of(Some("/b"), "GET", || Some("n"))
        ));
    }

    #[test]
    fn where_there_was_no_name_none_is_asked_for_again_with_the_same_method() {
        let routes = Routes::default();
        let unnamed = routes.of(Some("/a"), "GET", || None);
        let again = routes.of(Some("/a"), "GET", || unreachable!("asked again"));
        assert!(Rc::ptr_eq(&unnamed, &again));
        let post = routes.of(Some("/a"), "POST", || Some("n"));
        assert_eq!(post.name.as_deref(), Some("n"));
        let put = routes.of(Some("/a"), "PUT", || None);
        assert!(Rc::ptr_eq(&unnamed, &put));
    }
}
