//! Samples: when they are taken, and what bounds them.

use std::borrow::Cow;

use aemp_codec::{NodeId, PortId};

use super::*;
use crate::{Reason, span::End};

const SECOND: Duration = Duration::from_secs(1);

fn context(state: &str, flags: u8) -> SpanContext {
    let context = SpanContext::new([1; 16], [2; 8], flags).unwrap();
    context.with_state(state).unwrap()
}

/// Begins the span of a message, and ends it.
fn handle(
    samples: &Arc<Samples>,
    way: Way,
    sender: Option<&SpanContext>,
    own: Option<&SpanContext>,
) -> Option<SpanContext> {
    let node = NodeId::new("here").unwrap();
    let handling = Handling {
        node: &node,
        port: PortId::new(&node, "p"),
        port_type: "my::Shop<u8>",
        handler: "buy",
        tag: Cow::Borrowed("buy"),
        from: None,
        way,
        sender,
        waited: SECOND,
    };
    let (kept, context) = samples.begin(&handling, own)?;
    kept.end(End::Died(&Reason::die("x")), SECOND * 2);
    Some(context)
}

fn asked() -> (Arc<Samples>, Instant) {
    let (samples, now) = (Arc::new(Samples::default()), Instant::now());
    assert_eq!(samples.ask(now), Some(now + LINGER));
    (samples, now)
}

#[test]
fn one_question_is_one_sample() {
    let samples = Arc::new(Samples::default());
    assert_eq!(handle(&samples, Way::Sent, None, None), None);
    let now = Instant::now();
    samples.ask(now);
    assert!(samples.is_armed() && !samples.takes_any());
    let first = handle(&samples, Way::Sent, None, None).unwrap();
    assert_eq!((first.state(), first.is_sampled()), ("aemp=3", true));
    assert_eq!(handle(&samples, Way::Sent, None, None), None);
    // Two observers that ask at the same time get one.
    assert_eq!(samples.ask(now + PAUSE / 2), None);
    assert_eq!(handle(&samples, Way::Sent, None, None), None);
    samples.ask(now + PAUSE);
    let second = handle(&samples, Way::Called, None, None).unwrap();
    assert_ne!(first.trace_id(), second.trace_id());
    // If nothing has come from outside of ports, anything will do.
    samples.ask(now + PAUSE * 2);
    samples.ask(now + PAUSE * 3);
    assert!(samples.takes_any());
}

#[test]
fn a_span_says_what_has_happened() {
    let (samples, _) = asked();
    let root = handle(&samples, Way::Unknown, None, None).unwrap();
    let child = handle(&samples, Way::Called, Some(&root), None).unwrap();
    assert_eq!(child.trace_id(), root.trace_id());
    let linked = handle(&samples, Way::Sent, Some(&child), None).unwrap();
    assert_ne!(linked.trace_id(), root.trace_id());
    let Traces { next, lost, spans } = samples.answer(0, 10);
    assert_eq!((next, lost, spans.len()), (3, 0, 3));
    assert_eq!(
        (spans[0].parent.clone(), spans[0].link.clone()),
        (None, None)
    );
    assert_eq!(spans[1].parent.as_ref(), Some(&spans[0].span));
    let link = (spans[1].trace.clone(), spans[1].span.clone());
    assert_eq!((&spans[2].parent, &spans[2].link), (&None, &Some(link)));
    let first = &spans[0];
    assert_eq!(
        (&*first.kind, &*first.handler, &*first.port),
        ("my::Shop", "buy", "here#p")
    );
    assert_eq!(
        (first.waited, first.took, &*first.way),
        (1.0, 2.0, "unknown")
    );
    assert_eq!(
        (&*first.end, first.failed, first.reason.as_deref()),
        ("died", true, Some("die x"))
    );
    assert!(first.at > 1e9 && first.trace.len() == 32 && first.span.len() == 16);
}

