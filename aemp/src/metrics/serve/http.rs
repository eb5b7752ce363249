//! Requests and answers of HTTP/1.1, without I/O: as much as scrapers and probes need.

use crate::metrics::text::MEDIA_TYPE;

/// The things that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Metrics,
    Health,
    Ready,
}

/// A valid request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) path: Path,
    /// True if only the head of the answer is wanted.
    pub(super) is_head: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Wish(Wish),
    Wrong(Status),
    /// The head of the request is not complete.
    More,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Fine,
    Malformed,
    NotFound,
    NotAllowed,
    TooLarge,
    Unavailable,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Self::Fine => "200 OK",
            Self::Malformed => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::NotAllowed => "405 Method Not Allowed",
            Self::TooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// Parses the head of a request. Header fields do not matter, and there is no body.
pub(super) fn parse(head: &[u8]) -> Parsed {
    let Some(end) = head.iter().position(|octet| *octet == b'\n') else {
        return Parsed::More;
    };
    let wish = match parse_line(&head[..end]) {
        Ok(wish) => Parsed::Wish(wish),
        Err(status) => return Parsed::Wrong(status),
    };
    // An empty line ends the head.
    let rest = &head[end..];
    let is_whole = rest.windows(2).any(|window| window == b"\n\n")
        || rest.windows(3).any(|window| window == b"\n\r\n");
    if is_whole { wish } else { Parsed::More }
}

fn parse_line(line: &[u8]) -> Result<Wish, Status> {
    let line = str::from_utf8(line).map_err(|_| Status::Malformed)?;
    let mut words = line.trim_end_matches('\r').split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::Malformed);
    };
    if !version.starts_with("HTTP/1.") {
        return Err(Status::Malformed);
    }
    let is_head = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Status::NotAllowed),
    };
    let path = match target.split('?').next() {
        Some("/metrics") => Path::Metrics,
        Some("/healthz") => Path::Health,
        Some("/readyz") => Path::Ready,
        _ => return Err(Status::NotFound),
    };
    Ok(Wish { path, is_head })
}

/// An answer.
pub(super) struct Answer {
    status: Status,
    text: String,
    is_head: bool,
}

impl Answer {
    pub(super) fn new(status: Status, text: String, is_head: bool) -> Self {
        Self {
            status,
            text,
            is_head,
        }
    }

    /// The answer to a request that cannot be served.
    pub(super) fn of(status: Status) -> Self {
        let text = match status {
            Status::NotFound => "there are /metrics, /healthz and /readyz\n".into(),
            other => format!("{}\n", other.line()),
        };
        Self::new(status, text, false)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        let (line, length) = (self.status.line(), self.text.len());
        let allow = match self.status {
            Status::NotAllowed => "allow: GET, HEAD\r\n",
            _ => "",
        };
        let head = format!(
            "HTTP/1.1 {line}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {length}\r\ncache-control: no-store\r\n\
             {allow}connection: close\r\n\r\n"
        );
        let mut bytes = head.into_bytes();
        if !self.is_head {
            bytes.extend_from_slice(self.text.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(path: Path, is_head: bool) -> Parsed {
        Parsed::Wish(Wish { path, is_head })
    }

    #[test]
    fn a_request_ends_with_an_empty_line() {
        let request = b"GET /metrics?x=1 HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(parse(request), wish(Path::Metrics, false));
        for end in 0..request.len() {
            let parsed = parse(&request[..end]);
            assert_eq!(parsed, Parsed::More, "{end}");
        }
        assert_eq!(
            parse(b"GET /readyz HTTP/1.0\r\n\r\n"),
            wish(Path::Ready, false)
        );
        assert_eq!(
            parse(b"HEAD /healthz HTTP/1.1\n\n"),
            wish(Path::Health, true)
        );
        assert_eq!(
            parse(b"HEAD /healthz HTTP/1.1\na: b\n\n"),
            wish(Path::Health, true)
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let refused = [
            (&b"GET / HTTP/1.1\r\n"[..], Status::NotFound),
            (b"POST /metrics HTTP/1.1\r\n", Status::NotAllowed),
            (b"GET /metrics HTTP/2.0\r\n", Status::Malformed),
            (b"GET /metrics\r\n", Status::Malformed),
            (b"GET  /metrics HTTP/1.1\r\n", Status::Malformed),
            (b"\r\n", Status::Malformed),
            (b"\xff\xfe\n", Status::Malformed),
        ];
        for (request, status) in refused {
            assert_eq!(parse(request), Parsed::Wrong(status), "{request:?}");
        }
    }

    #[test]
    fn answers_have_a_length() {
        let answer = Answer::new(Status::Fine, "ok\n".into(), false).into_bytes();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"));
        assert!(answer.contains("content-length: 3\r\n"));
        let head = Answer::new(Status::Fine, "ok\n".into(), true).into_bytes();
        assert!(head.ends_with(b"close\r\n\r\n"));
        let refused = Answer::of(Status::NotAllowed).into_bytes();
        assert!(
            String::from_utf8(refused)
                .unwrap()
                .contains("\r\nallow: GET, HEAD\r\n")
        );
    }
}
