//! Actions: refused without permission and to strangers, and done otherwise.

use aemp::{Cx, port, spawnable};

use crate::{
    http::{ask, get, post, soon},
    watched::Watched,
};

struct Victim;

#[port]
impl Victim {
    #[rcv]
    fn nothing(&self, _cx: &mut Cx<'_>) {}
}

#[spawnable(name = "Observed::victim")]
fn victim(_cx: &mut Cx<'_>, _name: String) -> Victim {
    Victim
}

fn form(id: &str) -> String {
    id.replace('#', "%23")
}

#[tokio::test]
async fn there_are_none_without_permission() {
    let watched = Watched::start().await;
    let victim = watched.green.port(Victim);
    let body = format!("port={}", form(victim.id().as_str()));
    for path in ["/kill", "/spawn", "/stop"] {
        let answer = post(watched.at, path, &body).await;
        assert!([404, 405].contains(&answer.status), "{path}: {answer:?}");
    }
    let page = get(
        watched.at,
        &format!("/port?id={}", form(victim.id().as_str())),
    )
    .await;
    assert!(
        !page.body.contains("<button class=\"danger\""),
        "{}",
        page.body
    );
    assert!(
        watched
            .green
            .inspect("green")
            .ports()
            .await
            .is_ok_and(|ports| ports.total == 1)
    );
    watched.stop().await;
}

#[tokio::test]
async fn ports_are_killed_and_spawned() {
    let watched = Watched::start_as(|observer| observer.actions(true)).await;
    let at = watched.at;
    let victim = watched.green.port(Victim);
    let id = form(victim.id().as_str());
    let (tell, told) = tokio::sync::oneshot::channel();
    let monitor = victim.monitor(move |reason| drop(tell.send(reason.to_string())));
    // A page of a stranger sends the form.
    let headers = format!("Host: {at}\r\nOrigin: https://evil.example\r\n");
    let refused = ask(at, "POST /kill", &headers, &format!("port={id}")).await;
    assert_eq!(refused.status, 403);
    let killed = post(at, "/kill", &format!("port={id}")).await;
    assert_eq!(killed.status, 303);
    assert_eq!(killed.header("location"), Some(&*format!("/port?id={id}")));
    assert_eq!(soon(told).await.as_deref(), Ok("killed by the observer"));
    drop(monitor);
    let spawned = post(
        at,
        "/spawn",
        "node=green&function=Observed::victim&arguments=%5B%22Bob%22%5D",
    )
    .await;
    assert_eq!(spawned.status, 303, "{}", spawned.body);
    let page = spawned.header("location").expect("a page");
    assert!(page.starts_with("/port?id=green%23"), "{page}");
    assert_eq!(
        watched
            .green
            .inspect("green")
            .ports()
            .await
            .expect("its own")
            .total,
        1
    );
    watched.stop().await;
}

#[tokio::test]
async fn an_action_that_fails_says_why() {
    let watched = Watched::start_as(|observer| observer.actions(true)).await;
    for (path, body, status, text) in [
        ("/kill", "port=", 400, "This is no port ID"),
        ("/kill", "", 422, "port"),
        ("/spawn", "node=a%20b&function=x", 400, "This is no node ID"),
        (
            "/spawn",
            "node=green&function=X::y&arguments=%5B",
            400,
            "not an array of JSON",
        ),
        (
            "/spawn",
            "node=green&function=Observed::victim&arguments=%5B%5B%5D%5D",
            502,
            "Observed::victim failed",
        ),
        (
            "/spawn",
            "node=green&function=Not::there",
            502,
            "Not::there failed",
        ),
        ("/spawn", "node=nowhere&function=Not::there", 502, "failed"),
        ("/stop", "node=green", 502, "The node does not stop"),
    ] {
        let answer = post(watched.at, path, body).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
        assert!(answer.body.contains(text), "{path} {body}: {}", answer.body);
    }
    watched.stop().await;
}
