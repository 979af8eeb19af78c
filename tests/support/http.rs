//! The little blocking HTTP that the harness speaks, independent of the crate under test.

use std::time::Duration;

/// For requests that don't say how long they may take.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The largest body read; a query for 100,000 rows is about 20 MB of JSON.
const MAX_REPLY: u64 = 256 << 20;

/// What a server answered, whatever the status; no answer at all is the `Err` around it.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: String,
}

pub type Result = std::result::Result<Reply, ureq::Error>;

pub fn get(url: &str, parameters: &[(&str, &str)], timeout: Duration) -> Result {
    read(
        agent(timeout)
            .get(url)
            .query_pairs(parameters.iter().copied())
            .call()?,
    )
}

pub fn post(url: &str, parameters: &[(&str, &str)], body: &[u8]) -> Result {
    read(
        agent(TIMEOUT)
            .post(url)
            .query_pairs(parameters.iter().copied())
            .send(body)?,
    )
}

pub fn post_form(url: &str, parameters: &[(&str, &str)], form: &[(&str, &str)]) -> Result {
    let request = agent(TIMEOUT)
        .post(url)
        .query_pairs(parameters.iter().copied());
    read(request.send_form(form.iter().copied())?)
}

/// One connection per request and no proxy: a killed or paused server leaves nothing behind here.
fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_idle_connections(0)
        .proxy(None)
        .build()
        .into()
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result {
    Ok(Reply {
        status: response.status().as_u16(),
        body: response
            .body_mut()
            .with_config()
            .limit(MAX_REPLY)
            .read_to_string()?,
    })
}
