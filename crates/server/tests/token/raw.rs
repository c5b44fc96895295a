//! Requests written byte by byte, since an HTTP client would correct them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::form_urlencoded;

use ficha_testing::App;

/// A response as it came over the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The `error` of the body.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// Everything but the date and the id of the request, for comparing responses that must not differ. The order of headers is random.
    pub fn without_date(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "date" && name != "x-request-id");
        self.headers.sort();
        self
    }
}

/// Sends bytes and reads until the server closes.
pub async fn send(app: &App, request: &[u8]) -> Answer {
    let stream = TcpStream::connect(app.address).await.expect("the server listens");
    let (mut read, mut write) = stream.into_split();
    let mut bytes = Vec::new();
    // Both at once: the server may answer and close before everything is written.
    let (_, _) = futures_util::future::join(write.write_all(request), read.read_to_end(&mut bytes)).await;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Answer {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {}", shown()));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line}"));
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    Answer {
        status: status.unwrap_or_else(|| panic!("no status: {}", shown())),
        headers: lines.map(header).collect(),
        body: String::from_utf8_lossy(&bytes[end + 4..]).into_owned(),
    }
}

/// A request to `target` with these header lines (each ends in CRLF) and this body.
pub fn request(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: ficha\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The header line of a form.
pub const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Posts a form to the token endpoint, with additional header lines.
pub async fn post(app: &App, headers: &str, body: &str) -> Answer {
    send(app, &request("POST", "/token", &format!("{FORM}{headers}"), body.as_bytes())).await
}

/// `name=value&…`, encoded as a browser would.
pub fn encode(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// A form-encoded value.
pub fn encode_value(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// A Basic header line, with id and secret form-encoded (RFC 6749 §2.3.1).
pub fn basic(id: &str, secret: &str) -> String {
    basic_of(format!("{}:{}", encode_value(id), encode_value(secret)).as_bytes())
}

/// A Basic header line with exactly these bytes.
pub fn basic_of(bytes: &[u8]) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(bytes))
}

/// True if RFC 6749 §5.2 allows this text in `error` and `error_description`.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}
