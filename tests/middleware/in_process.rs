//! A service that is called in the test's own process, so that the test decides when a request is
//! polled and when it is dropped.

use std::{
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    task::{Context, Waker},
};

use actix_influxdb::{
    Config, Influx, InfluxMetrics,
    testing::{FakeInflux, Point},
};
use actix_web::{
    Error,
    body::{MessageBody, to_bytes},
    dev::{Service, ServiceResponse},
    test::TestRequest,
    web::Bytes,
};
use futures_util::FutureExt as _;

use crate::service::{DATABASE, LONG};

pub struct Recorder {
    fake: FakeInflux,
    influx: Influx,
}

impl Recorder {
    pub fn start() -> Self {
        let fake = FakeInflux::start();
        let config = Config::v1(fake.url()).tag_hostname(false);
        let influx = Influx::start(config).unwrap();
        Self { fake, influx }
    }

    pub fn metrics(&self) -> InfluxMetrics {
        self.metrics_into(DATABASE)
    }

    pub fn metrics_into(&self, database: &'static str) -> InfluxMetrics {
        InfluxMetrics::new(&self.influx, database)
    }

    /// All that was recorded, by the time when the requests began.
    pub async fn finish(self) -> Vec<Point> {
        self.finish_in([DATABASE]).await.pop().unwrap()
    }

    pub async fn finish_in<const N: usize>(self, databases: [&str; N]) -> Vec<Vec<Point>> {
        let report = self.influx.shutdown(LONG).await;
        assert!(report.is_complete(), "{report:?}");
        let points = databases.map(|database| {
            let mut points = self.fake.received(database);
            points.sort_by_key(|point| point.timestamp);
            points
        });
        let count = points.iter().map(Vec::len).sum::<usize>() as u64;
        let stats = self.influx.stats();
        assert_eq!((stats.recorded, stats.written), (count, count), "{stats}");
        points.into()
    }
}

/// From a client at 127.0.0.1.
pub fn get(path: &str) -> TestRequest {
    let peer = "127.0.0.1:4000".parse().unwrap();
    TestRequest::get().uri(path).peer_addr(peer)
}

/// What a server would do with a response, to its end: the status, and the body, if that didn't
/// fail or panic.
pub async fn finish<S, B>(service: &S, request: TestRequest) -> (u16, Option<Bytes>)
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    match service.call(request.to_request()).await {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = to_bytes(response.into_body());
            let body = AssertUnwindSafe(body).catch_unwind().await;
            (status, body.ok().and_then(Result::ok))
        }
        Err(error) => (error.error_response().status().as_u16(), None),
    }
}

/// A request whose service panics before there is a head.
pub async fn panic<S, B>(service: &S, request: TestRequest)
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let call = async { service.call(request.to_request()).await };
    let panicked = AssertUnwindSafe(call).catch_unwind().await;
    assert!(panicked.is_err(), "it did not panic");
}

/// Polls it once. Does it wait for something?
pub fn waits(future: Pin<&mut impl Future>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    future.poll(&mut context).is_pending()
}

/// A request whose client goes before there is a head, once its service has begun to wait.
pub async fn abort<S, B>(service: &S, request: TestRequest)
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let mut call = pin!(service.call(request.to_request()));
    assert!(waits(call.as_mut()), "it did not wait");
}

/// A request whose client goes after the first bytes of the body.
pub async fn abort_in_body<S, B>(service: &S, request: TestRequest)
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let response = service.call(request.to_request()).await.ok().unwrap();
    let mut body = pin!(response.into_body());
    let next = |body: &mut Pin<&mut B>| {
        let mut context = Context::from_waker(Waker::noop());
        body.as_mut().poll_next(&mut context)
    };
    assert!(next(&mut body).is_ready(), "there are no first bytes");
    assert!(next(&mut body).is_pending(), "it did not wait");
}
