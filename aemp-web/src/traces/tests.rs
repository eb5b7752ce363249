//! Stories: their order, the clocks, the bounds, and nodes that lie.

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn id(n: u64) -> String {
    format!("{n:016x}")
}

fn trace(n: u64) -> String {
    format!("{n:032x}")
}

/// A span of a port of the node, which is called by `parent`, at this time in milliseconds.
fn span(node: &str, n: u64, parent: Option<u64>, at: f64, took: f64) -> SpanInfo {
    let mut span = SpanInfo::default();
    (span.trace, span.span) = (TRACE.into(), id(n));
    span.parent = parent.map(id);
    (span.port, span.kind, span.handler) =
        (format!("{node}#p"), "shop::Till".into(), format!("h{n}"));
    (span.at, span.took) = (1e9 + at / 1e3, took / 1e3);
    span
}

fn answer(spans: Vec<SpanInfo>) -> Result<Answer, String> {
    let mut answer = Answer::default();
    answer.spans = spans;
    Ok(answer)
}

fn names(story: &Story<'_>) -> Vec<(String, usize)> {
    let bars = story.bars.iter();
    bars.map(|bar| (bar.span.handler.clone(), bar.depth))
        .collect()
}

fn row(name: &str, depth: usize) -> (String, usize) {
    (name.into(), depth)
}

fn is_near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-5
}

#[test]
fn spans_of_several_nodes_are_one_story() {
    let mut traces = Traces::default();
    // Children end before their parents, and may be told first.
    let mut cook = span("b", 3, Some(1), 40.0, 30.0);
    cook.waited = 0.01;
    traces.add("b", 1.0, answer(vec![cook]));
    traces.add(
        "a",
        1.0,
        answer(vec![
            span("a", 2, Some(1), 10.0, 5.0),
            span("a", 1, None, 0.0, 100.0),
        ]),
    );
    let mut told = span("c", 9, None, 80.0, 200.0);
    (told.trace, told.link) = (trace(7), Some((TRACE.into(), id(3))));
    traces.add("c", 1.5, answer(vec![told]));
    let stories = traces.stories();
    assert_eq!(stories.len(), 1);
    let story = &stories[0];
    assert_eq!(
        names(story),
        [row("h1", 0), row("h2", 1), row("h3", 1), row("h9", 2)]
    );
    assert_eq!(story.nodes(), ["a", "b", "c"]);
    assert_eq!(
        (story.bars[0].tie, story.bars[1].tie),
        (Tie::Root, Tie::Called)
    );
    assert_eq!(story.bars[3].tie, Tie::Linked(&id(3)));
    assert!(is_near(story.bars[2].begin, 0.03) && is_near(story.bars[2].handled(), 0.04));
    assert!(is_near(story.total, 0.28) && story.bars.iter().all(|bar| bar.shift.abs() < 1e-5));
    assert_eq!((story.more, story.failed()), (0, false));
    // It is found by each of its traces.
    for id in [TRACE, &trace(7)] {
        assert_eq!(traces.story(id).unwrap().trace, TRACE);
    }
    assert!(traces.story("nothing").is_none());
}

#[test]
fn clocks_are_corrected() {
    let mut traces = Traces::default();
    traces.add("a", 1.0, answer(vec![span("a", 1, None, 0.0, 100.0)]));
    // An hour ahead, with two spans of the same clock, and a call back.
    let hour = 3_600_000.0;
    traces.add(
        "b",
        1.0,
        answer(vec![
            span("b", 2, Some(1), hour, 40.0),
            span("b", 3, Some(2), hour + 10.0, 5.0),
        ]),
    );
    traces.add("a", 1.0, answer(vec![span("a", 4, Some(3), 42.0, 1.0)]));
    let story = traces.story(TRACE).unwrap();
    assert_eq!(
        names(&story),
        [row("h1", 0), row("h2", 1), row("h3", 2), row("h4", 3)]
    );
    // In the middle of the caller.
    assert!(is_near(story.bars[1].begin, 0.03), "{story:?}");
    assert!(is_near(story.bars[2].begin, 0.04));
    assert!(is_near(story.bars[3].shift, 0.0) && is_near(story.bars[3].begin, 0.042));
    assert!(is_near(story.total, 0.1));
    // A one-way message does not arrive before it is sent.
    let mut told = span("c", 5, None, -50.0, 1.0);
    (told.trace, told.link) = (trace(8), Some((TRACE.into(), id(1))));
    traces.add("c", 1.0, answer(vec![told]));
    let story = traces.story(TRACE).unwrap();
    let told = story.bars.iter().find(|bar| bar.node == "c").unwrap();
    assert!(is_near(told.begin, 0.0), "{story:?}");
}

