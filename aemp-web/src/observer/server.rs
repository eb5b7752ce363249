//! The HTTP server: pages, their events, actions, files.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aemp::logs::LogLevel;
use axum::{
    Router,
    extract::{Path, Query as QueryOf, State as StateOf, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    middleware::from_fn_with_state,
    response::{
        Html, IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures_core::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    actions, api, assets,
    door::{Door, guard, is_led_here},
    html::document,
    page::{Query, Request},
    views::{Actions, view},
    watch::Watch,
};

/// The number of pages that are kept up to date at the same time.
const VIEWERS: usize = 64;
/// The pause after which an idle stream of events shows that it is alive.
const ALIVE: Duration = Duration::from_secs(5);

/// The state that all handlers of requests share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) watch: Watch,
    actions: Actions,
    viewers: Arc<Semaphore>,
}

/// The routes of an observer.
pub(super) fn router(watch: Watch, door: Door, actions: Actions) -> Router {
    let shared = Shared {
        watch,
        actions,
        viewers: Arc::new(Semaphore::new(VIEWERS)),
    };
    let mut router = Router::new()
        .route("/", get(home))
        .route("/{page}", get(page))
        .route("/live/{page}", get(live))
        .route("/api/{subject}", get(api::answer))
        .route("/assets/{file}", get(assets::file));
    if actions == Actions::On {
        router = router.merge(actions::routes());
    }
    router
        .fallback(nothing)
        .with_state(shared)
        .layer(from_fn_with_state(door, guard))
}

type Asked = Result<QueryOf<Query>, QueryRejection>;

async fn home(shared: StateOf<Shared>, headers: HeaderMap, query: Asked) -> Response {
    page(shared, Path("network".into()), headers, query).await
}

async fn page(
    StateOf(shared): StateOf<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    query: Asked,
) -> Response {
    let request = match request(&shared, &name, &headers, query) {
        Ok(request) => request,
        Err(answer) => return *answer,
    };
    let things = request.things();
    let _look = shared.watch.viewer(things.clone());
    shared.watch.refreshed(&things).await;
    let state = shared.watch.state();
    let live = view(&request, &state, shared.actions);
    Html(document(&request, None, &live).into_string()).into_response()
}

/// The request for a page, or the answer that there is none.
fn request(
    shared: &Shared,
    name: &str,
    headers: &HeaderMap,
    query: Asked,
) -> Result<Request, Box<Response>> {
    let query = match query {
        Ok(QueryOf(query)) => query,
        Err(error) => {
            let text = format!("The address is not understood: {}.\n", error.body_text());
            return Err(Box::new((StatusCode::BAD_REQUEST, text).into_response()));
        }
    };
    let mut request = Request::new(name, query).ok_or_else(|| Box::new(no_page()))?;
    if shared.actions == Actions::Off {
        // Nodes send more lines for each level beyond.
        request.level = request.level.min(LogLevel::Info);
    }
    request.taps &= !is_led_here(headers);
    Ok(request)
}

async fn nothing() -> Response {
    no_page()
}

fn no_page() -> Response {
    let text = "There is no such page. The first one is at /.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn live(
    StateOf(shared): StateOf<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    query: Asked,
) -> Response {
    let request = match request(&shared, &name, &headers, query) {
        Ok(request) => request,
        Err(answer) => return *answer,
    };
    let Ok(permit) = Arc::clone(&shared.viewers).try_acquire_owned() else {
        let text = format!("{VIEWERS} pages are open already. Close one of them.\n");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    // One view waits for a slow browser, and newer ones replace each other.
    let (sender, views) = mpsc::channel(1);
    tokio::spawn(render(shared, request, sender, permit));
    let alive = KeepAlive::new().interval(ALIVE);
    Sse::new(Views(views)).keep_alive(alive).into_response()
}

/// Renders a page after each tick, until the browser has gone.
async fn render(
    shared: Shared,
    request: Request,
    sender: mpsc::Sender<String>,
    _permit: OwnedSemaphorePermit,
) {
    let _look = shared.watch.viewer(request.things());
    let mut ticks = shared.watch.ticks();
    let mut last = String::new();
    loop {
        let Ok(place) = sender.reserve().await else {
            return;
        };
        let view = view(&request, &shared.watch.state(), shared.actions).into_string();
        if view != last {
            place.send(view.clone());
            last = view;
        }
        tokio::select! {
            tick = ticks.changed() => if tick.is_err() { return },
            () = sender.closed() => return,
        }
    }
}

/// The views of a page, as events.
struct Views(mpsc::Receiver<String>);

impl Stream for Views {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let view = self.0.poll_recv(task);
        view.map(|view| view.map(|view| Ok(Event::default().event("view").data(view))))
    }
}