/// A port that sends to itself.
#[test]
fn links_are_followed_so_far_and_no_further() {
    let (samples, _) = asked();
    let mut context = handle(&samples, Way::Sent, None, None).unwrap();
    for _ in 0..HOPS {
        context = handle(&samples, Way::Sent, Some(&context), None).unwrap();
    }
    assert_eq!(context.state(), "aemp=0");
    assert_eq!(handle(&samples, Way::Sent, Some(&context), None), None);
    assert!(handle(&samples, Way::Called, Some(&context), None).is_some());
    // A peer that asks for more gets no more.
    let odd = handle(
        &samples,
        Way::Called,
        Some(&self::context("aemp=255", 1)),
        None,
    );
    assert_eq!(odd.unwrap().state(), "aemp=3");
}

#[test]
fn spans_are_bounded() {
    let (samples, now) = asked();
    let sender = context("k=v,aemp=2", 1);
    let call = || handle(&samples, Way::Called, Some(&sender), None).is_some();
    for _ in 0..BUDGET {
        assert!(call());
    }
    assert!(!call() && !call());
    assert_eq!(samples.answer(0, 1000).lost, 2);
    for second in 1..4 {
        samples.ask(now + SECOND * second);
        (0..BUDGET).for_each(|_| assert!(call()));
    }
    let all = samples.answer(0, 1000);
    assert_eq!((all.spans.len(), all.next), (KEPT, u64::from(BUDGET) * 4));
    // The next question begins behind the last span, and a cut answer where it was cut.
    let few = samples.answer(all.next - 10, 4);
    assert_eq!((few.spans.len(), few.next), (4, all.next - 6));
    assert_eq!(samples.answer(few.next, 1000).spans.len(), 6);
    assert_eq!(samples.answer(all.next, 1000).spans.len(), 0);
    assert_eq!(samples.answer(u64::MAX, 1000).spans.len(), KEPT);
}

#[test]
fn nothing_is_kept_after_a_while() {
    let (samples, now) = asked();
    let root = handle(&samples, Way::Sent, None, None).unwrap();
    samples.ask(now + SECOND);
    assert_eq!(samples.check(now + LINGER), Some(now + SECOND + LINGER));
    assert_eq!(samples.answer(0, 10).spans.len(), 1);
    assert_eq!(samples.check(now + SECOND + LINGER), None);
    assert_eq!(samples.answer(0, 10).spans.len(), 0);
    assert!(!samples.is_armed());
    assert_eq!(handle(&samples, Way::Called, Some(&root), None), None);
    // The numbers go on.
    assert_eq!(samples.answer(0, 10).next, 1);
    assert!(samples.ask(now + SECOND * 60).is_some());
}

/// The tracer decides, and its IDs are taken.
#[test]
fn a_tracer_decides() {
    let (samples, _) = asked();
    let unsampled = context("", 0);
    assert_eq!(handle(&samples, Way::Sent, None, Some(&unsampled)), None);
    let sampled = context("k=v", 1);
    let kept = handle(&samples, Way::Sent, None, Some(&sampled)).unwrap();
    assert_eq!((kept.state(), kept.span_id()), ("aemp=3,k=v", [2; 8]));
    // The current span of another library is a child of it.
    let inner = SpanContext::new([1; 16], [3; 8], 1).unwrap();
    assert_eq!(carry(inner.clone(), Some(&kept)).state(), "aemp=3");
    let other = SpanContext::new([9; 16], [3; 8], 1).unwrap();
    assert_eq!(carry(other.clone(), Some(&kept)), other);
    assert_eq!(carry(inner.clone(), Some(&sampled)), inner);
    assert_eq!(carry(inner.clone(), None), inner);
}

#[test]
fn a_state_without_room_gives_way() {
    let long = format!("k={}", "v".repeat(SpanContext::LONGEST_STATE - 2));
    assert_eq!(with_hops(context(&long, 1), 2).state(), "aemp=2");
    let again = with_hops(context("a=1, aemp=1,b=2", 1), 2);
    assert_eq!(again.state(), "aemp=2,a=1,b=2");
    assert_eq!(hops(&context("a=1, aemp=1,b=2", 1)), Some(1));
    assert_eq!(hops(&context("aemp=1", 0)), None);
    for state in ["aemp=-1", "aemp=256", "aemp=x", "xaemp=1", "a=aemp"] {
        assert_eq!(hops(&context(state, 1)), None, "{state}");
    }
}
