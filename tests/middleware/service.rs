//! A service on a real server, whose measurements go to a `FakeInflux`.

use std::{
    net::SocketAddr,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actix_influxdb::{
    Config, Influx, InfluxMetrics,
    testing::{FakeInflux, Point},
};
use actix_web::{
    App, Error, HttpServer,
    body::MessageBody,
    dev::{ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse},
    rt,
    web::ServiceConfig,
};

use crate::client::Client;

pub const DATABASE: &str = "requests";
pub const LONG: Duration = Duration::from_secs(30);

/// One worker: so what one test's requests leave behind, the next ones meet.
pub struct Service {
    pub fake: FakeInflux,
    pub influx: Influx,
    pub address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<()>,
    started: i64,
}

impl Service {
    /// With the middleware as it comes around `routes`.
    pub fn start(routes: fn(&mut ServiceConfig)) -> Self {
        Self::start_with(|metrics| metrics, routes)
    }

    /// With the middleware that `build` makes around `routes`.
    pub fn start_with(
        build: impl FnOnce(InfluxMetrics) -> InfluxMetrics,
        routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        Self::start_influx(|influx| (build(InfluxMetrics::new(influx, DATABASE)), routes))
    }

    /// With routes that have middlewares of their own.
    pub fn start_influx<R>(build: impl FnOnce(&Influx) -> (InfluxMetrics, R)) -> Self
    where
        R: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    {
        Self::start_server(true, build)
    }

    /// With a server that does or doesn't go on for clients that have closed their side.
    pub fn start_server<R>(
        half_closed: bool,
        build: impl FnOnce(&Influx) -> (InfluxMetrics, R),
    ) -> Self
    where
        R: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    {
        Self::serve(half_closed, |influx| {
            let (metrics, routes) = build(influx);
            move || App::new().wrap(metrics.clone()).configure(routes.clone())
        })
    }

    /// With whatever app `build` makes.
    pub fn start_app<F, T, B>(build: impl FnOnce(&Influx) -> F) -> Self
    where
        F: Fn() -> App<T> + Clone + Send + 'static,
        T: ServiceFactory<
                ServiceRequest,
                Config = (),
                Response = ServiceResponse<B>,
                Error = Error,
                InitError = (),
            > + 'static,
        B: MessageBody + 'static,
    {
        Self::serve(true, build)
    }

    fn serve<F, T, B>(half_closed: bool, build: impl FnOnce(&Influx) -> F) -> Self
    where
        F: Fn() -> App<T> + Clone + Send + 'static,
        T: ServiceFactory<
                ServiceRequest,
                Config = (),
                Response = ServiceResponse<B>,
                Error = Error,
                InitError = (),
            > + 'static,
        B: MessageBody + 'static,
    {
        let started = nanoseconds();
        let fake = FakeInflux::start();
        // Each measurement is sent at once: so a test can wait for it.
        let config = Config::v1(fake.url()).tag_hostname(false).trigger_size(1);
        let influx = Influx::start(config).unwrap();
        let app = build(&influx);
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            rt::System::new().block_on(async move {
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.h1_allow_half_closed(half_closed);
                let server = server.bind_auto_h2c(("127.0.0.1", 0)).unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                tell.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, handle) = told.recv_timeout(Duration::from_secs(20)).unwrap();
        Self {
            fake,
            influx,
            address,
            handle,
            thread,
            started,
        }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until that many measurements have arrived.
    pub fn wait_for(&self, count: usize) {
        self.fake.wait_for_points(DATABASE, count, LONG);
    }

    /// Ends the server, then delivery. All that was ever recorded, by the time when the requests
    /// began.
    pub fn finish(self) -> Vec<Point> {
        self.finish_in([DATABASE]).pop().unwrap()
    }

    /// The same, of each of some databases.
    pub fn finish_in<const N: usize>(self, databases: [&str; N]) -> Vec<Vec<Point>> {
        let Self {
            fake,
            influx,
            handle,
            thread,
            started,
            ..
        } = self;
        rt::System::new().block_on(handle.stop(true));
        thread.join().unwrap();
        let report = rt::System::new().block_on(influx.shutdown(LONG));
        assert!(report.is_complete(), "{report:?}");
        let points = databases.map(|database| fake.received(database));
        let stats = influx.stats();
        let count = points.iter().map(Vec::len).sum::<usize>() as u64;
        assert!(stats.balanced(), "{stats}");
        assert_eq!((stats.recorded, stats.written), (count, count), "{stats:?}");
        let ended = nanoseconds();
        let sorted = points.map(|mut points| {
            points.sort_by_key(|point| point.timestamp);
            for point in &points {
                let stamp = point.timestamp.unwrap();
                assert!((started..=ended).contains(&stamp), "{point:?}");
            }
            points
        });
        sorted.into()
    }
}

fn nanoseconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_nanos() as i64
}
