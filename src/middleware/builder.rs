use std::{borrow::Cow, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, http::header::HeaderName};

use super::{
    options::{Customize, Options, Placement},
    request_measurement::RequestMeasurement,
    transform::InfluxMetrics,
};
use crate::{
    ConfigError, Measurement, TagValue,
    encode::{Encoder, LineBuffer},
    point::precision::Precision,
};

/// Options: what is recorded, and where.
impl InfluxMetrics {
    /// Sets the measurement's name. Default: [`http_request`](Self::DEFAULT_MEASUREMENT).
    ///
    /// # Panics
    ///
    /// If the name is empty or starts with `#`, which InfluxDB does not accept.
    #[must_use]
    #[track_caller]
    pub fn measurement(self, name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        self.with(|options| options.measurement = name).checked()
    }

    /// Adds a tag to all measurements, besides [`base_tags`](crate::Config::base_tags).
    ///
    /// ```
    /// # fn wrap(influx: &actix_influxdb::Influx) {
    /// use actix_influxdb::InfluxMetrics;
    ///
    /// let metrics = InfluxMetrics::new(influx, "example")
    ///     .measurement("my-service")
    ///     .tag("version", env!("CARGO_PKG_VERSION"));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the key is `time`, the name of the timestamp.
    #[must_use]
    #[track_caller]
    pub fn tag(self, key: impl Into<Cow<'static, str>>, value: impl Into<TagValue>) -> Self {
        let (key, TagValue(value)) = (key.into(), value.into());
        self.with(|options| options.tags.push((key, value)))
            .checked()
    }

    /// Sets whether and how the client's address is written, as `remote_ip`. Default:
    /// [`Placement::Field`].
    ///
    /// The address is that of the connection's other end, so that of a proxy if there is one: see
    /// [`trust_forwarded`](Self::trust_forwarded). Requests through a Unix socket have none.
    #[must_use]
    pub fn remote_ip(self, placement: Placement) -> Self {
        self.with(|options| options.remote_ip = placement)
    }

    /// Takes the client's address from the headers `Forwarded` or, without one, `X-Forwarded-For`,
    /// if there are any. Default: `false`.
    ///
    /// The first address in the headers is taken, as by actix-web's
    /// `ConnectionInfo::realip_remote_addr`. Each proxy appends the address that it sees (RFC 7239
    /// §5.2), so the first is what the outermost proxy saw of its client, provided that this proxy
    /// *replaces* the client's own header. If it appends to that, the client chooses the first
    /// address. At most 128 bytes of text are kept; the address may be obfuscated or `unknown` (RFC
    /// 7239 §6), and an empty one makes no field.
    ///
    /// The headers are read when the request arrives at this middleware: inner middlewares that
    /// remove or replace them don't change the measurement. Nothing is cached in the request's
    /// connection info, so handlers see what they would see without this middleware.
    ///
    /// Enable this only behind a proxy that sets these headers. Otherwise clients choose the
    /// address that is recorded.
    #[must_use]
    pub fn trust_forwarded(self, trust: bool) -> Self {
        self.with(|options| options.trust_forwarded = trust)
    }

    /// Sets the header with the correlation id, which relates requests of several services, and
    /// where its value is written, as `correlation_id`. Default: `x-request-id`, in a field.
    ///
    /// The header is read from the request, or else from the response, where middlewares that
    /// generate such an id put it. At most 128 bytes are kept; control characters and invalid UTF-8
    /// become U+FFFD.
    ///
    /// ```
    /// # fn wrap(influx: &actix_influxdb::Influx) {
    /// use actix_influxdb::{InfluxMetrics, Placement};
    ///
    /// let metrics = InfluxMetrics::new(influx, "example")
    ///     .correlation_id("x-correlation-id", Placement::Field);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the name is not valid for an HTTP header.
    #[must_use]
    #[track_caller]
    pub fn correlation_id(self, header: &str, placement: Placement) -> Self {
        let Ok(name) = HeaderName::from_bytes(header.as_bytes()) else {
            let allowed = "the name of an HTTP header: letters, digits and hyphens";
            refuse("correlation_id", format!("{header:?}"), allowed);
        };
        self.with(|options| {
            options.correlation_header = name;
            options.correlation_id = placement;
        })
    }

