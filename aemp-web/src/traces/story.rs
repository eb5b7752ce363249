//! A trace with the traces that its one-way messages have begun, in the order in which they are drawn.

use std::collections::{BTreeMap, BTreeSet};

use aemp::inspect::SpanInfo;

use super::Trace;

/// The number of bars of a story.
const BARS: usize = 200;

/// Spans that belong together.
#[derive(Clone, Debug)]
pub struct Story<'a> {
    /// The trace that it begins with.
    pub trace: &'a str,
    /// The time of the first answer about it, in seconds.
    pub known: f64,
    /// The spans: each is followed by those that it has called or sent to.
    pub bars: Vec<Bar<'a>>,
    /// The number of further spans.
    pub more: usize,
    /// The time from the first begin to the last end, in seconds.
    pub total: f64,
}

/// A span in its place.
#[derive(Clone, Debug)]
pub struct Bar<'a> {
    /// The node that has told it.
    pub node: &'a str,
    /// Its report.
    pub span: &'a SpanInfo,
    /// The number of spans above it.
    pub depth: usize,
    /// The time at which its message began to wait, in seconds since the begin of the story.
    pub begin: f64,
    /// The time by which the clock of its node was corrected, in seconds.
    pub shift: f64,
    /// The way to the span above it.
    pub tie: Tie<'a>,
}

/// The relation of a span to the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie<'a> {
    /// There is none.
    Root,
    /// It was called by it.
    Called,
    /// It is at the end of a one-way message of that span.
    Linked(&'a str),
    /// The caller has told no span.
    Lost,
}

impl Bar<'_> {
    /// The time at which the handler begins, in seconds since the begin of the story.
    pub fn handled(&self) -> f64 {
        self.begin + self.span.waited
    }

    /// The time at which it ends.
    pub fn end(&self) -> f64 {
        self.handled() + self.span.took
    }
}

impl Story<'_> {
    /// The nodes, in the order of their first spans.
    pub fn nodes(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let nodes = self.bars.iter().map(|bar| bar.node);
        nodes.filter(|node| seen.insert(*node)).collect()
    }

    /// True if a handler has failed.
    pub fn failed(&self) -> bool {
        self.bars.iter().any(|bar| bar.span.failed)
    }
}

/// A span with the node that tells it.
type Told<'a> = (&'a str, &'a SpanInfo);

/// Puts a story together. `None` without spans.
pub(super) fn tell<'a>(
    trace: &'a str,
    known: f64,
    traces: &[(&'a str, &'a Trace)],
) -> Option<Story<'a>> {
    let mut teller = Teller::new(traces);
    let all = traces
        .iter()
        .map(|(_, trace)| trace.all().count())
        .sum::<usize>();
    // First from the root of the story, and then from spans that nothing leads to, in the order of time.
    let head = traces.iter().find(|(id, _)| *id == trace);
    let root = head.and_then(|(_, trace)| trace.root());
    let mut others: Vec<Told<'a>> = traces.iter().flat_map(|(_, trace)| trace.all()).collect();
    others.sort_by(|a, b| a.1.at.total_cmp(&b.1.at));
    let (free, rest): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|(_, span)| !teller.is_below(span));
    for told in root.into_iter().chain(free).chain(rest) {
        teller.begin(told);
    }
    let mut bars = teller.bars;
    let first = bars.iter().map(|bar| bar.begin).min_by(f64::total_cmp)?;
    bars.iter_mut().for_each(|bar| bar.begin -= first);
    let total = bars.iter().map(Bar::end).max_by(f64::total_cmp)?;
    Some(Story {
        trace,
        known,
        more: all - bars.len(),
        bars,
        total,
    })
}

struct Teller<'a> {
    /// The spans by the IDs of those above them: the callers of their traces, or the senders.
    below: BTreeMap<(&'a str, &'a str), Vec<Told<'a>>>,
    /// The spans by their IDs.
    known: BTreeSet<(&'a str, &'a str)>,
    told: BTreeSet<(&'a str, &'a str, &'a str)>,
    bars: Vec<Bar<'a>>,
}

/// The ID of the span above: its trace, and its own.
fn above(span: &SpanInfo) -> Option<(&str, &str)> {
    let parent = span
        .parent
        .as_ref()
        .map(|id| (span.trace.as_str(), id.as_str()));
    parent.or_else(|| {
        span.link
            .as_ref()
            .map(|(trace, id)| (trace.as_str(), id.as_str()))
    })
}

impl<'a> Teller<'a> {
    fn new(traces: &[(&'a str, &'a Trace)]) -> Self {
        let mut below = BTreeMap::<_, Vec<Told<'a>>>::new();
        let mut known = BTreeSet::new();
        for (node, span) in traces.iter().flat_map(|(_, trace)| trace.all()) {
            known.insert((span.trace.as_str(), span.span.as_str()));
            if let Some(above) = above(span) {
                below.entry(above).or_default().push((node, span));
            }
        }
        for spans in below.values_mut() {
            spans.sort_by(|a, b| a.1.at.total_cmp(&b.1.at));
        }
        Self {
            below,
            known,
            told: BTreeSet::new(),
            bars: Vec::new(),
        }
    }

    /// True if the span above is known.
    fn is_below(&self, span: &SpanInfo) -> bool {
        above(span).is_some_and(|above| self.known.contains(&above))
    }

    /// Adds a span with all spans below it, unless it is there already.
    fn begin(&mut self, told: Told<'a>) {
        let tie = match above(told.1) {
            None => Tie::Root,
            Some(_) => Tie::Lost,
        };
        // A stack of our own: a chain may be long.
        let mut stack = vec![(told, None, tie)];
        while let Some(((node, span), over, tie)) = stack.pop() {
            let is_room = self.bars.len() < BARS;
            if !is_room || !self.told.insert((node, &span.trace, &span.span)) {
                continue;
            }
            let over = over.map(|at: usize| &self.bars[at]);
            let depth = over.map_or(0, |over| over.depth + 1);
            let shift = self.shift(node, span, over, tie);
            self.bars.push(Bar {
                node,
                span,
                depth,
                begin: span.at - span.waited + shift,
                shift,
                tie,
            });
            let at = self.bars.len() - 1;
            let below = self.below.get(&(span.trace.as_str(), span.span.as_str()));
            for (node, next) in below.into_iter().flatten().rev() {
                let tie = match next.parent {
                    Some(_) => Tie::Called,
                    None => Tie::Linked(&span.span),
                };
                stack.push(((*node, *next), Some(at), tie));
            }
        }
    }

    /// The correction of the clock of a span's node: as before, if it fits, and as little as possible.
    fn shift(&self, node: &str, span: &SpanInfo, over: Option<&Bar<'a>>, tie: Tie<'a>) -> f64 {
        let same = self.bars.iter().rev().find(|bar| bar.node == node);
        let before = same.map_or(0.0, |bar| bar.shift);
        let Some(over) = over else {
            return before;
        };
        let (from, to) = (over.handled(), over.end());
        let length = span.waited + span.took;
        let fits = |shift: f64| {
            let begin = span.at - span.waited + shift;
            match tie {
                Tie::Called => begin >= from && begin + length <= to,
                _ => begin >= from,
            }
        };
        // Within a node the clock is the same; a handler may be cancelled before those that it has called.
        if over.node == node {
            return over.shift;
        }
        if fits(before) {
            return before;
        }
        let free = (to - from - length).max(0.0);
        let begin = match tie {
            Tie::Called => from + free / 2.0,
            _ => from,
        };
        begin - (span.at - span.waited)
    }
}
