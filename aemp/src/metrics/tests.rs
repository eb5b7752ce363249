//! The catalogue, the handbook's page and the text say the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Kind, MetricsServer, catalogue};
use crate::{Args, Cx, Node};

/// The handbook's table has a row for each metric.
#[test]
fn the_handbook_knows_all_metrics() {
    let page = include_str!("../docs/metrics.md");
    let rows: BTreeSet<_> = page
        .lines()
        .filter(|line| line.starts_with("| `aemp_"))
        .collect();
    let mut known = BTreeSet::new();
    for metric in catalogue() {
        let labels: Vec<_> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
        let (name, kind, labels) = (metric.name, metric.kind.name(), labels.join(", "));
        known.insert(format!(
            "| `{name}` | {kind} | {labels} | {} |",
            metric.help
        ));
    }
    let known: BTreeSet<_> = known.iter().map(String::as_str).collect();
    assert_eq!(rows, known);
    for label in catalogue().flat_map(|metric| metric.labels) {
        let row = page.lines().filter(|line| line.starts_with("| `"));
        assert!(
            row.clone().any(|row| row.contains(&format!("`{label}`"))),
            "{label}"
        );
    }
}

#[test]
fn names_tell_kinds_and_are_unique() {
    let mut names = BTreeSet::new();
    for metric in catalogue() {
        let is_total = metric.name.ends_with("_total");
        assert_eq!(is_total, metric.kind == Kind::Counter, "{}", metric.name);
        assert!(names.insert(metric.name) && !metric.help.ends_with('.'));
    }
}

/// Everything in the catalogue is collected, in its order, with its labels, and nothing else.
#[tokio::test]
async fn the_catalogue_equals_the_collected_metrics() {
    let node = Node::local().unwrap();
    let port = node.untyped(|_: &mut Cx<'_>, _: Args| ());
    node.snd(&port.id(), vec!["hello".into()]);
    let _entry = node.db_set("family", "key", 5).unwrap();
    until(&node, "aemp_messages_total", &["untyped", "(untyped)"], 1.0).await;
    let metrics = node.metrics().await;
    let collected = metrics.iter().map(|metric| metric.description);
    assert!(collected.eq(catalogue()));
    for metric in metrics.iter() {
        let labels = metric.description.labels.len();
        assert!(
            metric
                .samples
                .iter()
                .all(|sample| sample.labels.len() == labels)
        );
    }
    assert_eq!(metrics.value("aemp_ports", &["untyped"]), Some(1.0));
    assert_eq!(metrics.value("aemp_ports_spawned_total", &[]), Some(1.0));
    assert_eq!(metrics.value("aemp_database_keys", &["family"]), Some(1.0));
    assert_eq!(metrics.value("aemp_ready", &[]), Some(1.0));
    check_text(&metrics.to_string());
}

async fn until(node: &Node, name: &str, labels: &[&str], value: f64) {
    while node.metrics().await.value(name, labels) != Some(value) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One line of the text: the name, the labels, and the value.
fn parse_line(line: &str) -> (&str, BTreeMap<String, String>, f64) {
    let (name, mut rest) = line.split_at(line.find(['{', ' ']).unwrap());
    let mut labels = BTreeMap::new();
    while let Some(label) = rest.strip_prefix(['{', ',']) {
        let (key, quoted) = label.split_once("=\"").unwrap();
        let (mut value, mut characters) = (String::new(), quoted.char_indices());
        let end = loop {
            match characters.next().unwrap() {
                (_, '\\') => match characters.next().unwrap().1 {
                    'n' => value.push('\n'),
                    escaped @ ('\\' | '"') => value.push(escaped),
                    other => panic!("an escape of {other:?}"),
                },
                (at, '"') => break at + 1,
                (_, other) => value.push(other),
            }
        };
        assert!(labels.insert(key.to_owned(), value).is_none());
        rest = &quoted[end..];
        rest = rest.strip_prefix('}').unwrap_or(rest);
    }
    let value = rest.strip_prefix(' ').unwrap();
    (name, labels, value.parse().unwrap())
}

/// Checks the text against the rules of the format: each family once with its head before it, no series twice,
/// histograms that grow up to `+Inf`, which is their count.
fn check_text(text: &str) {
    let (mut family, mut kind) = ("", "");
    let (mut families, mut series) = (BTreeSet::new(), BTreeSet::new());
    let mut buckets = BTreeMap::<_, (f64, f64)>::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap();
            assert!(families.insert(family), "{family}");
            continue;
        }
        if let Some(of) = line.strip_prefix("# TYPE ") {
            kind = of.strip_prefix(family).unwrap().trim();
            assert!(["counter", "gauge", "histogram"].contains(&kind));
            continue;
        }
        let (name, mut labels, value) = parse_line(line);
        assert!(series.insert((name, labels.clone())), "{line}");
        assert!(value >= 0.0, "{line}");
        match (kind, name.strip_prefix(family)) {
            ("histogram", Some("_bucket")) => {
                let bound: f64 = labels
                    .remove("le")
                    .unwrap()
                    .replace('+', "")
                    .parse()
                    .unwrap();
                let (last, count) = buckets.entry(labels).or_insert((-1.0, 0.0));
                assert!(bound > *last && value >= *count, "{line}");
                (*last, *count) = (bound, value);
            }
            ("histogram", Some("_sum")) => {}
            ("histogram", Some("_count")) => {
                let (last, count) = buckets.remove(&labels).unwrap();
                assert!(last.is_infinite() && count == value, "{line}");
            }
            (_, end) => assert_eq!(end, Some(""), "{line}"),
        }
    }
    assert!(buckets.is_empty());
    assert_eq!(families.len(), catalogue().count());
}

#[test]
fn labels_are_escaped() {
    let sample = super::collect::sample(["a\\b", "c\"d", "e\nf"], super::Reading::Level(1.5));
    let metric = super::Metric {
        description: catalogue().next().unwrap(),
        samples: vec![sample],
    };
    let text = super::Metrics(vec![metric].into()).to_string();
    let (name, labels, value) = parse_line(text.lines().nth(2).unwrap());
    assert_eq!((name, value), ("aemp_node_info", 1.5));
    let values: Vec<_> = labels.values().map(String::as_str).collect();
    assert_eq!(values, ["a\\b", "e\nf", "c\"d"]);
}

#[test]
fn a_server_can_be_kept_anywhere() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<MetricsServer>();
}
