//! Actions: killing and spawning ports, and stopping nodes. Their routes are there only if the observer permits them, and `door` lets
//! only forms of the observer's own pages pass.
//!
//! Each action does the same as the command of its name, in the name of the observer's node, and leads to the page of the port
//! or the node. One that fails shows that page with the reason.

use std::time::Duration;

use aemp::{NodeId, PortId, Reason, Shown, Value};
use axum::{
    Form, Router,
    extract::State as StateOf,
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::post,
};
use serde::Deserialize;
use tokio::{sync::oneshot, time::timeout};

use super::{
    html::document,
    page::{Page, Query, Request},
    server::Shared,
    views::{Actions, view},
};

/// The init function of `aemp run` that stops its node.
const STOP: &str = "Aemp::stop";
/// The time in which a spawn that fails has failed.
const MOMENT: Duration = Duration::from_millis(500);

/// The routes of the actions.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/kill", post(kill))
        .route("/spawn", post(spawn))
        .route("/stop", post(stop))
}

#[derive(Deserialize)]
struct Kill {
    port: String,
}

async fn kill(StateOf(shared): StateOf<Shared>, Form(kill): Form<Kill>) -> Response {
    let port = match PortId::parse(&kill.port) {
        Ok(port) => port,
        Err(error) => return refused(format_args!("This is no port ID: {error}.\n")),
    };
    let reason = vec![Value::from("killed"), "by the observer".into()];
    shared.watch.node().kil(&port, Reason::from(reason));
    Redirect::to(&Page::Port(kill.port).href()).into_response()
}

#[derive(Deserialize)]
struct Spawn {
    node: String,
    function: String,
    /// A JSON array.
    #[serde(default)]
    arguments: String,
}

async fn spawn(StateOf(shared): StateOf<Shared>, Form(spawn): Form<Spawn>) -> Response {
    let node = match NodeId::new(&spawn.node) {
        Ok(node) => node,
        Err(error) => return refused(format_args!("This is no node ID: {error}.\n")),
    };
    let arguments = match spawn.arguments.trim() {
        "" => Ok(Vec::new()),
        json => serde_json::from_str::<Vec<Value>>(json),
    };
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(error) => {
            let text = format!("The arguments are not an array of JSON: {error}.");
            return failed(&shared, &spawn.node, StatusCode::BAD_REQUEST, &text);
        }
    };
    match begin(&shared, &node, &spawn.function, arguments).await {
        (_, Some(reason)) => {
            let text = format!("{} failed: {}", Shown(&spawn.function), Shown(reason));
            failed(&shared, &spawn.node, StatusCode::BAD_GATEWAY, &text)
        }
        (port, None) => Redirect::to(&Page::Port(port.as_str().into()).href()).into_response(),
    }
}

#[derive(Deserialize)]
struct Stop {
    node: String,
}

async fn stop(StateOf(shared): StateOf<Shared>, Form(stop): Form<Stop>) -> Response {
    let node = match NodeId::new(&stop.node) {
        Ok(node) => node,
        Err(error) => return refused(format_args!("This is no node ID: {error}.\n")),
    };
    let (_, reason) = begin(&shared, &node, STOP, Vec::new()).await;
    match reason.filter(|reason| !reason.is_normal()) {
        Some(reason) => {
            let text = format!("The node does not stop: {}", Shown(reason));
            failed(&shared, &stop.node, StatusCode::BAD_GATEWAY, &text)
        }
        None => Redirect::to(&Page::Node(stop.node).href()).into_response(),
    }
}

/// Spawns a port, and returns the reason of its death if it dies at once.
async fn begin(
    shared: &Shared,
    node: &NodeId,
    function: &str,
    arguments: Vec<Value>,
) -> (PortId, Option<Reason>) {
    let us = shared.watch.node();
    let port = us.spawn(node.as_str(), function, arguments);
    let (tell, told) = oneshot::channel();
    let _monitor = us.mon(&port, move |reason: &Reason| {
        drop(tell.send(reason.clone()))
    });
    let reason = timeout(MOMENT, told).await.ok().and_then(Result::ok);
    (port, reason)
}

fn refused(text: std::fmt::Arguments<'_>) -> Response {
    (StatusCode::BAD_REQUEST, text.to_string()).into_response()
}

/// The page of the node, with the text of the failure.
fn failed(shared: &Shared, node: &str, status: StatusCode, text: &str) -> Response {
    let query = Query::about(node);
    let Some(request) = Request::new("node", query) else {
        return (status, format!("{text}\n")).into_response();
    };
    let live = view(&request, &shared.watch.state(), Actions::On);
    let page = document(&request, Some(text), &live).into_string();
    (status, Html(page)).into_response()
}
