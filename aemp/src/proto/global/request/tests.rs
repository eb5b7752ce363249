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
    assert_eq!(parsed, (GlobalRequest::Update(update), vec![]));
    let parsed = parse("g_chg1", &["f".into()]).unwrap();
    assert_eq!(parsed.0, GlobalRequest::All("f".into(), vec![]));
    assert_eq!(parse("g_slave", &[]).unwrap().0, GlobalRequest::Slave(None));
    let found = parse("g_found", &["n".into(), vec!["h:1"].into()]).unwrap();
    let addresses = Some(vec!["h:1".to_owned()]);
    let node = NodeId::new("n").unwrap();
    assert_eq!(found.0, GlobalRequest::Found(node, addresses));
    let reply = parse("g_reply", &["12".into(), 1.into()]).unwrap();
    let answer = 1.into();
    assert_eq!(reply.0, GlobalRequest::Reply { id: 12, answer });
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
        odd,
        [
            "the entries of family \"good\" have an empty key",
            "family \"bad\" is 5"
        ]
    );
}

#[test]
fn what_cannot_be_understood_is_said() {
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
