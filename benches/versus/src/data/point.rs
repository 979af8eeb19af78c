//! One point, and the names in it.

/// One point, with its strings as a program has its own.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// The number of its series.
    pub series: usize,
    pub host: &'static Host,
    pub endpoint: &'static str,
    pub method: &'static str,
    pub status: &'static str,
    /// What its fields are of: the first has the duration and bytes of the request.
    pub numbers: &'a [Numbers; 5],
}

/// Values for a float and an integer, and whose they are: the series' number and its tags.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    pub seconds: f64,
    pub count: u32,
    series: u32,
    host: u32,
    endpoint: u8,
    method: u8,
    status: u8,
}

/// A host is in one region, and runs one service.
#[derive(Debug)]
pub struct Host {
    pub name: &'static str,
    pub region: &'static str,
    pub service: &'static str,
    /// More tags, for points that have them.
    pub more: &'static [&'static str; 14],
}

/// What hosts are called (the text before and after a number), the first number, the region and the
/// service.
const KINDS: [(&str, &str, usize, &str, &str); 8] = [
    ("web-", ".eu.example.com", 1, "eu-west-1", "checkout"),
    ("web-", ".eu.example.com", 2, "eu-west-1", "catalogue-api"),
    ("web-", ".us.example.com", 3, "us-east-1", "checkout"),
    ("web-", ".us.example.com", 4, "us-east-1", "search-frontend"),
    ("api-", ".eu.example.com", 1, "eu-west-1", "accounts"),
    ("api-", ".us.example.com", 2, "us-east-1", "catalogue-api"),
    (
        "batch-worker-",
        ".example.com",
        1,
        "ap-southeast-2",
        "accounts",
    ),
    (
        "batch-worker-",
        ".example.com",
        2,
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

/// In the order in which [`super::shape::ManyTags`] has them.
const MORE: [[&str; 14]; 2] = [
    [
        "eu-west-1b",
        "production-eu",
        "shop",
        "shop-web-v2",
        "2026.11.3",
        "rust-1.95",
        "6.18.2",
        "x86_64",
        "c7i.2xlarge",
        "storefront",
        "frontend",
        "h2",
        "https",
        "ok",
    ],
    [
        "us-east-1a",
        "production-us",
        "backoffice",
        "backoffice-api",
        "2026.11.2",
        "rust-1.94",
        "6.12.60",
        "aarch64",
        "m8g.xlarge",
        "platform",
        "internal",
        "http/1.1",
        "http",
        "error",
    ],
];

impl Host {
    pub(super) fn new(number: usize) -> Self {
        let kind = number % KINDS.len();
        let (before, after, first, region, service) = KINDS[kind];
        let number = first + number / KINDS.len() * 4;
        let name = format!("{before}{number:02}{after}");
        Self {
            name: Box::leak(name.into_boxed_str()),
            region,
            service,
            more: &MORE[kind % MORE.len()],
        }
    }
}

impl Numbers {
    /// Each series has tags of its own, as long as there are at most 240 for a host.
    pub(super) fn new(seconds: f64, count: u32, series: usize, hosts: usize) -> Self {
        let digit = |number: usize, of: &[&str]| (number % of.len()) as u8;
        // So that the hosts differ in the rest too where each is of one series only.
        let rest = series / hosts + series % hosts;
        Self {
            seconds,
            count,
            series: series as u32,
            host: (series % hosts) as u32,
            endpoint: digit(rest, &ENDPOINTS),
            method: digit(rest / ENDPOINTS.len(), &METHODS),
            status: digit(rest / ENDPOINTS.len() / METHODS.len(), &STATUSES),
        }
    }
}

impl<'a> Point<'a> {
    #[inline]
    pub(super) fn new(numbers: &'a [Numbers; 5], hosts: &'static [Host]) -> Self {
        let first = &numbers[0];
        Self {
            series: first.series as usize,
            host: &hosts[first.host as usize],
            endpoint: ENDPOINTS[usize::from(first.endpoint)],
            method: METHODS[usize::from(first.method)],
            status: STATUSES[usize::from(first.status)],
            numbers,
        }
    }
}
