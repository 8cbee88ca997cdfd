//! A real browser, spoken to over a pipe: pages are opened, keys pressed, and what runs in a page is seen.
//!
//! In: addresses, keys, expressions. Out: values of the page, dialogs that opened, errors. Never: a port, a profile that outlives the test.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest wait for an answer: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);

/// A browser with one page.
pub struct Chromium {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Option<String>,
    next: u64,
    /// Whatever the browser told unasked.
    pub events: Vec<Value>,
    _profile: TempDir,
}

/// Returns the browser's name, if one is installed.
pub fn installed() -> Option<&'static str> {
    let works =
        |name: &&str| Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(works)
}

impl Chromium {
    /// Starts a browser with a page of this size; `None`, and a line that says so, where none is installed.
    pub fn start(test: &str, width: u32, height: u32) -> Option<Self> {
        let Some(name) = installed() else {
            // Not through the test harness, which would keep it to itself.
            let _ = writeln!(std::io::stderr(), "skipped: {test}: no chromium, chromium-browser or google-chrome is installed");
            return None;
        };
        let profile = tempfile::tempdir().expect("a temporary folder can be made");
        // The browser speaks over the files 3 and 4; the shell lays them on the pipes that a child can be given.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 >/dev/null", name, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--window-size={width},{height}"))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the shell starts");
        let to = child.stdin.take().expect("it is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while answers.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let mut browser = Self { child, to, from, session: None, next: 0, events: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", size);
        Some(browser)
    }

    /// Asks the browser for something and returns its answer.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.ask(method, params).unwrap_or_else(|refused| panic!("{method}: {refused}"))
    }

    /// Asks the browser for something and returns its answer, or what it says instead; a dialog that opens meanwhile is noted and closed.
    fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.send(method, params);
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = self.from.recv_timeout(left).unwrap_or_else(|error| panic!("the browser does not answer `{method}`: {error}"));
            if message["id"] == id {
                return message.get("error").map_or_else(|| Ok(message["result"].clone()), |refused| Err(refused.clone()));
            }
            if message["method"] == "Page.javascriptDialogOpening" {
                self.send("Page.handleJavaScriptDialog", json!({ "accept": false }));
            }
            if message.get("method").is_some() {
                self.events.push(message);
            }
        }
    }

    fn send(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser listens");
        self.next
    }

    /// Opens an address and waits until the page has drawn itself.
    pub fn open(&mut self, address: &str) {
        // A page with the same path and another fragment would not be loaded anew.
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        self.call("Page.navigate", json!({ "url": address }));
        self.wait("document.readyState === 'complete' && document.querySelector('#bar .count, body.plain') !== null");
    }

    /// Returns the value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        self.evaluate(expression).unwrap_or_else(|why| panic!("{expression}: {why}"))
    }

    /// Does what makes the page load anew. What it returns may go with the page, as the answer to any question on the way.
    pub fn leave(&mut self, expression: &str) {
        let _ = self.evaluate(expression);
    }

    /// Waits until an expression is true. A page that is on its way, or not built yet, is asked again.
    pub fn wait(&mut self, expression: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.evaluate(&format!("Boolean({expression})"));
            if said == Ok(Value::Bool(true)) {
                return;
            }
            assert!(Instant::now() < until, "never true: {expression}\n{said:?}\n{:?}", self.mishaps());
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    fn evaluate(&mut self, expression: &str) -> Result<Value, Value> {
        let answer = self.ask("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true, "awaitPromise": true }))?;
        answer.get("exceptionDetails").map_or_else(|| Ok(answer["result"]["value"].clone()), |thrown| Err(thrown.clone()))
    }

    /// Presses keys, one after the other: single characters, or names such as `Enter`.
    pub fn press(&mut self, keys: &[&str]) {
        for key in keys {
            let text = match *key {
                "Enter" => "\r",
                key if key.chars().count() == 1 => key,
                _ => "",
            };
            let code = match *key {
                "Enter" => 13,
                "Tab" => 9,
                "Escape" => 27,
                _ => 0,
            };
            let kind = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
            self.call("Input.dispatchKeyEvent", json!({ "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code }));
            self.call("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code }));
        }
    }

    /// Types a text where the focus is.
    pub fn insert(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Returns dialogs that were opened, exceptions, and everything that the policy of the page has stopped.
    pub fn mishaps(&self) -> Vec<String> {
        let is_one = |event: &&Value| match event["method"].as_str() {
            Some("Page.javascriptDialogOpening" | "Runtime.exceptionThrown") => true,
            // Browsers ask every server for an icon; this one has none.
            Some("Log.entryAdded") => {
                let entry = &event["params"]["entry"];
                entry["level"] == "error" && !entry["url"].as_str().unwrap_or_default().ends_with("/favicon.ico")
            }
            _ => false,
        };
        self.events.iter().filter(is_one).map(|event| event["params"].to_string()).collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It goes by itself when it is told; the group of its helpers goes with it.
        let _ = self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
