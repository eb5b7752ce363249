//! The interface of a contender. A contender writes its actors as in its own documentation. Each measurement returns the time of the
//! work alone, without the start of the actors, or nothing if the framework has no such part.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The actors of a pool, and the workers of a dispatcher.
pub(crate) const WORKERS: usize = 4;
/// The calls, or jobs, that are under way at once.
pub(crate) const AT_ONCE: u64 = 64;
/// The names that are registered.
pub(crate) const NAMES: u64 = 1000;

pub(crate) trait Works: 'static {
    /// Jobs that a dispatcher keeps until a free worker takes one. Each result is awaited.
    fn jobs(count: u64) -> impl Future<Output = Option<Duration>> + Send;

    /// Calls of actors of a pool, each of the one with the least to do.
    fn calls(count: u64) -> impl Future<Output = Option<Duration>> + Send;

    /// Messages of one publisher that each of the subscribing actors handles.
    fn fan_out(subscribers: u64, messages: u64) -> impl Future<Output = Option<Duration>> + Send;

    /// Look-ups of names, each other than the one before, by one task. The result is a handle for messages.
    fn look_ups(count: u64) -> impl Future<Output = Option<Duration>> + Send;
}

/// Does something so many times, by tasks that await one after the other. Each result must be twice the number.
pub(crate) async fn under_way<F>(
    count: u64,
    act: impl Fn(u64) -> F + Send + Sync + 'static,
) -> Duration
where
    F: Future<Output = u64> + Send,
{
    let act = Arc::new(act);
    let begun = Instant::now();
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|task| {
            let act = Arc::clone(&act);
            tokio::spawn(async move {
                for number in (task..count).step_by(AT_ONCE as usize) {
                    assert_eq!(act(number).await, 2 * number);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no contender fails");
    }
    begun.elapsed()
}

/// The names that are registered.
pub(crate) fn names() -> Vec<String> {
    (0..NAMES).map(|name| format!("port {name}")).collect()
}

/// Looks names up, one after the other.
pub(crate) fn each_name<T>(count: u64, look_up: impl Fn(&str) -> Option<T>) -> Duration {
    let names = names();
    let begun = Instant::now();
    for number in 0..count {
        let found = look_up(&names[(number % NAMES) as usize]);
        std::hint::black_box(found.expect("it is registered"));
    }
    begun.elapsed()
}
