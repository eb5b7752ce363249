use super::*;

fn counts(uptime: f64, handled: u64, ended: &[(&str, u64)]) -> Counts {
    let mut handler = HandlerCounts::default();
    (handler.name, handler.handled) = ("sell".into(), handled);
    handler.times.classes = vec![handled];
    let ended = ended.iter().map(|(end, ended)| ((*end).into(), *ended));
    handler.calls.ended = ended.collect();
    let mut of_type = TypeCounts::default();
    (of_type.kind, of_type.handlers) = ("my::Shop".into(), vec![handler]);
    of_type.died = [("normal".into(), 2), ("die".into(), handled / 10)].into();
    let mut counts = Counts::default();
    (counts.uptime, counts.bounds, counts.types) = (uptime, vec![1.0], vec![of_type]);
    counts
}

fn sell(activity: &Activity) -> &OfHandler {
    &activity.types["my::Shop"].handlers["sell"]
}

#[test]
fn rates_are_those_of_five_to_ten_seconds() {
    let mut activity = Activity::default();
    let mut handled = 0;
    for second in 0..60 {
        activity.add(
            f64::from(second),
            Ok(counts(f64::from(second), handled, &[])),
        );
        // It begins with 100 a second, and goes on with 10.
        handled += if second < 20 { 100 } else { 10 };
        let rate = sell(&activity).rate;
        match second {
            0 => assert_eq!(rate, 0.0),
            1..=20 => assert!((rate - 100.0).abs() < 1e-9, "{second}: {rate}"),
            21..=29 => assert!((10.0..100.0).contains(&rate), "{second}: {rate}"),
            _ => assert!((rate - 10.0).abs() < 1e-9, "{second}: {rate}"),
        }
        assert!(activity.counts.len() <= 3);
    }
    assert_eq!(sell(&activity).handled, 2390);
    assert_eq!(activity.died(), 239);
}

#[test]
fn failed_calls_are_those_without_an_answer() {
    let mut activity = Activity::default();
    activity.add(0.0, Ok(counts(0.0, 0, &[("answered", 5), ("timeout", 1)])));
    activity.add(
        2.0,
        Ok(counts(
            2.0,
            0,
            &[("answered", 9), ("timeout", 2), ("died", 1)],
        )),
    );
    let calls = &sell(&activity).calls;
    assert_eq!((calls.rate, calls.failing, calls.failed()), (3.0, 1.0, 3));
}

#[test]
fn a_node_that_starts_again_has_no_rate_yet() {
    let mut activity = Activity::default();
    activity.add(0.0, Ok(counts(100.0, 1000, &[])));
    activity.add(1.0, Ok(counts(101.0, 1010, &[])));
    assert_eq!(sell(&activity).rate, 10.0);
    activity.add(2.0, Ok(counts(0.5, 7, &[])));
    assert_eq!((sell(&activity).rate, sell(&activity).handled), (0.0, 7));
    activity.add(3.0, Err("no".into()));
    assert_eq!(
        (activity.types.len(), activity.failure.as_deref()),
        (0, Some("no"))
    );
    activity.add(4.0, Ok(counts(2.5, 9, &[])));
    assert_eq!((sell(&activity).rate, &activity.failure), (0.0, &None));
}

#[test]
fn nodes_are_added_up() {
    let mut all = Activity::default();
    for more in [10, 30] {
        let mut one = Activity::default();
        one.add(0.0, Ok(counts(0.0, 0, &[])));
        one.add(1.0, Ok(counts(1.0, more, &[("answered", more)])));
        all.merge(&one);
    }
    let shop = &all.types["my::Shop"];
    assert_eq!(
        (shop.died["normal"], shop.died["die"], shop.failed()),
        (4, 4, 4)
    );
    let (rate, times) = shop.messages();
    assert_eq!((rate, times.quantile(1.0)), (40.0, Some(1.0)));
    assert_eq!(sell(&all).calls.rate, 40.0);
}

/// A node with many handlers lists some of them.
#[test]
fn a_handler_that_was_not_listed_has_no_rate_yet() {
    for (total, rate) in [(1, 1000.0), (2, 0.0)] {
        let mut activity = Activity::default();
        let mut before = counts(0.0, 5, &[]);
        before.total = total;
        before.types[0].handlers[0].name = "other".into();
        activity.add(0.0, Ok(before));
        activity.add(1.0, Ok(counts(1.0, 1000, &[])));
        assert_eq!(sell(&activity).rate, rate);
    }
}

/// A node may report anything.
#[test]
fn lies_are_bounded() {
    let mut lie = counts(f64::NAN, u64::MAX, &[("x", u64::MAX), ("y", u64::MAX)]);
    let mut handler = lie.types[0].handlers[0].clone();
    handler.name = "é".repeat(1000);
    handler.times.classes = vec![u64::MAX; 100];
    handler.calls.ended = (0..100).map(|n| (format!("end{n}"), u64::MAX)).collect();
    lie.types[0].died = (0..100)
        .map(|n| (format!("{n}!").repeat(1000), u64::MAX))
        .collect();
    lie.types[0].handlers = vec![handler.clone(); 5];
    let mut other = lie.types[0].clone();
    other.kind = "my::Other".into();
    lie.types.extend(vec![other; 2 * TYPES]);
    lie.bounds = vec![f64::INFINITY; 1000];
    let taken = bounded(lie.clone());
    let handlers = taken.types.iter().map(|of| of.handlers.len());
    assert_eq!(
        (taken.types.len(), handlers.sum::<usize>()),
        (TYPES, HANDLERS)
    );
    let mut activity = Activity::default();
    for second in 0..7 {
        activity.add(f64::from(second), Ok(lie.clone()));
    }
    let shop = &activity.types["my::Shop"];
    assert_eq!(
        (activity.types.len(), shop.handlers.len(), shop.died.len()),
        (2, 1, KINDS)
    );
    let (name, handler) = shop.handlers.first_key_value().unwrap();
    assert_eq!((name.chars().count(), handler.rate), (LONGEST, 0.0));
    assert_eq!(
        (handler.calls.ended.len(), handler.calls.failed()),
        (KINDS, u64::MAX)
    );
    assert_eq!(
        (activity.died(), handler.times.quantile(0.5)),
        (u64::MAX, None)
    );
    let mut all = activity.clone();
    all.merge(&activity);
    assert_eq!(all.types["my::Shop"].failed(), u64::MAX);
}
