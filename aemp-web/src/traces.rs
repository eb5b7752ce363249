//! The sampled traces of the network: what its nodes tell about spans, put together.
//!
//! # Design
//!
//! While a page about calls is open, each node is asked once in a round for its new spans ([`Traces`]), which makes it take
//! one sample. Spans are kept by trace. A *story* is a trace with the traces that its one-way messages have
//! begun, in one picture (`story`), which the page draws and `/api/traces` tells: a bar for each span, with the time in the
//! queue before the time of the handler.
//!
//! There is room for `STORIES` stories. If it is used up, a story goes of the node that has the most, and there of the
//! handler that has the most, and there the shortest one. So neither a busy node nor a busy handler displaces what is rare,
//! and what is slow stays. After `AGE` every story goes.
//!
//! Clocks of nodes differ. A called handler has run within the handler that has called it. If its times say otherwise, the clock of its
//! node is taken to be wrong, and all its spans in that story are moved.
//!
//! Alternative: the nodes could pass their spans on to one another, so that one node knows all of a trace. That would cost
//! the network messages that the observer can ask for.
//!
//! Dangers: a node may tell anything. Its spans are of its own ports, or ignored. IDs have their form, times are finite and
//! bounded, texts are cut, each node has so many spans of a trace and no more. A parent or a link that leads in a circle ends there. A node that
//! claims the trace of others is seen in it by its name.

mod story;

use std::collections::{BTreeMap, BTreeSet};

use aemp::inspect::{SpanInfo, Traces as Answer};

pub use self::story::{Bar, Story, Tie};

/// The number of stories that are kept, and of traces in all of them. Between two rounds there may be twice as many.
const STORIES: usize = 60;
const TRACES: usize = 600;
/// The number of spans of one node in one trace.
const SPANS: usize = 100;
/// The number of spans of one node in all traces. A story goes when there are half as many.
const OF_NODE: usize = 2000;
/// The number of links, one behind the other, that lead to the begin of a story. Nodes follow three.
const LINKS: usize = 8;
/// The number of nodes in one trace.
const NODES: usize = 50;
/// The time for which a story is kept, in seconds.
const AGE: f64 = 600.0;
/// The time after which a story is complete, as far as one can know, in seconds.
const SETTLED: f64 = 3.0;
/// The greatest number of characters of a text, of events of a span, and of seconds of a time.
const LONGEST: usize = 200;
const EVENTS: usize = 8;
const SECONDS: f64 = 1e6;
/// A time after the year 5000, in seconds since 1970.
const FUTURE: f64 = 1e11;

/// The known spans.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    traces: BTreeMap<String, Trace>,
    /// The nodes that tell no spans, with the reasons.
    without: BTreeMap<String, String>,
}

/// The spans of one trace, by the nodes that tell them, and their own IDs.
#[derive(Clone, Debug, Default)]
struct Trace {
    spans: BTreeMap<String, BTreeMap<String, SpanInfo>>,
    /// The times of the first and of the last answer.
    first: f64,
    last: f64,
}

impl Trace {
    fn all(&self) -> impl Iterator<Item = (&str, &SpanInfo)> {
        let nodes = self.spans.iter();
        nodes.flat_map(|(node, spans)| spans.values().map(|span| (node.as_str(), span)))
    }

    /// The span that has no parent here, and begins first.
    fn root(&self) -> Option<(&str, &SpanInfo)> {
        let without = self.all().filter(|(_, span)| span.parent.is_none());
        let first = without.min_by(|a, b| a.1.at.total_cmp(&b.1.at));
        first.or_else(|| self.all().min_by(|a, b| a.1.at.total_cmp(&b.1.at)))
    }
}

