//! The live page of `examples/web_service` in a real browser: what it shows, its buttons, at two widths, light and
//! dark. `LIVE_PAGE_PICTURES=docs/images cargo test --test live_page` makes the README's pictures. Without Chromium,
//! this is left out.

mod browser;
#[path = "../support/mod.rs"]
mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use browser::Browser;
use support::test_name;

const LONG: Duration = Duration::from_secs(30);

const WIDTHS: [u32; 2] = [360, 1_280];
const SCHEMES: [&str; 2] = ["light", "dark"];

/// The service, with the page.
struct Service {
    child: Child,
    url: String,
}

impl Service {
    /// None after saying that the test was left out.
    fn start(test: &str, influxdb: Option<&str>) -> Option<Self> {
        let example = support::example::program(test, "web_service")?;
        Some(Self::run(example, influxdb))
    }

    fn run(example: PathBuf, influxdb: Option<&str>) -> Self {
        let mut child = Command::new(example)
            .args(["--port", "0"])
            .env_clear()
            .envs(influxdb.map(|url| ("INFLUXDB_URL", url)))
            .env("INFLUXDB_INTERVAL", "500")
            .env("INFLUXDB_CREATE_DATABASE", "true")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the example");
        let (tell, told) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| _ = tell.send(line))
        });
        let url = loop {
            let line = told.recv_timeout(LONG).expect("the page's address");
            if let Some(rest) = line.strip_prefix("The live page is ") {
                break rest.split(';').next().unwrap().to_owned();
            }
        };
        Self { child, url }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The numbers of the ledger as the page shows them, all of one moment.
const LEDGER: &str = r#"(() => {
    const names = ["recorded", "written", "rejected", "dropped", "pending", "in_flight", "buffered", "spooled", "arrived"];
    return names.map((name) => Number(document.getElementById(`n-${name}`).textContent.replaceAll(",", "")));
})()"#;

#[derive(Clone, Copy, Debug)]
struct Ledger {
    recorded: u64,
    written: u64,
    rejected: u64,
    dropped: u64,
    pending: u64,
    arrived: u64,
}

/// Reads the ledger, which adds up: the numbers, the sentence and the bar.
async fn ledger(browser: &mut Browser) -> Ledger {
    let read = browser.value(LEDGER).await;
    let read: Vec<u64> = read
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_u64().unwrap())
        .collect();
    let [
        recorded,
        written,
        rejected,
        dropped,
        pending,
        in_flight,
        buffered,
        spooled,
        arrived,
    ] = read[..]
    else {
        panic!("{read:?}");
    };
    assert_eq!(recorded, written + rejected + dropped + pending, "{read:?}");
    assert_eq!(pending, in_flight + buffered + spooled, "{read:?}");
    let sum = browser
        .value("document.getElementById('sum').textContent")
        .await;
    assert!(sum.as_str().unwrap().ends_with(": it adds up"), "{sum}");
    let widths = "[...document.getElementById('bar').children].map((it) => it.getBoundingClientRect().width)";
    let bar =
        format!("[{widths}.reduce((a, b) => a + b), document.getElementById('bar').clientWidth]");
    let widths = browser.value(&bar).await;
    let [parts, whole] = [0, 1].map(|at| widths[at].as_f64().unwrap());
    assert!(
        recorded == 0 || (parts - whole).abs() < 1.0,
        "the bar has a gap: {widths}"
    );
    Ledger {
        recorded,
        written,
        rejected,
        dropped,
        pending,
        arrived,
    }
}

fn number(name: &str) -> String {
    format!("Number(document.getElementById('n-{name}').textContent.replaceAll(',', ''))")
}

/// Presses a button, as a user of a mouse does, when it can be pressed.
async fn press(browser: &mut Browser, name: &str) {
    let button = format!("document.getElementById('press-{name}')");
    browser
        .wait_for(&format!(
            "{button}.getAttribute('aria-disabled') === 'false'"
        ))
        .await;
    browser.value(&format!("{button}.click()")).await;
    let said = "document.getElementById('said').textContent";
    browser
        .wait_for(&format!(
            "{said}.startsWith({button}.textContent.split(' (')[0])"
        ))
        .await;
}

