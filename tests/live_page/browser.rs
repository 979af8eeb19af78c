//! A headless Chromium, driven over the DevTools protocol: <https://chromedevtools.github.io/devtools-protocol/>.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use actix::clock::{sleep, timeout};
use actix_codec::Framed;
use awc::{
    BoxedSocket, Client,
    ws::{Codec, Frame, Message},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{self, http};

const LONG: Duration = Duration::from_secs(30);
/// The largest message, in bytes: a picture.
const MAX_MESSAGE: usize = 64 << 20;

pub fn installed(test: &str) -> Option<PathBuf> {
    support::find_or_leave_out(test, "chromium", "chromium", "CHROMIUM_BIN")
}

struct Process {
    child: Child,
    _profile: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its helpers end when it is gone.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// One page of a browser of its own.
pub struct Browser {
    socket: Framed<BoxedSocket, Codec>,
    _process: Process,
    calls: u64,
    /// Errors of scripts and of the network, and what was written to the console.
    pub complaints: Vec<String>,
    /// The URLs that were asked for.
    pub requests: Vec<String>,
}

impl Browser {
    pub async fn start(binary: PathBuf) -> Self {
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let mut child = Command::new(binary)
            .args([
                "--headless=new",
                "--remote-debugging-port=0",
                "--no-first-run",
            ])
            // Containers have no user namespaces, small /dev/shm and no GPU; the page is our own.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args([
                "--no-proxy-server",
                "--disable-extensions",
                "--hide-scrollbars",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chromium starts");
        let errors = BufReader::new(child.stderr.take().unwrap());
        let process = Process {
            child,
            _profile: profile,
        };
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                _ = tell.send(line);
            }
        });
        let began = Instant::now();
        let mut said = Vec::new();
        let address = loop {
            let left = LONG.saturating_sub(began.elapsed());
            let line = told.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("chromium doesn't listen: {said:#?}"));
            if let Some(url) = line.strip_prefix("DevTools listening on ws://") {
                break url.split('/').next().unwrap().to_owned();
            }
            said.push(line);
        };
        let page = loop {
            let pages = http::get(&format!("http://{address}/json/list"), &[], LONG).unwrap();
            let pages: Value = serde_json::from_str(&pages.body).unwrap();
            let pages = pages.as_array().unwrap().iter();
            let mut pages = pages.filter(|it| it["type"] == "page");
            match pages.next() {
                Some(page) => break page["webSocketDebuggerUrl"].as_str().unwrap().to_owned(),
                None if began.elapsed() > LONG => panic!("chromium has no page"),
                None => sleep(Duration::from_millis(20)).await,
            }
        };
        let request = Client::default().ws(page).max_frame_size(MAX_MESSAGE);
        let (_, socket) = request.connect().await.expect("chromium's socket");
        let mut browser = Self {
            socket,
            _process: process,
            calls: 0,
            complaints: Vec::new(),
            requests: Vec::new(),
        };
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// Calls a method of the protocol.
    pub async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let call = json!({"id": self.calls, "method": method, "params": parameters});
        let sent = self.socket.send(Message::Text(call.to_string().into()));
        sent.await.expect("chromium listens");
        let answer = async {
            loop {
                let message = self.next().await;
                if message["id"] == self.calls {
                    break message;
                }
                self.notice(&message);
            }
        };
        // Not `self` whole: the future borrows it.
        let answer = timeout(LONG, answer).await;
        let answer = answer.unwrap_or_else(|_| panic!("{method}: no answer"));
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    async fn next(&mut self) -> Value {
        let mut text = Vec::new();
        loop {
            let frame = self.socket.next().await.expect("chromium is there");
            match frame.expect("a frame") {
                Frame::Text(bytes) => return serde_json::from_slice(&bytes).expect("JSON"),
                Frame::Continuation(item) => {
                    use actix_http::ws::Item::{Continue, FirstBinary, FirstText, Last};
                    match item {
                        FirstText(bytes) | FirstBinary(bytes) | Continue(bytes) => {
                            text.extend(bytes)
                        }
                        Last(bytes) => {
                            text.extend(bytes);
                            return serde_json::from_slice(&text).expect("JSON");
                        }
                    }
                }
                Frame::Ping(bytes) => self.socket.send(Message::Pong(bytes)).await.unwrap(),
                _ => {}
            }
        }
    }

    fn notice(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.complaints.push(parameters.to_string()),
            "Runtime.consoleAPICalled" => self.complaints.push(parameters["args"].to_string()),
            "Log.entryAdded" => self
                .complaints
                .push(parameters["entry"]["text"].to_string()),
            "Network.requestWillBeSent" => {
                let url = parameters["request"]["url"].as_str().unwrap_or_default();
                self.requests.push(url.to_owned());
            }
            _ => {}
        }
    }

    /// The value of an expression; promises are waited for.
    pub async fn value(&mut self, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", parameters).await;
        let exception = result.get("exceptionDetails");
        assert!(exception.is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn wait_for(&mut self, expression: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let began = Instant::now();
            while self.value(expression).await != true {
                if began.elapsed() > LONG {
                    let text = self.value("document.body.innerText").await;
                    panic!(
                        "{caller}: not within {LONG:?}: {expression}\n{}",
                        text.as_str().unwrap_or_default()
                    );
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    pub async fn key(&mut self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let text = if key == "Enter" { "\r" } else { "" };
            let parameters = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.call("Input.dispatchKeyEvent", parameters).await;
        }
    }

    /// Width in CSS pixels, and the color scheme that the user prefers.
    pub async fn look(&mut self, width: u32, scheme: &str) {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [feature]}))
            .await;
    }

    /// A picture of the top of the page: PNG.
    pub async fn picture(&mut self, height: u32) -> Vec<u8> {
        let width = self.value("innerWidth").await;
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let parameters = json!({"format": "png", "clip": clip, "captureBeyondViewport": true});
        let picture = self.call("Page.captureScreenshot", parameters).await;
        STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }
}

/// Where the README's pictures go, if somebody wants new ones.
pub fn pictures() -> Option<PathBuf> {
    env::var_os("LIVE_PAGE_PICTURES").map(PathBuf::from)
}
