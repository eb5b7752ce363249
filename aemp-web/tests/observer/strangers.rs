//! Requests of strangers.

use crate::{
    http::{ask, get},
    watched::Watched,
};

#[tokio::test]
async fn a_request_under_another_name_gets_nothing() {
    let watched = Watched::start().await;
    let port = watched.at.port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("evil.example:{port}"), 421),
        ("127.0.0.1".into(), 421),
    ] {
        for path in ["/api/nodes", "/live/network?ago=", "/", "/assets/style.css"] {
            if path.starts_with("/live") && status == 200 {
                continue;
            }
            let answer = ask(
                watched.at,
                &format!("GET {path}"),
                &format!("Host: {host}\r\n"),
                "",
            )
            .await;
            assert_eq!(answer.status, status, "{host}{path}");
            assert_eq!(
                answer.body.contains("green"),
                status == 200 && !path.contains('.'),
                "{path}"
            );
        }
    }
    let none = ask(watched.at, "GET /", "", "").await;
    assert!([400, 421].contains(&none.status), "{none:?}");
    watched.stop().await;
}

#[tokio::test]
async fn a_token_is_asked_for() {
    let watched = Watched::start_as(|observer| observer.token("sesame")).await;
    let at = watched.at;
    let host = format!("Host: {at}\r\n");
    for path in [
        "/",
        "/?token=wrong",
        "/api/nodes?token=",
        "/live/network",
        "/assets/style.css",
    ] {
        let refused = get(at, path).await;
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.body.starts_with("A token is needed."), "{path}");
    }
    let entered = get(at, "/ports?token=sesame").await;
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, Some("/ports"))
    );
    let cookie = entered.header("set-cookie").expect("a cookie");
    assert_eq!(cookie, "token=sesame; Path=/; HttpOnly; SameSite=Strict");
    let headers = format!("{host}Cookie: other=1; token=sesame\r\n");
    assert_eq!(ask(at, "GET /", &headers, "").await.status, 200);
    watched.stop().await;
}