#[test]
fn a_span_whose_caller_is_unknown_is_shown() {
    let mut traces = Traces::default();
    let spans = vec![
        span("a", 1, None, 0.0, 10.0),
        span("a", 3, Some(99), 2.0, 1.0),
    ];
    traces.add("a", 1.0, answer(spans));
    let story = traces.story(TRACE).unwrap();
    assert_eq!(names(&story), [row("h1", 0), row("h3", 0)]);
    assert_eq!(story.bars[1].tie, Tie::Lost);
}

/// Parents and links that lead in circles, also over nodes.
#[test]
fn circles_end() {
    let mut traces = Traces::default();
    let spans = vec![
        span("a", 1, Some(1), 0.0, 1.0),
        span("a", 2, Some(3), 1.0, 1.0),
        span("a", 3, Some(2), 2.0, 1.0),
    ];
    traces.add("a", 1.0, answer(spans));
    let linked = |n: u64, to: u64| {
        let mut span = span("b", n, None, 0.0, 1.0);
        (span.trace, span.link) = (trace(n), Some((trace(to), id(to))));
        span
    };
    traces.add(
        "b",
        1.0,
        answer(vec![linked(5, 6), linked(6, 7), linked(7, 5), linked(8, 8)]),
    );
    let stories = traces.stories();
    let mut bars: Vec<_> = stories
        .iter()
        .flat_map(|story| &story.bars)
        .map(|bar| bar.span.handler.clone())
        .collect();
    bars.sort();
    assert_eq!(bars, ["h1", "h2", "h3", "h5", "h6", "h7", "h8"]);
    assert_eq!(stories.len(), 3);
    for n in [5, 6, 7] {
        assert_eq!(traces.story(&trace(n)).unwrap().bars.len(), 3);
    }
}

#[test]
fn nonsense_is_left_out_or_bounded() {
    let mut traces = Traces::default();
    let odd = |change: fn(&mut SpanInfo)| {
        let mut odd = span("a", 1, None, 0.0, 1.0);
        change(&mut odd);
        odd
    };
    // Of another node, or without an ID or a time.
    let refused = vec![
        odd(|span| span.port = "b#p".into()),
        odd(|span| span.port = "a".into()),
        odd(|span| span.trace = "<script>".into()),
        odd(|span| span.trace = TRACE.to_uppercase()),
        odd(|span| span.span.clear()),
        odd(|span| span.at = f64::NAN),
        odd(|span| span.at = -1.0),
        odd(|span| span.at = 1e300),
    ];
    traces.add("a", 1.0, answer(refused));
    assert_eq!(traces.stories().len(), 0);
    let mut strange = odd(|span| (span.waited, span.took) = (-5.0, f64::INFINITY));
    strange.handler = "ä".repeat(100_000);
    strange.reason = Some("x".repeat(100_000));
    strange.parent = Some("<b>".into());
    strange.link = Some(("x".into(), id(1)));
    strange.events = vec![aemp::inspect::SpanEvent::default(); 1000];
    strange.events[0].after = f64::NAN;
    traces.add("a", 1.0, answer(vec![strange]));
    let story = traces.story(TRACE).unwrap();
    let bar = &story.bars[0];
    assert_eq!(
        (bar.span.waited, bar.span.took, story.total),
        (0.0, SECONDS, SECONDS)
    );
    assert_eq!(
        (bar.span.handler.chars().count(), bar.span.events.len()),
        (LONGEST, EVENTS)
    );
    assert_eq!((bar.tie, bar.span.events[0].after), (Tie::Root, 0.0));
    assert_eq!(bar.span.reason.as_ref().map(String::len), Some(LONGEST));
}

