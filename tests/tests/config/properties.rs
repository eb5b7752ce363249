//! Every configuration is read back as it was written.

use aemp::{Map, Value};
use proptest::prelude::*;

use crate::common::Home;

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (i64::MAX as u64 + 1..).prop_map(Value::UInt),
        proptest::num::f64::NORMAL.prop_map(Value::Float),
        any::<String>().prop_map(Value::Str),
        "[ -~]{0,8}[\u{0}-\u{1f}\"\\\\#,]{0,3}".prop_map(Value::Str),
    ];
    scalar.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            map(inner).prop_map(Value::Map),
        ]
    })
}

fn map(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map> {
    let entries = prop::collection::vec((any::<String>(), inner), 0..5);
    entries.prop_map(|entries| entries.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Services take any values as arguments.
    #[test]
    fn saved_values_are_loaded_unchanged(args in prop::collection::vec(value(), 0..5)) {
        let home = Home::new();
        let mut file = home.load().unwrap();
        let mut service = vec![Value::from("My::service")];
        service.extend(args);
        file.add(Some("worker"), "services", service).unwrap();
        prop_assert!(file.save().unwrap());
        let again = home.load().unwrap();
        let (a, b) = (file.document().clone(), again.document().clone());
        prop_assert!(Value::Map(a).loose_eq(&Value::Map(b)), "{}", home.text());
    }

    #[test]
    fn unknown_keys_survive_a_change(unknown in map(value())) {
        let home = Home::with(&Value::Map(unknown.clone()).to_string());
        let mut file = home.load().unwrap();
        file.set(None, "nodeid", "changed").unwrap();
        file.save().unwrap();
        let again = home.load().unwrap();
        let mut expected = unknown;
        expected.insert("nodeid", "changed");
        let again = again.document().clone();
        prop_assert!(Value::Map(expected).loose_eq(&Value::Map(again)), "{}", home.text());
    }

    #[test]
    fn no_text_panics(text in ".{0,60}", json in "[\\[\\]{}\",:#0-9a\\\\u \n.eE-]{0,30}") {
        let home = Home::with(&text);
        let _ = home.load();
        home.write(&format!("{{{json}"));
        let _ = home.load();
    }
}
