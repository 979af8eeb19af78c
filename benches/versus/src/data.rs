//! The points that every client is given: the same ones, made before the clock starts.

/// One point, with its strings as a program has its own.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub host: &'static str,
    pub region: &'static str,
    pub service: &'static str,
    pub endpoint: &'static str,
    pub method: &'static str,
    pub status: &'static str,
    pub duration: f64,
    pub bytes: i64,
}

/// The measurement's name.
pub const NAME: &str = "http_request";

/// The database's.
pub const DATABASE: &str = "bench";

/// How many points a client sends at a time.
pub const BATCH: usize = 5_000;

/// A host is in one region, and runs one service.
const HOSTS: [(&str, &str, &str); 8] = [
    ("web-01.eu.example.com", "eu-west-1", "checkout"),
    ("web-02.eu.example.com", "eu-west-1", "catalogue-api"),
    ("web-03.us.example.com", "us-east-1", "checkout"),
    ("web-04.us.example.com", "us-east-1", "search-frontend"),
    ("api-01.eu.example.com", "eu-west-1", "accounts"),
    ("api-02.us.example.com", "us-east-1", "catalogue-api"),
    ("batch-worker-01.example.com", "ap-southeast-2", "accounts"),
    (
        "batch-worker-02.example.com",
        "ap-southeast-2",
        "search-frontend",
    ),
];
const ENDPOINTS: [&str; 12] = [
    "/",
    "/healthz",
    "/users/{id}",
    "/users/{id}/orders",
    "/users/{id}/orders/{order}",
    "/products",
    "/products/{id}",
    "/products/{id}/reviews",
    "/cart/{id}/items",
    "/cart/{id}/checkout",
    "/search",
    "/admin/reports/{year}/{month}",
];
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
const STATUSES: [&str; 5] = ["200", "201", "304", "404", "500"];

/// How many points there are before they come again, with other stamps: whole batches.
const DIFFERENT: usize = 20 * BATCH;

/// Points, kept small, so that reading them costs a client next to nothing.
#[derive(Debug)]
pub struct Points {
    packed: Vec<Packed>,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Packed {
    tags: [u8; 4],
    bytes: u32,
    duration: f64,
}

impl Points {
    /// The first `count` of an endless sequence of 1,920 series that is always the same. To make
    /// them takes as long for few as for many.
    pub fn new(count: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(8086);
        let tables = [HOSTS.len(), ENDPOINTS.len(), METHODS.len(), STATUSES.len()];
        let packed = (0..DIFFERENT).map(|_| {
            let digits = random.u32(4..20);
            Packed {
                tags: tables.map(|len| random.u8(..len as u8)),
                bytes: random.u32(..1 << digits),
                // Whole nanoseconds, as a clock gives them.
                duration: f64::from(random.u32(100_000..200_000_000)) / 1e9,
            }
        });
        let packed = packed.collect();
        Self { packed, count }
    }

    /// As many as there are.
    pub fn different() -> Self {
        Self::new(DIFFERENT)
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// All of them, by what is sent at a time.
    pub fn batches(&self) -> impl Iterator<Item = impl Iterator<Item = Point>> {
        (0..self.count).step_by(BATCH).map(|start| {
            let len = BATCH.min(self.count - start);
            let packed = &self.packed[start % DIFFERENT..][..len];
            packed.iter().map(Packed::unpack)
        })
    }
}

impl Packed {
    #[inline]
    fn unpack(&self) -> Point {
        let [host, endpoint, method, status] = self.tags.map(usize::from);
        let (host, region, service) = HOSTS[host];
        Point {
            host,
            region,
            service,
            endpoint: ENDPOINTS[endpoint],
            method: METHODS[method],
            status: STATUSES[status],
            duration: self.duration,
            bytes: self.bytes.into(),
        }
    }
}
