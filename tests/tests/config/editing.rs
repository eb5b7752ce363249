//! Changing the configuration, as the command line does.

use aemp::{
    Value,
    config::{KEYS, Key},
};

use crate::common::{Home, json};

#[test]
fn keys_are_set_and_deleted_in_their_section() {
    let home = Home::with(r#"{"kept": 1, "profile": {"old": {"kept": 2}}}"#);
    let mut file = home.load().unwrap();
    file.set(None, "nodeid", "all").unwrap();
    file.set(Some("old"), "nodeid", "old/").unwrap();
    file.set(Some("new"), "parent", "old").unwrap();
    assert_eq!(file.delete(None, "nodeid").unwrap(), Some("all".into()));
    assert_eq!(file.delete(None, "nodeid").unwrap(), None);
    assert_eq!(file.delete(Some("none"), "nodeid").unwrap(), None);
    assert_eq!(
        file.document().to_string(),
        r#"{"kept":1,"profile":{"old":{"kept":2,"nodeid":"old/"},"new":{"parent":"old"}}}"#
    );
    assert_eq!(file.profiles().unwrap(), ["old", "new"]);
    assert_eq!(
        file.value(Some("old"), "nodeid").unwrap(),
        Some(&"old/".into())
    );
    assert_eq!(file.value(Some("none"), "nodeid").unwrap(), None);
    assert_eq!(file.profile("none").unwrap(), None);
}

#[test]
fn profiles_are_made_and_deleted() {
    let home = Home::with(r#"{"profile": {"null": null}}"#);
    let mut file = home.load().unwrap();
    assert!(file.create_profile("a").unwrap());
    assert!(!file.create_profile("a").unwrap());
    assert!(file.create_profile("null").unwrap());
    assert_eq!(
        file.document().to_string(),
        r#"{"profile":{"null":{},"a":{}}}"#
    );
    assert!(file.delete_profile("null").unwrap());
    assert!(file.delete_profile("a").unwrap());
    assert!(!file.delete_profile("a").unwrap());
    assert_eq!(file.document().to_string(), "{}");
}

#[test]
fn values_are_kept_as_they_are_best() {
    for (key, value, kept) in [
        ("seeds", json(r#""a:1, b:2,""#), r#"["a:1","b:2"]"#),
        (
            "seeds",
            json(r#"["a:1,b:2", 4040]"#),
            r#"["a:1","b:2","4040"]"#,
        ),
        ("binds", json(r#""""#), "[]"),
        ("binds", json("4040"), r#"["4040"]"#),
        ("services", json(r#""A::a,B::b""#), r#"["A::a","B::b"]"#),
        (
            "services",
            json(r#"[["A::a", 1, [2]]]"#),
            r#"[["A::a",1,[2]]]"#,
        ),
        ("framing_format", json(r#""json""#), r#"["json"]"#),
        (
            "auth_offer",
            json(r#""hmac_sha3_512""#),
            r#"["hmac_sha3_512"]"#,
        ),
        ("monitor_timeout", json(r#""30""#), "30"),
        ("connect_interval", json(r#""0.5""#), "0.5"),
        ("secure", json(r#""1""#), "1"),
        ("nodelay", json("false"), "0"),
        ("autocork", json(r#""""#), "0"),
        ("nodeid", json("5"), r#""5""#),
        ("secret", json(r#""s""#), r#""s""#),
        ("eval", json(r#""1+1""#), r#""1+1""#),
        ("cert", json("null"), "null"),
    ] {
        let mut file = Home::new().load().unwrap();
        file.set(None, key, value).unwrap();
        assert_eq!(
            file.value(None, key).unwrap().unwrap().to_string(),
            kept,
            "{key}"
        );
    }
}

#[test]
fn values_that_cannot_be_are_refused() {
    for (profile, key, value, error) in [
        (
            None,
            "seeds",
            r#""host""#,
            "seeds: the seed host:* needs a port",
        ),
        (
            None,
            "seeds",
            r#"[["a:1"]]"#,
            "seeds: element 1: expected a text, found an array",
        ),
        (
            None,
            "binds",
            r#"["a:1", "b:x"]"#,
            r#"binds: "b:x" is not an address: the port must be a number from 0 to 65535, or `*`"#,
        ),
        (
            Some("p"),
            "binds",
            "{}",
            r#"profile "p": binds: expected a list, found an object"#,
        ),
        (
            None,
            "monitor_timeout",
            r#""soon""#,
            r#"monitor_timeout: expected a number of seconds, at least 0.03, found "soon""#,
        ),
        (
            None,
            "monitor_timeout",
            "0.01",
            "monitor_timeout: expected a number of seconds, at least 0.03, found 0.01",
        ),
        (
            None,
            "connect_interval",
            "-1",
            "connect_interval: expected a number of seconds, at least 0.001, found -1",
        ),
        (
            None,
            "connect_interval",
            "1e300",
            "connect_interval: expected a number of seconds, at most 1000000000, found 1e+300",
        ),
        (
            None,
            "secure",
            r#""no""#,
            r#"secure: expected 1 or 0, found "no""#,
        ),
        (
            None,
            "nodeid",
            r#""a#b""#,
            r##"nodeid: "a#b" is not a node ID: "##,
        ),
        (None, "nodeid", r#""""#, r#"nodeid: "" is not a node ID: "#),
        (
            None,
            "auth_accept",
            r#""md5""#,
            "auth_accept: unknown authentication method \"md5\"; known are \
             tls_sha3_512, hmac_sha3_512, tls_anon, cleartext",
        ),
        (
            None,
            "services",
            "[[]]",
            "services: element 1: expected the name of a function first in the array, found an array",
        ),
        (
            None,
            "services",
            "[1]",
            "services: element 1: expected the name of a function, or an array of name and arguments, found 1",
        ),
        (
            None,
            "secret",
            r#"["hush"]"#,
            "secret: expected a text, found an array",
        ),
        (
            None,
            "secret",
            r#""€""#,
            "secret: expected characters up to U+00FF only, as reference nodes do",
        ),
        (
            None,
            "parent",
            r#""a""#,
            "parent: only profiles have parents; the top level is the parent of all",
        ),
        (
            None,
            "sedes",
            "1",
            r#"there is no key "sedes"; did you mean "seeds"?"#,
        ),
        (None, "profile", "{}", r#"there is no key "profile""#),
    ] {
        let mut file = Home::new().load().unwrap();
        let refused = file.set(profile, key, json(value)).unwrap_err().to_string();
        assert!(refused.starts_with(error), "{refused}");
        assert!(!file.is_changed(), "{key}");
    }
}

#[test]
fn addresses_move_to_the_end_of_their_list() {
    let mut file = Home::new().load().unwrap();
    let p = Some("p");
    for seed in ["a:1", "b:2", "c:3", "a:1"] {
        file.add(p, "seeds", seed).unwrap();
    }
    let seeds = |file: &aemp::config::ConfigFile, key| {
        file.value(Some("p"), key).unwrap().map(Value::to_string)
    };
    assert_eq!(seeds(&file, "seeds").unwrap(), r#"["b:2","c:3","a:1"]"#);
    assert!(file.remove(p, "seeds", "c:3").unwrap());
    assert!(!file.remove(p, "seeds", "c:3").unwrap());
    assert_eq!(seeds(&file, "seeds").unwrap(), r#"["b:2","a:1"]"#);
    // However they are written.
    file.set(p, "binds", "*,[::1]:*,4040").unwrap();
    file.add(p, "binds", "*:*").unwrap();
    file.add(p, "binds", 4040).unwrap();
    assert!(file.remove(p, "binds", "::1").unwrap());
    assert_eq!(seeds(&file, "binds").unwrap(), r#"["*:*","4040"]"#);
    assert_eq!(file.value(None, "seeds").unwrap(), None);
}

#[test]
fn services_may_be_there_several_times() {
    let mut file = Home::new().load().unwrap();
    file.add(None, "services", "A::a").unwrap();
    file.add(None, "services", json(r#"["B::b", 1]"#)).unwrap();
    file.add(None, "services", "A::a").unwrap();
    let services = |file: &aemp::config::ConfigFile| {
        file.value(None, "services").unwrap().unwrap().to_string()
    };
    assert_eq!(services(&file), r#"["A::a",["B::b",1],"A::a"]"#);
    assert!(file.remove(None, "services", "A::a").unwrap());
    assert_eq!(services(&file), r#"[["B::b",1],"A::a"]"#);
    assert!(
        file.remove(None, "services", json(r#"["B::b", "1"]"#))
            .unwrap()
    );
    assert!(!file.remove(None, "services", "B::b").unwrap());
    assert_eq!(services(&file), r#"["A::a"]"#);
}

#[test]
fn a_list_that_the_file_has_as_a_text_is_understood() {
    let home = Home::with(r#"{"seeds": "a:1,b:2"}"#);
    let mut file = home.load().unwrap();
    assert!(file.remove(None, "seeds", "a:1").unwrap());
    file.add(None, "seeds", "c:3").unwrap();
    assert_eq!(file.document().to_string(), r#"{"seeds":["b:2","c:3"]}"#);
}

#[test]
fn only_lists_have_elements() {
    let mut file = Home::new().load().unwrap();
    let error = file.add(None, "nodeid", "x").unwrap_err().to_string();
    assert!(error.starts_with("nodeid: "), "{error}");
    let error = file.add(None, "binds", "x:y").unwrap_err().to_string();
    assert!(
        error.starts_with("binds: \"x:y\" is not an address"),
        "{error}"
    );
    assert!(!file.is_changed());
}

#[test]
fn values_that_are_not_objects_are_never_replaced() {
    for (text, error) in [
        (
            r#"{"profile": 5}"#,
            "rc:1:13: profile: expected an object of profiles, found a number",
        ),
        (
            r#"{"profile":
  {"p": ["x"]}}"#,
            r#"rc:2:9: profile "p": expected an object, found an array"#,
        ),
    ] {
        let home = Home::with(text);
        let mut file = home.load().unwrap();
        assert_eq!(home.error(file.set(Some("p"), "nodeid", "x")), error);
        assert_eq!(home.error(file.add(Some("p"), "seeds", "x:1")), error);
        assert_eq!(home.error(file.delete(Some("p"), "nodeid")), error);
        assert_eq!(home.error(file.create_profile("p")), error);
        assert_eq!(home.error(file.profile("p")), error);
        assert_eq!(
            file.document().to_string(),
            home.load().unwrap().document().to_string()
        );
    }
    let home = Home::with("{\n\"seeds\": {}}");
    let mut file = home.load().unwrap();
    let error = "rc:2:10: seeds: expected a list, found an object";
    assert_eq!(home.error(file.add(None, "seeds", "x:1")), error);
    assert_eq!(home.error(file.remove(None, "seeds", "x:1")), error);
}

#[test]
fn profiles_cannot_be_deleted_as_a_key() {
    let home = Home::with(r#"{"profile": {"p": {}}}"#);
    let mut file = home.load().unwrap();
    file.delete(None, "profile").unwrap_err();
    assert!(!file.is_changed());
}

#[test]
fn every_key_is_explained_once() {
    for (i, key) in KEYS.iter().enumerate() {
        assert_eq!(Key::named(key.name), Some(key));
        assert!(!key.summary.is_empty());
        assert!(KEYS[..i].iter().all(|other| other.name != key.name));
        assert_eq!(key.normalize(&Value::Null), Ok(Value::Null));
    }
}