impl Traces {
    /// Takes an answer of a node, which came at this time in seconds.
    pub fn add(&mut self, node: &str, at: f64, answer: Result<Answer, String>) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => {
                self.without.insert(node.into(), why);
                return;
            }
        };
        self.without.remove(node);
        let before = self
            .traces
            .values()
            .filter_map(|trace| trace.spans.get(node));
        let room = OF_NODE.saturating_sub(before.map(BTreeMap::len).sum());
        for span in answer.spans.into_iter().take(room) {
            let Some(span) = checked(node, span) else {
                continue;
            };
            if self.traces.len() >= 2 * TRACES && !self.traces.contains_key(&span.trace) {
                continue;
            }
            let trace = self
                .traces
                .entry(span.trace.clone())
                .or_insert_with(|| Trace {
                    first: at,
                    ..Trace::default()
                });
            if trace.spans.len() >= NODES && !trace.spans.contains_key(node) {
                continue;
            }
            let of_node = trace.spans.entry(node.into()).or_default();
            if of_node.len() < SPANS {
                trace.last = at;
                of_node.insert(span.span.clone(), span);
            }
        }
    }

    /// Forgets what a node has told about itself, but not its spans.
    pub fn retain(&mut self, is_known: impl Fn(&str) -> bool) {
        self.without.retain(|node, _| is_known(node));
    }

    /// The nodes that tell no spans, with the reasons.
    pub fn without(&self) -> impl Iterator<Item = (&str, &str)> {
        let without = self.without.iter();
        without.map(|(node, why)| (node.as_str(), why.as_str()))
    }

    /// All stories, the slowest first.
    pub fn stories(&self) -> Vec<Story<'_>> {
        let mut stories: Vec<_> = self
            .heads()
            .into_iter()
            .filter_map(|(head, members)| self.put_together(head, &members))
            .collect();
        stories.sort_by(|a, b| b.total.total_cmp(&a.total).then(a.trace.cmp(b.trace)));
        stories
    }

    /// The story that has this trace, or one of its spans' traces.
    pub fn story(&self, trace: &str) -> Option<Story<'_>> {
        let trace = self.traces.get_key_value(trace)?.0;
        let head = self.head(trace);
        let heads = self.heads();
        self.put_together(head, heads.get(head)?)
    }

    fn put_together<'a>(&'a self, head: &'a str, members: &[&'a str]) -> Option<Story<'a>> {
        let traces = members.iter().filter_map(|id| {
            let (id, trace) = self.traces.get_key_value(*id)?;
            Some((id.as_str(), trace))
        });
        let first = self.traces.get(head)?.first;
        story::tell(head, first, &traces.collect::<Vec<_>>())
    }

    /// The traces by the story that they belong to.
    fn heads(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut heads = BTreeMap::<&str, Vec<&str>>::new();
        for id in self.traces.keys() {
            heads.entry(self.head(id)).or_default().push(id);
        }
        heads
    }

    /// The trace from which links lead to this one. In a circle it is the first of them.
    fn head<'a>(&'a self, trace: &'a str) -> &'a str {
        let (mut at, mut seen) = (trace, BTreeSet::new());
        while seen.len() < LINKS && seen.insert(at) {
            let root = self.traces.get(at).and_then(Trace::root);
            let link = root.and_then(|(_, span)| span.link.as_ref());
            match link.and_then(|(before, _)| self.traces.get_key_value(before)) {
                Some((before, _)) => at = before,
                None => return at,
            }
        }
        match seen.contains(at) {
            true => seen.into_iter().next().unwrap_or(trace),
            false => at,
        }
    }

    /// Makes room: see the module's design.
    pub fn tidy(&mut self, now: f64) {
        self.traces.retain(|_, trace| trace.first + AGE > now);
        let spans = self.traces.values().flat_map(Trace::all).count();
        if self.traces.len() <= STORIES && spans <= OF_NODE / 2 {
            return;
        }
        let stories = self.stories();
        let key = |bar: &Bar<'_>| {
            (
                bar.node.to_owned(),
                bar.span.kind.clone(),
                bar.span.handler.clone(),
            )
        };
        let heads = self.heads();
        let kept = stories.iter().filter_map(|story| {
            let members = &heads[story.trace];
            Some(Member {
                root: story.bars.first().map(key)?,
                spans: story.bars.len() + story.more,
                is_settled: self.traces[story.trace].last + SETTLED < now,
                traces: members.iter().map(|id| (*id).to_owned()).collect(),
            })
        });
        for id in surplus(kept.collect()) {
            self.traces.remove(&id);
        }
    }
}

