//! The order in which the targets of SRV records are tried.

use aemp_proto::Random;

/// An SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    /// The host, with or without the dot of the root at its end.
    pub(super) target: String,
}

/// The targets (`host:port`), ordered by priority, and at random by weight. A target that is the root means no target.
pub(super) fn targets(mut records: Vec<Record>, random: &mut Random) -> Vec<String> {
    records.retain(|record| !record.target.trim_matches('.').is_empty() && record.port != 0);
    // RFC 2782: within a priority, records of weight zero come first.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut targets = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let equal = records.partition_point(|record| record.priority == priority);
        let drawn = draw(&records[..equal], random);
        let Record { port, target, .. } = records.remove(drawn);
        targets.push(format!("{}:{port}", target.trim_end_matches('.')));
    }
    targets
}

/// Draws one of the records, with a chance in proportion to its weight.
fn draw(records: &[Record], random: &mut Random) -> usize {
    let sum = records.iter().map(|record| u32::from(record.weight)).sum();
    let drawn = random.up_to(sum);
    let mut running = 0;
    let reached = records.iter().position(|record| {
        running += u32::from(record.weight);
        running >= drawn
    });
    reached.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn record(priority: u16, weight: u16, target: &str) -> Record {
        Record {
            priority,
            weight,
            port: 4040,
            target: target.into(),
        }
    }

    #[test]
    fn priorities_are_kept_with_any_weights() {
        for seed in 0..50 {
            let records = vec![
                record(20, 60000, "c."),
                record(10, 0, "a."),
                record(30, 5, "d."),
                record(10, 7, "b."),
            ];
            let mut found = targets(records, &mut Random::predictable(seed));
            found[..2].sort();
            assert_eq!(found, ["a:4040", "b:4040", "c:4040", "d:4040"]);
        }
    }

    #[test]
    fn the_first_is_drawn_by_weight() {
        let mut firsts = BTreeMap::<String, u32>::new();
        for seed in 0..2000 {
            let records = vec![record(1, 30, "a"), record(1, 0, "b"), record(1, 10, "c")];
            let found = targets(records, &mut Random::predictable(seed));
            assert_eq!(found.len(), 3);
            *firsts.entry(found[0].clone()).or_default() += 1;
        }
        // The chances are 30, 1 and 10 of 41.
        let [a, b, c] = ["a:4040", "b:4040", "c:4040"].map(|name| firsts[name]);
        assert!((1370..1560).contains(&a), "{a}");
        assert!((15..100).contains(&b), "{b}");
        assert!((390..590).contains(&c), "{c}");
    }

    #[test]
    fn those_without_weights_are_all_there() {
        let names: Vec<String> = (0..70).map(|n| format!("h{n:02}.example.")).collect();
        let records = names.iter().map(|name| record(0, 0, name)).collect();
        let mut found = targets(records, &mut Random::predictable(1));
        found.sort();
        assert_eq!(found.len(), 70);
        assert_eq!(found[69], "h69.example:4040");
    }

    #[test]
    fn records_without_a_target_are_left_out() {
        let mut no_port = record(0, 0, "a.");
        no_port.port = 0;
        let records = vec![record(0, 0, "."), record(0, 0, ""), no_port];
        assert!(targets(records, &mut Random::predictable(1)).is_empty());
    }
}