    /// Sets whether `time_to_first_byte` is recorded. Default: `true`.
    #[must_use]
    pub fn time_to_first_byte(self, record: bool) -> Self {
        self.with(|options| options.time_to_first_byte = record)
    }

    /// Sets whether `content_length` is recorded. Default: `true`.
    #[must_use]
    pub fn content_length(self, record: bool) -> Self {
        self.with(|options| options.content_length = record)
    }

    /// Sets a closure that adds tags and fields to the measurement, given the request and its
    /// response. A second call replaces the closure.
    ///
    /// The closure is called when the response's head is complete, before the body is sent. It is
    /// not called without a response: if the request was aborted before, if its handler panicked,
    /// or if another middleware returned an `Err`. To add to these as well, use a
    /// [`RequestMeasurement`] before the handler runs.
    ///
    /// If the closure panics, the response is not affected, and the measurement has the tags and
    /// fields that were added until then; one ERROR per worker is logged.
    ///
    /// ```
    /// # fn wrap(influx: &actix_influxdb::Influx) {
    /// use actix_influxdb::InfluxMetrics;
    ///
    /// let metrics = InfluxMetrics::new(influx, "example").customize(|request, response, it| {
    ///     it.set_tag("version", format!("{:?}", request.version()));
    ///     if let Some(error) = response.error() {
    ///         it.set_field("error", error.to_string());
    ///     }
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn customize<F>(self, add: F) -> Self
    where
        F: Fn(&HttpRequest, &HttpResponse<()>, &RequestMeasurement) + Send + Sync + 'static,
    {
        self.with(|options| options.customize = Some(Customize(Arc::new(add))))
    }
}

impl InfluxMetrics {
    pub(super) fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.options));
        self
    }

    /// Panics on names that InfluxDB does not accept, which would make every measurement fail.
    #[track_caller]
    pub(super) fn checked(self) -> Self {
        let Options {
            database,
            measurement,
            tags,
            ..
        } = &*self.options;
        let probe = Measurement::new(database.clone(), measurement.clone());
        let probe = probe.tags(tags.clone()).field("duration", 0.0);
        let encoder = Encoder::new([], Precision::default(), false);
        if let Err(error) = encoder.encode(&probe.0, &mut LineBuffer::default()) {
            panic!("InfluxMetrics: {error}");
        }
        self
    }
}

/// Panics at the caller's line: options are part of the program's code, and set when it starts.
#[cold]
#[track_caller]
pub(super) fn refuse(option: &str, value: String, allowed: impl Into<Cow<'static, str>>) -> ! {
    let setting = format!("InfluxMetrics::{option}");
    panic!("{}", ConfigError::new(setting, value, allowed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Influx};

    fn metrics() -> InfluxMetrics {
        let influx = Influx::start(Config::default().enabled(false)).unwrap();
        InfluxMetrics::new(&influx, "db")
    }

    #[test]
    #[should_panic = "InfluxMetrics::correlation_id is \"x request\": the name of an HTTP header: \
                      letters, digits and hyphens"]
    fn what_can_be_no_header_panics_when_built() {
        _ = metrics().correlation_id("x request", Placement::Tag);
    }

    #[test]
    #[should_panic = "InfluxMetrics: measurement \"#1\" of measurement \"#1\" is not valid"]
    fn a_measurement_that_influxdb_would_discard_panics_when_built() {
        _ = metrics().measurement("#1");
    }

    #[test]
    #[should_panic = "InfluxMetrics: tag key \"time\""]
    fn a_tag_named_time_panics_when_built() {
        _ = metrics().tag("time", "now");
    }

    #[test]
    #[should_panic = "InfluxMetrics: database \"\""]
    fn a_database_without_a_name_panics_when_built() {
        let InfluxMetrics { influx, .. } = metrics();
        _ = InfluxMetrics::new(&influx, "");
    }

    #[test]
    fn it_can_be_shared_by_the_threads_of_a_server() {
        fn shared<T: Clone + Send + Sync + 'static>(_: T) {}
        shared(metrics().customize(|_, _, _| {}));
    }
}