/// A story, as far as matters for giving it up.
struct Member {
    /// The node, the type and the handler that it begins with.
    root: (String, String, String),
    spans: usize,
    is_settled: bool,
    traces: Vec<String>,
}

/// The traces to give up, of stories that begin with the slowest.
fn surplus(mut kept: Vec<Member>) -> Vec<String> {
    // The spans and the stories of each node, and the stories of each handler.
    let mut of_node = BTreeMap::<String, [usize; 2]>::new();
    let mut of_root = BTreeMap::<(String, String, String), usize>::new();
    let mut traces = 0;
    for member in &kept {
        let [spans, stories] = of_node.entry(member.root.0.clone()).or_default();
        (*spans, *stories) = (*spans + member.spans, *stories + 1);
        *of_root.entry(member.root.clone()).or_default() += 1;
        traces += member.traces.len();
    }
    let mut gone = Vec::new();
    loop {
        let crowded = of_node.values().any(|[spans, _]| *spans > OF_NODE / 2);
        if kept.len() <= STORIES && traces <= TRACES && !crowded {
            return gone;
        }
        let weight = |member: &Member| {
            let [spans, stories] = of_node[&member.root.0];
            let is_crowded = spans > OF_NODE / 2;
            (
                is_crowded,
                stories,
                of_root[&member.root],
                member.is_settled,
            )
        };
        // The last of the greatest is the shortest.
        let Some(at) = (0..kept.len()).max_by_key(|at| weight(&kept[*at])) else {
            return gone;
        };
        let member = kept.remove(at);
        if let Some([spans, stories]) = of_node.get_mut(&member.root.0) {
            (*spans, *stories) = (*spans - member.spans, *stories - 1);
        }
        of_root.entry(member.root).and_modify(|n| *n -= 1);
        traces -= member.traces.len();
        gone.extend(member.traces);
    }
}

/// A span of a node as it may be shown. `None` if it cannot be one of the node.
fn checked(node: &str, mut span: SpanInfo) -> Option<SpanInfo> {
    let is_id = |text: &str, digits: usize| {
        text.len() == digits
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_own = span.port.split_once('#').is_some_and(|(of, _)| of == node);
    let is_time = |time: f64| time.is_finite() && (0.0..FUTURE).contains(&time);
    if !is_own || !is_id(&span.trace, 32) || !is_id(&span.span, 16) || !is_time(span.at) {
        return None;
    }
    for time in [&mut span.waited, &mut span.took] {
        *time = duration(*time);
    }
    span.parent = span.parent.filter(|id| is_id(id, 16));
    span.link = span
        .link
        .filter(|(trace, id)| is_id(trace, 32) && is_id(id, 16));
    let texts = [
        &mut span.port,
        &mut span.kind,
        &mut span.handler,
        &mut span.way,
        &mut span.end,
    ];
    texts
        .into_iter()
        .chain(&mut span.from)
        .chain(&mut span.reason)
        .for_each(cut);
    span.events.truncate(EVENTS);
    for event in &mut span.events {
        event.after = duration(event.after);
        [&mut event.name, &mut event.text].into_iter().for_each(cut);
    }
    Some(span)
}

/// A duration. One that is negative, or none at all, is zero.
fn duration(seconds: f64) -> f64 {
    match seconds.is_nan() {
        true => 0.0,
        false => seconds.clamp(0.0, SECONDS),
    }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests;