#[test]
fn a_trace_has_so_many_spans_of_a_node() {
    let mut traces = Traces::default();
    let spans = |node: &str| {
        (0..1000)
            .map(|n| span(node, n + 1, Some(n), n as f64, 1.0))
            .collect()
    };
    traces.add("liar", 1.0, answer(spans("liar")));
    traces.add("b", 1.0, answer(vec![span("b", 5000, None, 0.0, 1.0)]));
    for n in 0..200 {
        let node = format!("n{n}");
        traces.add(
            &node,
            1.0,
            answer(vec![span(&node, n, Some(5000), 0.0, 1.0)]),
        );
    }
    let story = traces.story(TRACE).unwrap();
    assert_eq!(story.bars.len() + story.more, SPANS + NODES - 1);
    // Of others it hides nothing.
    assert!(story.bars.iter().any(|bar| bar.node == "b"));
    // A span is told once, whatever a node repeats.
    traces.add("b", 2.0, answer(vec![span("b", 5000, None, 0.0, 1.0)]));
    let story = traces.story(TRACE).unwrap();
    assert_eq!(story.bars.len() + story.more, SPANS + NODES - 1);
}

/// A node that reports much displaces no other node, and of a busy handler the slow ones stay.
#[test]
fn rare_and_slow_traces_stay() {
    let mut traces = Traces::default();
    let of = |node: &str, n: u64, handler: &str, took: f64| {
        let mut span = span(node, n, None, 0.0, took);
        (span.trace, span.handler) = (trace(n), handler.into());
        span
    };
    traces.add("rare", 0.0, answer(vec![of("rare", 1, "once", 1.0)]));
    let mut busy: Vec<_> = (0..100)
        .map(|n| of("busy", 100 + n, "often", n as f64))
        .collect();
    busy.push(of("busy", 2, "seldom", 0.5));
    traces.add("busy", 1.0, answer(busy));
    for round in 0..20 {
        let spans = (0..200).map(|n| of("liar", 10_000 + round * 200 + n, &format!("h{n}"), 9e9));
        traces.add("liar", 2.0 + round as f64, answer(spans.collect()));
        assert!(traces.traces.len() <= 2 * TRACES);
        traces.tidy(20.0);
        assert!(traces.traces.len() <= STORIES, "{}", traces.traces.len());
    }
    let has = |n: u64| traces.story(&trace(n)).is_some();
    assert!(has(1) && has(2) && has(199) && !has(100));
    let of_busy = traces
        .stories()
        .into_iter()
        .filter(|story| story.bars[0].node == "busy")
        .count();
    assert!(of_busy >= STORIES / 2 - 2, "{of_busy}");
    traces.tidy(AGE + 30.0);
    assert_eq!(traces.stories().len(), 0);
}

/// The same over links: one story with many traces.
#[test]
fn long_chains_of_links_are_bounded() {
    let mut traces = Traces::default();
    let chain: Vec<_> = (1..2000)
        .map(|n| {
            let mut span = span("liar", n, None, n as f64, 1.0);
            (span.trace, span.link) = (trace(n), Some((trace(n - 1), id(n - 1))));
            span
        })
        .collect();
    traces.add("liar", 1.0, answer(chain));
    traces.tidy(5.0);
    assert!(traces.traces.len() <= TRACES);
    assert!(traces.stories().iter().all(|story| story.bars.len() <= 200));
}

/// Wide traces give way as well, and so the new ones of their node are shown.
#[test]
fn a_node_has_so_many_spans() {
    let mut traces = Traces::default();
    for n in 0..100 {
        let spans = (1..=100).map(|at| {
            let mut span = span(
                "wide",
                at,
                (at > 1).then_some(1),
                at as f64,
                500.0 - at as f64,
            );
            span.trace = trace(n + 1);
            span
        });
        traces.add("wide", n as f64, answer(spans.collect()));
        let all = traces.traces.values().flat_map(Trace::all).count();
        assert!(all <= OF_NODE, "{all}");
        traces.tidy(n as f64 + 0.5);
        assert!(traces.story(&trace(n + 1)).is_some(), "{n}");
    }
}

#[test]
fn nodes_without_traces_are_told_with_the_reason() {
    let mut traces = Traces::default();
    traces.add("old", 1.0, Err("is old".into()));
    traces.add("gone", 1.0, Err("no answer".into()));
    traces.retain(|node| node == "old");
    assert_eq!(traces.without().collect::<Vec<_>>(), [("old", "is old")]);
    traces.add("old", 2.0, answer(Vec::new()));
    assert_eq!(traces.without().count(), 0);
}
