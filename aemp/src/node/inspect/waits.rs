//! The calls that async handlers wait for, with their callers.
//!
//! Each handler that waits is polled once more by its own task, as in a search for a circle (`exec::circle`), and the calls that are
//! pending then are noted. So nothing is noted, and nothing is paid for, without a question. The inspection holds the lock of
//! the searches, because it would spoil the proofs of one that runs at the same time.
//!
//! Alternative: each call that waits could enter itself in its port. That would cost each call two steps under the port's lock.
//! Dangers: the answers are of slightly different times. A circle of calls that stays for two questions, with the same runs,
//! is real. A handler that does not yield does not answer, and is left out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::timeout};

use super::{WaitInfo, Waits, ports::shown, throttle::Cost, visit};
use crate::{
    Node,
    exec::{circle::Sight, pace::CLOSURE},
    port::any::AnyPort,
};

/// The number of handlers that are asked for one answer.
const MOST_ASKED: usize = 500;
/// The time for which an answer is given out again: a question costs each waiting handler a poll, and any node may ask.
const LEAST: Duration = Duration::from_millis(400);
/// The time limit of all of them together.
const PATIENCE: Duration = Duration::from_millis(500);

/// The handlers that wait for calls, at most `most` of them.
pub(super) async fn find(node: &Node, most: usize) -> Waits {
    let kept = &mut *node.0.inspection.waits.lock().await;
    if let Some(waits) = kept.get(&most) {
        return waits;
    }
    let mut cost = Cost::default();
    let waits = ask(node, most, &mut cost).await;
    kept.keep(node, most, LEAST, cost, &waits);
    waits
}

async fn ask(node: &Node, most: usize, cost: &mut Cost) -> Waits {
    let _one = node.scheduler().searches().lock_owned().await;
    let (mut total, mut waiting) = (0, Vec::new());
    visit(node, |some| {
        let _step = cost.step();
        for port in some.filter(|port| port.counts().is_some_and(|counts| counts.waits)) {
            total += 1;
            if waiting.len() < most.min(MOST_ASKED) {
                waiting.push(port);
            }
        }
    })
    .await;
    let asked = waiting.into_iter().filter_map(|port| {
        let (asker, answer) = oneshot::channel();
        let handler = port.ask(asker)?;
        Some((port, handler, answer))
    });
    let asked: Vec<_> = asked.collect();
    let began = Instant::now();
    let mut waits = Vec::new();
    for (port, handler, answer) in asked {
        let left = PATIENCE.saturating_sub(began.elapsed());
        // The first poll takes an answer that is there, even if no time is left.
        if let Ok(Ok(sight)) = timeout(left, answer).await {
            waits.extend(wait(&port, handler, &sight));
        }
    }
    waits.sort_by(|a, b| a.port.cmp(&b.port));
    Waits { total, waits }
}

/// `None` if the handler waits for something else than a call.
fn wait(port: &Arc<dyn AnyPort>, handler: u32, sight: &Sight) -> Option<WaitInfo> {
    let (run, calls) = sight.seen();
    let mut calls: Vec<String> = calls.iter().map(|id| id.as_str().into()).collect();
    calls.sort();
    calls.dedup();
    let name = match handler {
        CLOSURE => "#[start]",
        handler => port.handler_name(handler),
    };
    (!calls.is_empty()).then(|| WaitInfo {
        port: port.port_id().as_str().into(),
        kind: shown(port.type_name()),
        handler: name.into(),
        run,
        calls,
    })
}