/// A service, and a browser of this width that has its page open; or None, and the test is left out.
async fn opened(test: &str, influxdb: Option<&str>, width: u32) -> Option<(Service, Browser)> {
    let binary = browser::installed(test)?;
    let service = Service::start(test, influxdb)?;
    let mut browser = Browser::start(binary).await;
    browser.look(width, SCHEMES[0]).await;
    open(&mut browser, &service.url).await;
    Some((service, browser))
}

async fn open(browser: &mut Browser, url: &str) {
    browser
        .call("Page.navigate", serde_json::json!({"url": url}))
        .await;
    browser
        .wait_for("Number(document.documentElement?.dataset.ticks) > 1")
        .await;
}

fn happened(text: &str) -> String {
    format!("document.getElementById('happenings').textContent.includes({text:?})")
}

#[actix::test]
async fn each_button_of_the_live_page_does_what_it_says_and_the_ledger_adds_up() {
    let test = test_name!();
    let Some((service, mut browser)) = opened(test, None, WIDTHS[1]).await else {
        return;
    };

    // Visitors: each endpoint, outcome and status is there.
    press(&mut browser, "visitors").await;
    browser
        .wait_for("document.getElementById('endpoints').rows.length >= 6")
        .await;
    for text in ["/users/{id}", "/slow", "/fail", "/count", "unmatched"] {
        browser
            .wait_for(&format!(
                "document.getElementById('endpoints').textContent.includes({text:?})"
            ))
            .await;
    }
    for outcome in ["ok: ", "error: ", "aborted: "] {
        browser
            .wait_for(&format!(
                "document.getElementById('outcomes').textContent.includes({outcome:?})"
            ))
            .await;
    }
    browser
        .wait_for("document.getElementById('lines').textContent.includes('my-service,')")
        .await;
    browser
        .wait_for("document.querySelectorAll('.plot canvas').length === 3")
        .await;
    browser
        .wait_for(
            "document.getElementById('machine').textContent.match(/memory used: [1-9]/) !== null",
        )
        .await;

    // A bad measurement: that line alone, with the server's reason.
    let before = ledger(&mut browser).await;
    assert_eq!((before.rejected, before.dropped), (0, 0));
    press(&mut browser, "bad").await;
    browser
        .wait_for(&format!("{} === 1", number("rejected")))
        .await;
    browser
        .wait_for(&happened("bad measurement without fields (the server: "))
        .await;
    browser.wait_for(&happened("unable to parse")).await;

    press(&mut browser, "conflict").await;
    browser
        .wait_for(&format!("{} === 2", number("rejected")))
        .await;
    browser.wait_for(&happened("field type conflict")).await;

    // An answer of 429: what was sent waits, and is sent again.
    press(&mut browser, "busy").await;
    browser.wait_for(&happened("429")).await;

    // One database is forbidden, and the other goes on.
    press(&mut browser, "forbid").await;
    browser.wait_for(&happened("example_forbidden")).await;
    let during = ledger(&mut browser).await;
    browser
        .wait_for(&format!("{} > {}", number("written"), during.written + 5))
        .await;
    let during = ledger(&mut browser).await;
    assert!(during.pending >= 20, "{during:?}");

    // The database is away: what waits grows, the breaker opens; it drains when it is back.
    press(&mut browser, "stop").await;
    browser.wait_for(&happened("The breaker opened")).await;
    let early = ledger(&mut browser).await;
    browser
        .wait_for(&format!("{} > {}", number("pending"), early.pending + 5))
        .await;
    browser
        .wait_for("document.getElementById('health').textContent.includes('down')")
        .await;
    ledger(&mut browser).await;
    browser.wait_for(&happened("The breaker closed")).await;

    let before = ledger(&mut browser).await;
    press(&mut browser, "burst").await;
    browser
        .wait_for(&format!(
            "{} >= {}",
            number("written"),
            before.written + 100_000
        ))
        .await;

    // When visitors are gone and all faults are over, all has arrived that was written, and nothing else is lost.
    browser
        .wait_for(&format!(
            "{} < 20 && {}",
            number("pending"),
            "document.getElementById('health').textContent.startsWith('ok')"
        ))
        .await;
    let settled = format!("{} === {}", number("arrived"), number("written"));
    browser.wait_for(&settled).await;
    let end = ledger(&mut browser).await;
    assert_eq!((end.rejected, end.dropped), (2, 0), "{end:?}");
    assert!(end.arrived > 100_000 && end.recorded > 100_000, "{end:?}");

    // Nothing was asked elsewhere, and nothing went wrong.
    let elsewhere = browser.requests.iter();
    let elsewhere: Vec<_> = elsewhere
        .filter(|url| !url.starts_with(&service.url) && !url.starts_with("data:"))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

/// The page of a service that writes to a real server: figures are asked of it, in its language.
async fn assert_a_real_server_is_asked(test: &str, url: &str, name: &str, language: &str) {
    let Some((_service, mut browser)) = opened(test, Some(url), WIDTHS[1]).await else {
        return;
    };
    let text = |id: &str| format!("document.getElementById({id:?}).textContent");
    browser
        .wait_for(&format!("{}.startsWith({name:?})", text("server")))
        .await;
    browser
        .wait_for(&format!("{} === {language:?}", text("asked")))
        .await;
    press(&mut browser, "visitors").await;
    for endpoint in ["/users/{id}", "/slow", "/fail", "unmatched"] {
        browser
            .wait_for(&format!("{}.includes({endpoint:?})", text("endpoints")))
            .await;
    }
    for (id, shown) in [
        ("statuses", "404: "),
        ("outcomes", "error: "),
        ("lines", "duration="),
    ] {
        browser
            .wait_for(&format!("{}.includes({shown:?})", text(id)))
            .await;
    }
    browser
        .wait_for(&format!(
            "{}.match(/memory used: [1-9]/) !== null",
            text("machine")
        ))
        .await;
    // `/slow` takes half a second, or 100 ms when its visitor leaves.
    let slow = "[...document.getElementById('endpoints').rows].find((it) => it.cells[0].textContent === '/slow')";
    let slow = format!("Number({slow}.cells[4].textContent.replaceAll(',', '')) > 90");
    browser.wait_for(&slow).await;
    // What can't be done to a real server is off, and says why.
    for button in ["stop", "busy", "forbid"] {
        let button = format!("document.getElementById('press-{button}')");
        let off = format!(
            "{button}.getAttribute('aria-disabled') === 'true' && {button}.getAttribute('aria-describedby') === 'off'"
        );
        assert_eq!(browser.value(&off).await, true, "{button}");
    }
    assert_eq!(
        browser.value("document.getElementById('off').hidden").await,
        false
    );
    assert!(ledger(&mut browser).await.written > 0);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[actix::test]
async fn the_live_page_of_a_real_influxd_shows_what_influxql_answers() {
    let influxd = support::require_influxd!();
    assert_a_real_server_is_asked(test_name!(), influxd.url(), "InfluxDB 1.", "InfluxQL").await;
}

#[actix::test]
async fn the_live_page_of_a_real_victoria_metrics_shows_what_promql_answers() {
    let victoria = support::require_victoria_metrics!();
    let url = victoria.url();
    assert_a_real_server_is_asked(test_name!(), url, "VictoriaMetrics", "PromQL").await;
}

/// Texts whose contrast with what is behind them is below 4.5:1 (WCAG 2.2, 1.4.3).
const FAINT: &str = r#"(() => {
    const rgb = (text) => text.match(/[\d.]+/g).map(Number);
    const light = (color) => {
        const [r, g, b] = color.map((it) => it / 255).map((it) => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const color = rgb(getComputedStyle(element).backgroundColor);
            if (color[3] !== 0) return color.slice(0, 3);
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.getClientRects().length) continue;
        const [one, other] = [light(rgb(getComputedStyle(element).color).slice(0, 3)), light(behind(element))];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (contrast < 4.5) faint.push(`${element.tagName} ${element.textContent.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
    }
    return faint;
})()"#;

#[actix::test]
async fn the_live_page_fits_both_widths_and_color_schemes() {
    let test = test_name!();
    let Some((_service, mut browser)) = opened(test, None, WIDTHS[1]).await else {
        return;
    };
    press(&mut browser, "visitors").await;
    press(&mut browser, "bad").await;
    browser
        .wait_for(&format!("{} === 1", number("rejected")))
        .await;
    browser
        .wait_for("document.getElementById('endpoints').rows.length >= 6")
        .await;
    let pictures = browser::pictures();
    if pictures.is_some() {
        // So that the plots have something to show.
        actix::clock::sleep(Duration::from_secs(12)).await;
        press(&mut browser, "stop").await;
        browser.wait_for(&happened("The breaker opened")).await;
        actix::clock::sleep(Duration::from_secs(5)).await;
    }
    let mut backs = Vec::new();
    for width in WIDTHS {
        for scheme in SCHEMES {
            browser.look(width, scheme).await;
            let ticks = browser
                .value("Number(document.documentElement.dataset.ticks)")
                .await;
            browser
                .wait_for(&format!(
                    "Number(document.documentElement.dataset.ticks) > {ticks} + 1"
                ))
                .await;
            let what = format!("{width} px, {scheme}");
            let wide = browser
                .value("[document.documentElement.scrollWidth, innerWidth]")
                .await;
            assert!(
                wide[0].as_u64() <= wide[1].as_u64(),
                "{what}: {wide}: it scrolls sideways"
            );
            assert_eq!(wide[1], width, "{what}");
            let plots = browser.value("[...document.querySelectorAll('.plot')].map((it) => [it.clientWidth, it.querySelector('canvas').clientWidth])").await;
            for plot in plots.as_array().unwrap() {
                let [box_, canvas] = [0, 1].map(|at| plot[at].as_u64().unwrap());
                assert!(canvas > box_ / 2 && canvas <= box_, "{what}: {plots}");
            }
            let faint = browser.value(FAINT).await;
            assert_eq!(faint, serde_json::json!([]), "{what}");
            // A finger is no needle (WCAG 2.2, 2.5.8).
            let small = browser.value("[...document.querySelectorAll('button')].filter((it) => it.clientHeight < 24).length").await;
            assert_eq!(small, 0, "{what}");
            backs.push(
                browser
                    .value("getComputedStyle(document.body).backgroundColor")
                    .await,
            );
            ledger(&mut browser).await;
            if let Some(folder) = &pictures {
                let picture = browser
                    .picture(if width == 360 { 800 } else { 1_180 })
                    .await;
                fs::create_dir_all(folder).unwrap();
                fs::write(
                    folder.join(format!("live-page-{width}-{scheme}.png")),
                    picture,
                )
                .unwrap();
            }
        }
    }
    assert!(
        backs[0] != backs[1] && backs[0] == backs[2] && backs[1] == backs[3],
        "{backs:?}"
    );
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[actix::test]
async fn the_live_page_can_be_used_by_keyboard_and_is_read_to_the_blind() {
    let test = test_name!();
    let Some((_service, mut browser)) = opened(test, None, WIDTHS[0]).await else {
        return;
    };

    // All buttons are reached by Tab, in their order; the third one is pressed by Enter.
    let mut reached = Vec::new();
    for _ in 0..30 {
        browser.key("Tab", 9).await;
        let id = browser.value("document.activeElement.id").await;
        let id = id.as_str().unwrap_or_default().to_owned();
        if id == "press-bad" {
            browser.key("Enter", 13).await;
        }
        reached.push(id);
    }
    let buttons = reached.iter().filter(|id| id.starts_with("press-"));
    let buttons: Vec<_> = buttons.map(|id| &id[6..]).take(7).collect();
    assert_eq!(
        buttons,
        [
            "visitors", "stop", "bad", "conflict", "burst", "busy", "forbid"
        ]
    );
    assert!(
        reached.iter().any(|id| id == "percentile") && reached.iter().any(|id| id == "lines"),
        "{reached:?}"
    );
    browser
        .wait_for(&format!("{} === 1", number("rejected")))
        .await;

    // All that can be used or looked at has a name.
    let tree = browser
        .call("Accessibility.getFullAXTree", serde_json::json!({}))
        .await;
    let nodes = tree["nodes"].as_array().unwrap();
    let mut roles = Vec::new();
    for node in nodes.iter().filter(|node| node["ignored"] != true) {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        let name = node["name"]["value"].as_str().unwrap_or_default();
        if [
            "button", "link", "combobox", "image", "region", "group", "table", "figure",
        ]
        .contains(&role)
            && role != "figure"
        {
            assert!(!name.is_empty(), "without a name: {node}");
        }
        roles.push(format!("{role} {name}"));
    }
    let there = |text: &str| roles.iter().any(|it| it.starts_with(text));
    for text in [
        "main",
        "status",
        "button Send a bad measurement",
        "heading The ledger always adds up",
        "table Of the last 10 seconds",
    ] {
        assert!(there(text), "{text}: {roles:#?}");
    }
    // The bar is read as the sum.
    assert!(
        roles
            .iter()
            .any(|it| it.starts_with("image ") && it.ends_with("it adds up")),
        "{roles:#?}"
    );
}

/// Megabytes that a process has in memory.
#[cfg(target_os = "linux")]
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() / 1_024
}

// Without taking lines out, each burst stays: about 60 MB.
#[cfg(target_os = "linux")]
#[test]
fn the_server_of_the_live_page_keeps_a_bounded_part_of_what_arrives() {
    let Some(service) = Service::start(test_name!(), None) else {
        return;
    };
    let events = ureq::get(format!("{}/live/events", service.url))
        .call()
        .unwrap();
    let events = BufReader::new(events.into_body().into_reader());
    let mut written = events.lines().map_while(Result::ok).filter_map(|line| {
        let tick: serde_json::Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
        tick["ledger"]["written"].as_u64()
    });
    let mut burst = |number: u64| {
        let press = ureq::post(format!("{}/live/press/burst", service.url));
        press.header("x-pressed", "1").send_empty().unwrap();
        assert!(
            written.any(|written| written >= number * 100_000),
            "the stream ended"
        );
        resident(service.child.id())
    };
    // The first ones fill buffers, and what is remembered.
    let early = (1..=3).map(&mut burst).max().unwrap();
    let late = (4..=6).map(&mut burst).max().unwrap();
    assert!(late < early + 60, "{early} MB, then {late} MB");
}

#[test]
fn other_pages_can_not_press_the_buttons_of_the_live_page() {
    let Some(service) = Service::start(test_name!(), None) else {
        return;
    };
    let press = |name: &str| ureq::post(format!("{}/live/press/{name}", service.url));
    let status = |result: Result<_, ureq::Error>| match result {
        Err(ureq::Error::StatusCode(status)) => status,
        other => panic!("{other:?}"),
    };
    // A form of another page sends no header of its own.
    assert_eq!(status(press("stop").send_empty()), 403);
    let own = |name| press(name).header("x-pressed", "1").send_empty();
    assert_eq!(status(own("nothing")), 409);
    assert_eq!(own("stop").unwrap().status(), 202);
    assert_eq!(status(own("stop")), 409, "it is stopped already");
}
