//! Clients that send requests to the service, over real sockets.

use std::{error::Error, time::Duration};

use actix_influxdb::Stats;
use actix_web::{
    dev::Server,
    rt::{
        self,
        time::{Instant, sleep, timeout},
    },
};
use awc::Client;
use futures_util::{StreamExt as _, future::try_join_all};

const VISITORS: usize = 8;

/// A client's requests, one after the other, and where it disconnects.
const TOUR: [(&str, Stay); 10] = [
    ("/", Stay::ToTheEnd),
    ("/users/7", Stay::ToTheEnd),
    ("/users/8", Stay::ToTheEnd),
    ("/users/ada", Stay::ToTheEnd),
    ("/slow", Stay::ToTheEnd),
    ("/slow", Stay::Milliseconds(100)),
    ("/fail", Stay::ToTheEnd),
    ("/count", Stay::ToTheEnd),
    ("/count", Stay::Chunks(3)),
    ("/nowhere", Stay::ToTheEnd),
];

#[derive(Clone, Copy)]
enum Stay {
    ToTheEnd,
    /// Disconnects after this number of chunks of the body.
    Chunks(usize),
    /// Disconnects after this time, answered or not.
    Milliseconds(u64),
}

/// Pause of the page's clients between requests.
pub const PAUSE: Duration = Duration::from_millis(50);

/// Sends requests for the given time. Returns the number of answered ones.
pub async fn visitors(
    url: &str,
    time: Duration,
    count: usize,
    pause: Duration,
) -> Result<usize, String> {
    let until = Instant::now() + time;
    let visitors = (1..=count).map(|number| visitor(url, until, pause, number));
    Ok(try_join_all(visitors).await?.into_iter().sum())
}

/// Sends requests for the given time, then stops the service. Returns the number of answered ones.
pub async fn run(url: &str, time: Duration, server: Server) -> Result<usize, Box<dyn Error>> {
    let handle = server.handle();
    let server = rt::spawn(server);
    let answered = visitors(url, time, VISITORS, Duration::ZERO).await;
    handle.stop(true).await;
    server.await??;
    Ok(answered?)
}

async fn visitor(
    url: &str,
    until: Instant,
    pause: Duration,
    number: usize,
) -> Result<usize, String> {
    // A correlation id, as a proxy or another service would add it.
    let id = ("x-request-id", format!("visitor-{number}"));
    let client = Client::builder().add_default_header(id).finish();
    let mut answered = 0;
    for (path, stay) in TOUR.into_iter().cycle() {
        if Instant::now() >= until {
            break;
        }
        match visit(&client, format!("{url}{path}"), stay).await {
            Ok(was_answered) => answered += usize::from(was_answered),
            Err(error) => return Err(format!("the demo broke off at GET {path}: {error}")),
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
    Ok(answered)
}

/// Whether the request was answered.
async fn visit(client: &Client, url: String, stay: Stay) -> Result<bool, Box<dyn Error>> {
    let request = client.get(url).send();
    let (mut response, chunks) = match stay {
        Stay::ToTheEnd => (request.await?, usize::MAX),
        Stay::Chunks(chunks) => (request.await?, chunks),
        Stay::Milliseconds(time) => match timeout(Duration::from_millis(time), request).await {
            Ok(response) => (response?, 0),
            Err(_) => return Ok(false),
        },
    };
    let mut body = response.by_ref().take(chunks);
    while let Some(chunk) = body.next().await {
        chunk?;
    }
    Ok(true)
}

/// Checks that everything was delivered. `stored` is the number of requests in the database, if it
/// can be queried.
pub fn check(stats: &Stats, answered: usize, stored: Option<usize>) -> Result<(), Box<dyn Error>> {
    if !stats.balanced() {
        return Err("the ledger doesn't balance".into());
    }
    if stats.pending > 0 || stats.written < stats.recorded {
        let missing = stats.recorded - stats.written;
        let (rejected, dropped) = (stats.rejected, stats.dropped);
        let reasons = format!("{rejected} rejected, {dropped:?}");
        return Err(format!("{missing} measurements were not delivered: {reasons}").into());
    }
    match stored {
        Some(stored) if stored < answered => {
            Err(format!("{answered} requests were answered, but only {stored} recorded").into())
        }
        _ => Ok(()),
    }
}
