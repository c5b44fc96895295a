//! A headless Chromium, driven by ChromeDriver over the WebDriver protocol: JSON over HTTP.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The JSON member in which WebDriver sends an element's id.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How many times an action is tried, every 100 ms, before it counts as failed.
const ATTEMPTS: u32 = 150;

/// Chromium and its driver.
pub struct Programs {
    chromium: PathBuf,
    driver: PathBuf,
}

impl Programs {
    /// Searches `PATH`; `None` if either program is missing.
    pub fn find() -> Option<Self> {
        let in_path = |names: &[&str]| {
            let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
            let all = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
            all.into_iter().find(|file| file.is_file())
        };
        let chromium = in_path(&["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])?;
        Some(Self { chromium, driver: in_path(&["chromedriver"])? })
    }
}

/// A browser with one page.
pub struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
    /// The browser's profile; removed after the browser has stopped.
    _profile: tempfile::TempDir,
}

/// How often ChromeDriver is started.
const STARTS: u32 = 5;

/// Starts ChromeDriver, and returns its port. It looks for a free one, then opens it, and ends if another program was
/// faster: then it is started again.
async fn start_driver(programs: &Programs) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    for _ in 0..STARTS {
        let mut driver = Command::new(&programs.driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("ChromeDriver starts");
        let mut lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
        while let Some(line) = lines.next_line().await.expect("ChromeDriver writes") {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                let port = port.trim_end_matches('.').to_owned();
                return (driver, lines, port);
            }
        }
    }
    panic!("ChromeDriver was started {STARTS} times, and never named its port");
}

impl Browser {
    pub async fn start(programs: &Programs) -> Self {
        let (driver, mut lines, port) = start_driver(programs).await;
        // Keep reading, so that it never blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let base = format!("http://127.0.0.1:{port}");
        // The first test installs it; for later ones this fails, which is fine.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "binary": programs.chromium, "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--window-size=1280,2400", format!("--user-data-dir={}", profile.path().display()),
            ] },
        } } });
        let made = call(&http, Method::POST, &format!("{base}/session"), wanted).await.expect("Chromium starts");
        let session = format!("{base}/session/{}", made["sessionId"].as_str().expect("a session"));
        Self { driver, http, session, _profile: profile }
    }

    /// Stops Chromium, and then its driver.
    pub async fn end(mut self) {
        let _ = call(&self.http, Method::DELETE, &self.session, Value::Null).await;
        self.driver.kill().await.expect("ChromeDriver can be stopped");
    }

    async fn command(&self, method: Method, path: &str, body: Value) -> Result<Value, String> {
        call(&self.http, method, &format!("{}{path}", self.session), body).await
    }

    async fn must(&self, method: Method, path: &str, body: Value) -> Value {
        self.command(method, path, body).await.unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    pub async fn open(&self, url: &str) {
        self.must(Method::POST, "/url", json!({ "url": url })).await;
    }

    async fn find(&self, xpath: &str) -> Result<String, String> {
        let found = self.command(Method::POST, "/element", json!({ "using": "xpath", "value": xpath })).await?;
        Ok(found[ELEMENT].as_str().expect("an element has an id").to_owned())
    }

    /// Retries until it succeeds: a page takes a while to render.
    async fn retry<T>(&self, xpath: &str, mut attempt: impl AsyncFnMut(&str) -> Result<T, String>) -> T {
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            match self.find(xpath).await {
                Ok(element) => match attempt(&element).await {
                    Ok(value) => return value,
                    Err(error) => why = error,
                },
                Err(error) => why = error,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let source = self.must(Method::GET, "/source", Value::Null).await;
        panic!("{xpath}: {why}\n{}", source.as_str().unwrap_or_default());
    }

    pub async fn click(&self, xpath: &str) {
        self.retry(xpath, async |element| {
            self.command(Method::POST, &format!("/element/{element}/click"), json!({})).await
        })
        .await;
    }

    pub async fn type_into(&self, xpath: &str, text: &str) {
        self.retry(xpath, async |element| {
            self.command(Method::POST, &format!("/element/{element}/value"), json!({ "text": text })).await
        })
        .await;
    }

    /// A property of an element, such as `value` or `checked`.
    pub async fn property(&self, xpath: &str, name: &str) -> Value {
        self.retry(xpath, async |element| {
            self.command(Method::GET, &format!("/element/{element}/property/{name}"), Value::Null).await
        })
        .await
    }

    /// The visible text of an element, once it contains `expected`.
    pub async fn text_with(&self, xpath: &str, expected: &str) -> String {
        self.retry(xpath, async |element| {
            let text = self.command(Method::GET, &format!("/element/{element}/text"), Value::Null).await?;
            let text = text.as_str().unwrap_or_default().to_owned();
            if text.contains(expected) { Ok(text) } else { Err(format!("{expected:?} is not in {text:?}")) }
        })
        .await
    }

    pub async fn is_there(&self, xpath: &str) -> bool {
        self.find(xpath).await.is_ok()
    }

    /// Makes the window so large.
    pub async fn resize(&self, width: u32, height: u32) {
        // By the devtools: a window has a least width, and a telephone does not.
        let params = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": params });
        self.must(Method::POST, "/goog/cdp/execute", command).await;
    }

    /// Runs a script in the page, whatever its policy says, and returns what it returns; a promise is waited for.
    pub async fn script(&self, script: &str) -> Value {
        self.must(Method::POST, "/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Forbids scripts in pages, or allows them again.
    pub async fn allow_scripts(&self, are_allowed: bool) {
        let params = json!({ "value": !are_allowed });
        let command = json!({ "cmd": "Emulation.setScriptExecutionDisabled", "params": params });
        self.must(Method::POST, "/goog/cdp/execute", command).await;
    }

    /// Writes a screenshot of the page as a PNG.
    pub async fn screenshot(&self, file: &Path) {
        let picture = self.must(Method::GET, "/screenshot", Value::Null).await;
        let bytes = STANDARD.decode(picture.as_str().expect("base64")).expect("base64");
        std::fs::write(file, bytes).expect("the screenshot can be written");
    }

    /// The browser's log: script errors, refused requests, violations of the Content-Security-Policy.
    pub async fn log(&self) -> Vec<(String, String)> {
        let entries = self.must(Method::POST, "/se/log", json!({ "type": "browser" })).await;
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let entries = entries.as_array().expect("a list");
        entries.iter().map(|entry| (text(entry, "level"), text(entry, "message"))).collect()
    }
}

async fn call(http: &reqwest::Client, method: Method, url: &str, body: Value) -> Result<Value, String> {
    let request = http.request(method.clone(), url);
    let request = if method == Method::POST { request.json(&body) } else { request };
    let response = request.send().await.map_err(|error| error.to_string())?;
    let good = response.status().is_success();
    let mut answer: Value = response.json().await.map_err(|error| error.to_string())?;
    let value = answer["value"].take();
    if good { Ok(value) } else { Err(value["message"].as_str().unwrap_or_default().to_owned()) }
}
