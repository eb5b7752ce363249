//! The counts of a node, in the form for other nodes.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use super::{
    CallCounts, Counts, ExecutorInfo, HandlerCounts, RunningInfo, Times, TypeCounts,
    ports::shown as type_shown,
};
use crate::{
    Node,
    exec::{
        occupancy::Lasting,
        tally::{self, BOUNDS, CallEnd, HandlerSum, KINDS, TypeSum},
    },
};

/// The number of running handlers that are listed.
const RUNNING: usize = 64;

impl Node {
    /// The counts, with at most `most` handlers. The node goes on to count for a while.
    pub(super) fn counts(&self, most: usize) -> Counts {
        let scheduler = self.scheduler();
        let counting = scheduler.count_for_a_while();
        let sum = scheduler.sum();
        let mut types = BTreeMap::<String, (TypeSum, BTreeMap<&'static str, HandlerSum>)>::new();
        for (number, of_type) in &sum.types {
            // Two types with the same label are one.
            let (deaths, handlers) = types.entry(tally::type_label(*number)).or_default();
            deaths.add(of_type);
            for (place, handler) in of_type.handlers.iter().enumerate() {
                if !handler.is_empty() {
                    let (_, name) = tally::named(*number, place);
                    handlers.entry(name).or_default().add(handler);
                }
            }
        }
        let total = types
            .values()
            .map(|(_, handlers)| handlers.len() as u64)
            .sum();
        let past = scheduler.past();
        let mut limits = self.ask_database(|machine, _| machine.counts().reached);
        for (limit, times) in past.limits() {
            *limits.entry(limit).or_default() += times;
        }
        Counts {
            uptime: self.0.inspection.started.elapsed().as_secs_f64(),
            counting,
            bounds: BOUNDS.map(|bound| bound as f64 / 1e9).to_vec(),
            total,
            types: listed(types, most),
            restarts: past.restarts(),
            slow: past.slow(),
            limits: limits
                .into_iter()
                .map(|(limit, times)| (limit.into(), times))
                .collect(),
            executor: Some(self.executor()),
        }
    }

    fn executor(&self) -> ExecutorInfo {
        let occupancy = self.scheduler().occupancy();
        let lasting = occupancy.lasting.iter().take(RUNNING);
        ExecutorInfo {
            workers: self.scheduler().workers() as u64,
            busy: occupancy.workers as u64,
            blocking: occupancy.blocking as u64,
            ready: occupancy.waiting as u64,
            running: lasting.map(|lasting| self.running(lasting)).collect(),
        }
    }

    fn running(&self, lasting: &Lasting) -> RunningInfo {
        let port = self.port_by_number(lasting.port);
        let of = port.as_ref().map(|port| {
            (
                port.port_id().as_str().into(),
                type_shown(port.type_name()),
                port.handler_name(lasting.handler).into(),
            )
        });
        // A port that is dying cannot be found any more.
        let (port, kind, handler) = of.unwrap_or_default();
        RunningInfo {
            port,
            kind,
            handler,
            blocking: lasting.blocking,
            time: lasting.time.as_secs_f64(),
        }
    }
}

type Types = BTreeMap<String, (TypeSum, BTreeMap<&'static str, HandlerSum>)>;

/// The types, with at most `most` of all handlers: those with the most messages and calls.
fn listed(types: Types, most: usize) -> Vec<TypeCounts> {
    let handlers = types.values().flat_map(|(_, handlers)| handlers.values());
    let mut weights: Vec<u64> = handlers.map(weight).collect();
    weights.sort_unstable_by_key(|weight| Reverse(*weight));
    let least = weights.get(most).map_or(0, |weight| weight + 1);
    let listed = types.into_iter().map(|(kind, (deaths, handlers))| {
        let deaths = KINDS.into_iter().zip(deaths.deaths);
        let deaths = deaths.filter(|(_, deaths)| *deaths > 0);
        let handlers = handlers.into_iter();
        let handlers = handlers.filter(|(_, handler)| weight(handler) >= least);
        TypeCounts {
            kind,
            died: deaths.map(|(kind, deaths)| (kind.into(), deaths)).collect(),
            handlers: handlers.map(|(name, sum)| shown(name, &sum)).collect(),
        }
    });
    listed
        .filter(|of_type| !of_type.handlers.is_empty() || !of_type.died.is_empty())
        .collect()
}

/// The number of messages and calls of a handler.
fn weight(handler: &HandlerSum) -> u64 {
    let calls = handler.calls.iter().flat_map(|calls| calls.ended);
    handler.handled + calls.sum::<u64>()
}

fn shown(name: &str, sum: &HandlerSum) -> HandlerCounts {
    let [here, there] = &sum.calls;
    let ends = CallEnd::ALL
        .into_iter()
        .zip(here.ended.iter().zip(there.ended));
    let ends = ends.map(|(end, (here, there))| (end.name().to_owned(), here + there));
    let mut call_times = here.times.clone();
    call_times.add(&there.times);
    HandlerCounts {
        name: name.into(),
        handled: sum.handled,
        unwanted: sum.unwanted,
        times: times(&sum.times),
        calls: CallCounts {
            ended: ends.filter(|(_, ended)| *ended > 0).collect(),
            remote: there.ended.iter().sum(),
            times: times(&call_times),
        },
    }
}

fn times(times: &tally::Times) -> Times {
    let used = times.classes.iter().rposition(|class| *class > 0);
    Times {
        sum: Duration::from_nanos(times.nanos).as_secs_f64(),
        classes: times.classes[..used.map_or(0, |last| last + 1)].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(handled: u64) -> HandlerSum {
        HandlerSum {
            handled,
            ..HandlerSum::default()
        }
    }

    #[test]
    fn the_busiest_handlers_are_listed() {
        let mut types = Types::new();
        for (kind, handled) in [("a", [5, 1]), ("b", [9, 3]), ("c", [1, 1])] {
            let (deaths, handlers) = types.entry(kind.into()).or_default();
            handlers.insert("x", handler(handled[0]));
            handlers.insert("y", handler(handled[1]));
            deaths.deaths[1] = u64::from(kind == "c");
        }
        let names = |most| {
            let listed = listed(types.clone(), most).into_iter();
            let names = listed.map(|of| (of.kind, of.handlers.len(), of.died.len()));
            names.collect::<Vec<_>>()
        };
        let row = |kind: &str, handlers, died| (kind.to_owned(), handlers, died);
        assert_eq!(names(2), [row("a", 1, 0), row("b", 1, 0), row("c", 0, 1)]);
        assert_eq!(names(3), [row("a", 1, 0), row("b", 2, 0), row("c", 0, 1)]);
        assert_eq!(names(9), [row("a", 2, 0), row("b", 2, 0), row("c", 2, 1)]);
        assert_eq!(names(0), [row("c", 0, 1)]);
    }

    #[test]
    fn zeros_at_the_end_are_left_out() {
        let mut of = tally::Times::default();
        assert_eq!(times(&of), Times::default());
        of.count(2, 3_000_000_000);
        let shown = times(&of);
        assert_eq!((shown.sum, shown.classes.len()), (6.0, 23));
        assert_eq!(shown.classes[22], 2);
    }
}
