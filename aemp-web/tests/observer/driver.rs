//! Chromium by chromedriver: as much of the WebDriver protocol as the tests need. The crates for it bring second versions of several
//! others along, and forty more.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::sleep,
};

use crate::http::{ask, soon};

/// Where Debian's packages `chromium` and `chromium-driver` put them.
const CHROMIUM: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";

/// A browser without a screen.
pub(crate) struct Browser {
    at: SocketAddr,
    session: String,
    _driver: Child,
}

impl Browser {
    /// `None` if there is no browser on this machine.
    pub(crate) async fn start() -> Option<Self> {
        if ![CHROMIUM, DRIVER]
            .iter()
            .all(|file| Path::new(file).exists())
        {
            return None;
        }
        let mut command = Command::new(DRIVER);
        let command = command.arg("--port=0").stdout(Stdio::piped());
        let mut driver = command.kill_on_drop(true).spawn().expect("it starts");
        let mut lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
        let port = loop {
            let line = soon(lines.next_line()).await.expect("text");
            let line = line.expect("it says its port");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').parse().expect("a number");
            }
        };
        // It must not wait for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let mut browser = Self {
            at: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            _driver: driver,
        };
        let capabilities = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": CHROMIUM,
                "args": [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                ],
            },
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let started = browser.call("POST", "/session", &wanted).await;
        browser.session = started["sessionId"].as_str().expect("a session").into();
        Some(browser)
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" {
            body.to_string()
        } else {
            String::new()
        };
        let host = format!("Host: {}\r\n", self.at);
        let answer = ask(self.at, &format!("{method} {path}"), &host, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()["value"].take()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let path = format!("/session/{}/{path}", self.session);
        self.call("POST", &path, &body).await
    }

    pub(crate) async fn open(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// The result of a piece of JavaScript, which says `return`.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// The same for one that calls its last argument with the result.
    pub(crate) async fn wait(&self, script: &str) -> Value {
        self.post("execute/async", json!({ "script": script, "args": [] }))
            .await
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        let become_true = async {
            while self.run(&script).await != true {
                sleep(Duration::from_millis(30)).await;
            }
        };
        soon(become_true).await;
    }

    /// Presses keys, one after the other.
    pub(crate) async fn press(&self, keys: &str) {
        let actions = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
        });
        let actions: Vec<_> = actions.collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("actions", json!({ "actions": [keyboard] })).await;
    }

    /// Sets the width of the window, and the scheme of colours.
    pub(crate) async fn look(&self, width: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.cdp("Emulation.setEmulatedMedia", features).await;
    }

    async fn cdp(&self, command: &str, parameters: Value) {
        self.post(
            "goog/cdp/execute",
            json!({ "cmd": command, "params": parameters }),
        )
        .await;
    }

    /// The errors on the console since the last call.
    pub(crate) async fn errors(&self) -> Vec<String> {
        let lines = self.post("se/log", json!({ "type": "browser" })).await;
        let lines = lines.as_array().cloned().unwrap_or_default();
        let errors = lines.into_iter().filter(|line| line["level"] == "SEVERE");
        errors.map(|line| line["message"].to_string()).collect()
    }

    pub(crate) async fn quit(self) {
        let path = format!("/session/{}", self.session);
        self.call("DELETE", &path, &Value::Null).await;
    }
}
