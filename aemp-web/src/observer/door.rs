//! The checks that every request passes before anything else: whose name the browser used, the token, and the origin of
//! actions.
//!
//! A page of a stranger in the same browser is the danger, besides people who can reach the address. It can send requests
//! here, but cannot read the answers, unless its name resolves to this address (DNS rebinding). So the `Host` of a request must
//! be a name of this machine's loopback or the address that is listened on. It cannot send actions, because their `Origin` must
//! be this server. For the same reason it gets no tap: the messages of a port are shown to requests of our own pages, and to those that
//! a user has typed. The token keeps away people who can reach the address.

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode, Uri,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, ORIGIN,
            REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use subtle::ConstantTimeEq;

/// The name of the cookie that keeps the token, and of the parameter of the address that sets it.
const TOKEN: &str = "token";
/// The content security policy: everything comes from this server, and nothing is inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The conditions for a request.
#[derive(Clone, Debug)]
pub(crate) struct Door(Arc<Conditions>);

#[derive(Debug)]
struct Conditions {
    address: SocketAddr,
    token: Option<String>,
}

impl Door {
    pub(crate) fn new(address: SocketAddr, token: Option<String>) -> Self {
        Self(Arc::new(Conditions { address, token }))
    }

    /// True if the name that the browser used is one of this server.
    fn knows(&self, host: &str) -> bool {
        let address = self.0.address;
        let Some((name, port)) = split(host) else {
            return false;
        };
        if port != address.port() {
            return false;
        }
        if name.eq_ignore_ascii_case("localhost") {
            return address.ip().is_loopback() || address.ip().is_unspecified();
        }
        // A name of a stranger is never an address, so an address cannot be rebound.
        name.parse::<IpAddr>()
            .is_ok_and(|ip| ip == address.ip() || ip.is_loopback() || address.ip().is_unspecified())
    }

    fn admits(&self, token: &str) -> bool {
        let expected = self.0.token.as_deref().unwrap_or_default();
        expected.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

/// The name and the port of a `Host` header.
fn split(host: &str) -> Option<(&str, u16)> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port.parse().ok()?),
        _ => (host, 80),
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    Some((bare.unwrap_or(name), port))
}

/// Lets a request pass, or answers it.
pub(crate) async fn guard(State(door): State<Door>, request: Request, next: Next) -> Response {
    let answer = match check(&door, request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(answer) => *answer,
    };
    secured(answer)
}

/// The answer to a request that may not pass is the error.
fn check(
    door: &Door,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Box<Response>> {
    let refuse =
        |status: StatusCode, text: &'static str| Err(Box::new((status, text).into_response()));
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(&HOST).unwrap_or_default();
    if !door.knows(host) {
        return refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "This server has another name. Use the address that `aemp observe` printed.\n",
        );
    }
    if method != Method::GET && method != Method::HEAD {
        let origin = text(&ORIGIN).unwrap_or_default();
        if origin.strip_prefix("http://") != Some(host) {
            return refuse(
                StatusCode::FORBIDDEN,
                "Actions are taken from pages of this server only.\n",
            );
        }
    }
    if door.0.token.is_none() {
        return Ok(());
    }
    let cookies = headers.get_all(COOKIE).into_iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|value| value.split("; "));
    if cookies.any(|cookie| value(cookie).is_some_and(|token| door.admits(token))) {
        return Ok(());
    }
    let mut parameters = uri.query().unwrap_or_default().split('&');
    match parameters.find_map(value) {
        // The token leaves the address, so that it does not stay in the browser's history.
        Some(token) if door.admits(token) => Err(Box::new(
            (
                StatusCode::SEE_OTHER,
                [
                    (LOCATION, uri.path().to_owned()),
                    (
                        SET_COOKIE,
                        format!("{TOKEN}={token}; Path=/; HttpOnly; SameSite=Strict"),
                    ),
                ],
            )
                .into_response(),
        )),
        _ => refuse(
            StatusCode::UNAUTHORIZED,
            "A token is needed. Use the address that `aemp observe` printed.\n",
        ),
    }
}

/// True if a page of another server has made the browser ask. Browsers say that of requests to a loopback address; elsewhere
/// the cookie of the token stays away from such requests.
pub(super) fn is_led_here(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

/// The token in `token=TOKEN`.
fn value(pair: &str) -> Option<&str> {
    pair.strip_prefix(TOKEN)?.strip_prefix('=')
}

/// An answer with the headers that every answer has.
fn secured(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    let mut put = |name, value| headers.insert(name, HeaderValue::from_static(value));
    put(CONTENT_SECURITY_POLICY, POLICY);
    put(X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(REFERRER_POLICY, "no-referrer");
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(address: &str, token: Option<&str>) -> Door {
        Door::new(address.parse().unwrap(), token.map(str::to_owned))
    }

    fn asked(door: &Door, method: &Method, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = axum::http::HeaderName::try_from(*name).unwrap();
            map.insert(name, value.parse().unwrap());
        }
        match check(door, method, &uri.parse().unwrap(), &map) {
            Ok(()) => 200,
            Err(answer) => answer.status().as_u16(),
        }
    }

    #[test]
    fn names_of_strangers_are_refused() {
        let local = door("127.0.0.1:4041", None);
        let get = |door: &Door, host: &str| asked(door, &Method::GET, "/", &[("host", host)]);
        for host in [
            "127.0.0.1:4041",
            "localhost:4041",
            "LocalHost:4041",
            "[::1]:4041",
        ] {
            assert_eq!(get(&local, host), 200, "{host}");
        }
        for host in [
            "evil.example:4041",
            "127.0.0.1",
            "127.0.0.1:80",
            "192.0.2.1:4041",
            "",
            "[::1",
        ] {
            assert_eq!(get(&local, host), 421, "{host}");
        }
        let everywhere = door("0.0.0.0:80", None);
        assert_eq!(get(&everywhere, "192.0.2.1"), 200);
        assert_eq!(get(&everywhere, "evil.example"), 421);
    }

    #[test]
    fn actions_come_from_this_server() {
        let local = door("127.0.0.1:4041", None);
        let post = |headers: &[(&str, &str)]| asked(&local, &Method::POST, "/kill", headers);
        let host = ("host", "127.0.0.1:4041");
        assert_eq!(post(&[host, ("origin", "http://127.0.0.1:4041")]), 200);
        assert_eq!(post(&[host, ("origin", "http://localhost:4041")]), 403);
        assert_eq!(post(&[host, ("origin", "https://evil.example")]), 403);
        assert_eq!(post(&[host, ("origin", "null")]), 403);
        assert_eq!(post(&[host]), 403);
    }

    #[test]
    fn a_token_is_needed_where_there_is_one() {
        let far = door("192.0.2.1:80", Some("sesame"));
        let host = ("host", "192.0.2.1");
        let get =
            |uri: &str, cookie: &str| asked(&far, &Method::GET, uri, &[host, ("cookie", cookie)]);
        assert_eq!(get("/", ""), 401);
        assert_eq!(get("/?token=wrong", ""), 401);
        assert_eq!(get("/?token=", "token="), 401);
        assert_eq!(get("/ports?token=sesame", ""), 303);
        assert_eq!(get("/", "token=sesame"), 200);
        assert_eq!(get("/", "other=1; token=sesame"), 200);
        assert_eq!(get("/", "nottoken=sesame"), 401);
    }
}
