//! A client of HTTP/1.1 that sends requests as they are given.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// The time after which a test has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Waits, but not for ever.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(LIMIT, future).await.expect("it comes in time")
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(of, _)| of.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a document")
    }
}

/// The answer to a request with these header lines, each with its end. `Host` is not added.
pub(crate) async fn ask(to: SocketAddr, line: &str, headers: &str, body: &str) -> Answer {
    let mut stream = soon(TcpStream::connect(to)).await.expect("it listens");
    let length = body.len();
    let kind = match body.starts_with('{') {
        true => "application/json",
        false => "application/x-www-form-urlencoded",
    };
    let request = format!(
        "{line} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    soon(stream.write_all(request.as_bytes()))
        .await
        .expect("it reads");
    let mut answer = Vec::new();
    // A chromedriver keeps the connection, even if it is asked to close it.
    while !is_whole(&answer) {
        let read = soon(stream.read_buf(&mut answer)).await;
        if read.expect("it answers") == 0 {
            break;
        }
    }
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.expect("a status"),
        head: head.into(),
        body: body.into(),
    }
}

/// True if the answer has as many octets as its head says.
fn is_whole(answer: &[u8]) -> bool {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(body) = end.map(|end| end + 4) else {
        return false;
    };
    let head = String::from_utf8_lossy(&answer[..body]).to_lowercase();
    // A chromedriver leaves out the space.
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| *name == "content-length");
    let length = lengths
        .next()
        .and_then(|(_, length)| length.trim().parse().ok());
    length.is_some_and(|length: usize| answer.len() >= body + length)
}

/// The answer to a request by the address itself.
pub(crate) async fn get(of: SocketAddr, path: &str) -> Answer {
    ask(of, &format!("GET {path}"), &format!("Host: {of}\r\n"), "").await
}

/// The answer to a form of a page of the server itself.
pub(crate) async fn post(to: SocketAddr, path: &str, body: &str) -> Answer {
    let headers = format!("Host: {to}\r\nOrigin: http://{to}\r\n");
    ask(to, &format!("POST {path}"), &headers, body).await
}

/// The events of a page.
pub(crate) struct Events(BufReader<TcpStream>);

impl Events {
    /// The status is the error if it is not 200.
    pub(crate) async fn open(of: SocketAddr, path: &str) -> Result<Self, String> {
        let mut stream = soon(TcpStream::connect(of)).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {of}\r\n\r\n");
        soon(stream.write_all(request.as_bytes()))
            .await
            .expect("it reads");
        let mut events = Self(BufReader::new(stream));
        match events.line().await {
            line if line.starts_with("HTTP/1.1 200 ") => Ok(events),
            line => Err(line),
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = soon(self.0.read_line(&mut line)).await;
        assert_ne!(read.expect("text"), 0, "the stream ends");
        line
    }

    /// Waits for a view that contains this text.
    pub(crate) async fn until(&mut self, text: &str) {
        // As a whole, because the lines of an idle stream come soon.
        soon(async { while !self.line().await.contains(text) {} }).await;
    }
}
