use super::*;

fn map(entries: &[(&str, Value)]) -> Value {
    let entries = entries.iter().map(|(key, value)| (*key, value.clone()));
    Value::Map(entries.collect())
}

fn parse(request: &str, args: &[Value]) -> Result<Parsed, String> {
    GlobalRequest::parse(request, args.to_vec()).map_err(|error| error.to_string())
}

#[test]
fn names_may_be_numbers_and_nothing_may_be_missing() {
    let update = Update {
        family: "7".into(),
        set: Vec::new(),
        del: vec!["1".into(), "x".into()],
    };
    let keys = Value::Array(vec![1.into(), "x".into()]);
    let parsed = parse("g_upd", &[7.into(), Value::Null, keys]).unwrap();
    assert_eq!(parsed, (GlobalRequest::Update(update), Odd::default()));
    let parsed = parse("g_chg1", &["f".into()]).unwrap();
    assert_eq!(parsed.0, GlobalRequest::All("f".into(), vec![]));
    assert_eq!(parse("g_slave", &[]).unwrap().0, GlobalRequest::Slave(None));
    let found = parse("g_found", &["n".into(), vec!["h:1"].into()]).unwrap();
    let addresses = Some(vec!["h:1".to_owned()]);
    let node = NodeId::new("n").unwrap();
    assert_eq!(found.0, GlobalRequest::Found(node, addresses, None));
    let reply = parse("g_reply", &["12".into(), 1.into()]).unwrap();
    let answer = 1.into();
    assert_eq!(reply.0, GlobalRequest::Answer { id: 12, answer });
}

#[test]
fn nonsense_is_left_out_and_named() {
    let database = map(&[
        ("good", map(&[("k", 1.into()), ("", 2.into())])),
        ("bad", 5.into()),
    ]);
    let (request, odd) = parse("g_set", &[database]).unwrap();
    let pairs = vec![("k".into(), 1.into())];
    assert_eq!(request, GlobalRequest::Set(vec![("good".into(), pairs)]));
    assert_eq!(
        odd.text().unwrap(),
        "the entries of family \"good\" have an empty key: left out, and 1 more like that"
    );
}

/// A request may have any number of bad parts. Their cost must not exceed the cost of the request.
#[test]
fn of_nonsense_the_first_is_named_and_the_rest_counted() {
    let keys = Value::Array(vec![Value::Array(Vec::new()); 100_000]);
    let (_, odd) = parse("g_upd", &["f".into(), Value::Null, keys]).unwrap();
    assert_eq!(odd.count, 100_000);
    assert_eq!(
        odd.text().unwrap(),
        "one of the deleted keys is a list of 0: left out, and 99999 more like that"
    );
}

#[test]
fn names_have_a_longest_length() {
    let name = |length| "n".repeat(length);
    let [fits, long] = [255, 256].map(name);
    assert!(parse("g_mon1", &[fits.as_str().into()]).is_ok());
    let shown = &long[..40];
    let refused =
        format!("g_mon1: the family must be a name of at most 255 bytes, and is \"{shown}\"...");
    assert_eq!(parse("g_mon1", &[long.as_str().into()]), Err(refused));
    for request in [
        "g_mon0",
        "g_upd",
        "g_chg1",
        "g_chg2",
        "g_db_family",
        "g_db_keys",
        "g_find",
    ] {
        assert!(
            parse(request, &[long.as_str().into()]).is_err(),
            "{request}"
        );
    }
    let entries = || map(&[("k", 1.into())]);
    let database = map(&[(&fits, entries()), (&long, entries())]);
    for request in ["g_set", "g_slave"] {
        let (_, odd) = parse(request, std::slice::from_ref(&database)).unwrap();
        assert_eq!(odd.first, "a family's name is 256 bytes long", "{request}");
        assert_eq!(odd.count, 1);
    }
    // Keys have no limit, except the names of nodes.
    let keys = map(&[(&long, 1.into())]);
    for (family, kept) in [("f", 1), ("'l", 0), ("'g", 0)] {
        let (request, odd) = parse("g_upd", &[family.into(), keys.clone()]).unwrap();
        let GlobalRequest::Update(update) = request else {
            unreachable!("it is an update");
        };
        assert_eq!((update.set.len(), odd.count), (kept, 1 - kept), "{family}");
    }
}

#[test]
fn invalid_requests_are_explained() {
    let list = Value::Array(vec![]);
    for (request, args, text) in [
        ("g_new", vec![], "g_new: no such request"),
        (
            "g_set",
            vec![list.clone()],
            "g_set: the database must be a map, and is a list of 0",
        ),
        (
            "g_upd",
            vec![],
            "g_upd: the family must be a name, and is missing",
        ),
        (
            "g_upd",
            vec!["f".into(), 1.into()],
            "g_upd: the set keys must be a map or null, and is 1",
        ),
        (
            "g_find",
            vec!["a;b".into()],
            "g_find: the node must be a node ID, and is \"a;b\"",
        ),
        (
            "g_found",
            vec!["a".into(), Value::Array(vec![list])],
            "g_found: the addresses must be a list of texts, and is a list of 1",
        ),
    ] {
        assert_eq!(parse(request, &args), Err(text.to_owned()));
    }
}

#[test]
fn large_requests_are_done_in_pieces() {
    let pairs = |from: usize, to: usize| -> Pairs {
        let key = |n: usize| format!("{n}").into();
        (from..to).map(|n| (key(n), Value::Null)).collect()
    };
    let update = |set, del: &[&str]| {
        GlobalRequest::Update(Update {
            family: "f".into(),
            set,
            del: del.iter().map(|key| (*key).into()).collect(),
        })
    };
    let all = update(pairs(0, 5), &["a", "b", "c"]).pieces(2);
    let expected = [
        update(pairs(0, 2), &[]),
        update(pairs(2, 4), &[]),
        update(pairs(4, 5), &[]),
        update(vec![], &["a", "b"]),
        update(vec![], &["c"]),
    ];
    assert_eq!(all, expected);
    assert_eq!(update(vec![], &[]).pieces(2), [update(vec![], &[])]);
    let set = GlobalRequest::Set(vec![
        ("a".into(), pairs(0, 1)),
        ("b".into(), pairs(0, 1)),
        ("c".into(), pairs(0, 5)),
    ]);
    let expected = [
        GlobalRequest::Set(vec![("a".into(), pairs(0, 1)), ("b".into(), pairs(0, 1))]),
        GlobalRequest::Set(vec![("c".into(), pairs(0, 4))]),
        GlobalRequest::Set(vec![("c".into(), pairs(4, 5))]),
    ];
    assert_eq!(set.pieces(4), expected);
    let empty = GlobalRequest::Slave(Some(vec![]));
    assert_eq!(empty.clone().pieces(4), [empty]);
    let whole = GlobalRequest::All("f".into(), pairs(0, 9));
    assert_eq!(whole.clone().pieces(2), [whole]);
}
