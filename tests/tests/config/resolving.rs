//! The resolution of settings: the source that counts, and the value.

use std::{borrow::Cow, time::Duration};

use aemp::{
    Map, Value,
    config::{
        ConfigError, ConfigFile, Encrypt, Environment, Expected, Method, Origin, Permit, Secret,
        Seed, Service, Settings, Sources, ValueError, effective, host_name, origins,
    },
};

use crate::common::{Home, json, settings};

fn none() -> Environment {
    Environment::of::<String, String>([])
}

fn arguments(entries: &[(&str, &str)]) -> Map {
    entries
        .iter()
        .map(|&(key, text)| (key, json(text)))
        .collect()
}

#[test]
fn without_anything_there_are_the_reference_s_defaults() {
    let sources = Sources {
        environment: none(),
        ..Sources::default()
    };
    let settings = Settings::resolve(&sources).unwrap();
    assert_eq!(settings.profile, host_name());
    assert_eq!(settings.node_id, format!("{}/", host_name()));
    assert_eq!(settings.monitor_timeout, Duration::from_secs(30));
    assert_eq!(settings.connect_interval, Duration::from_secs(2));
    assert_eq!(settings.auth_offer, Method::OFFERED);
    assert_eq!(settings.auth_accept, Method::ACCEPTED);
    assert!(settings.secret.is_none() && settings.cert.is_none() && settings.eval.is_none());
    assert!(settings.binds.is_none() && settings.framing_format.is_none());
    assert!(settings.seeds.is_empty() && settings.services.is_empty());
    assert!(!settings.secure && !settings.autocork && settings.nodelay);
}

/// A program can tell problems from one another without reading their texts.
#[test]
fn the_problem_of_a_value_has_a_kind_and_a_place() {
    let problem = |key: &str, text: &str| {
        let result = Settings::resolve(&Sources {
            arguments: Cow::Owned(arguments(&[(key, text)])),
            environment: none(),
            ..Sources::default()
        });
        match result {
            Err(ConfigError::Value { place, problem }) => {
                assert_eq!((&*place.key, place.file), (key, None));
                problem
            }
            other => panic!("{key} {text}: {other:?}"),
        }
    };
    let unexpected = |expected, found: &str| ValueError::Unexpected {
        expected,
        found: found.into(),
    };
    for (key, text, expected) in [
        (
            "secure",
            "\"maybe\"",
            unexpected(Expected::Flag, "\"maybe\""),
        ),
        ("secret", "[]", unexpected(Expected::Text, "an array")),
        (
            "monitor_timeout",
            "0",
            unexpected(Expected::Seconds(0.03), "0"),
        ),
        ("max_port_queue", "0", unexpected(Expected::Count(1), "0")),
        (
            "max_packet_bytes",
            "\"1T\"",
            unexpected(Expected::Bytes(512), "\"1T\""),
        ),
        ("encrypt", "\"x\"", unexpected(Expected::Encrypt, "\"x\"")),
        ("auth_offer", "\"x\"", ValueError::UnknownMethod("x".into())),
        ("services", "[[\" \"]]", element(1, ValueError::NoFunction)),
        (
            "binds",
            "[\"a:1\", \"\"]",
            element(2, ValueError::NoAddress),
        ),
        (
            "advertise",
            "\"*\"",
            ValueError::Unreachable("*".parse().unwrap()),
        ),
        ("seeds", "\"a\"", "a".parse::<Seed>().unwrap_err().into()),
        (
            "allow",
            "[\"x\"]",
            element(1, "x".parse::<Permit>().unwrap_err().into()),
        ),
    ] {
        assert_eq!(problem(key, text), expected, "{key} {text}");
    }
}

fn element(number: usize, error: ValueError) -> ValueError {
    let error = error.into();
    ValueError::Element { number, error }
}

#[test]
fn when_to_encrypt_is_one_of_three_words() {
    let read = |text: &str| {
        Settings::resolve(&Sources {
            arguments: Cow::Owned(arguments(&[("encrypt", text)])),
            environment: none(),
            ..Sources::default()
        })
    };
    for (text, expected) in [
        ("null", Encrypt::Auto),
        ("\"auto\"", Encrypt::Auto),
        ("\" always \"", Encrypt::Always),
        ("\"never\"", Encrypt::Never),
    ] {
        assert_eq!(read(text).unwrap().encrypt, expected, "{text}");
    }
    for text in ["1", "\"\"", "\"Always\"", "[\"auto\"]", "true"] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains("auto, always or never"), "{error}");
    }
}

/// Every source says its name, as far as it says anything.
#[test]
fn the_priorities() {
    let file = r#"{ "nodeid": "top",
        "profile": {
            "p": { "parent": "q", "nodeid": "p" },
            "q": { "parent": "r", "nodeid": "q" },
            "r": { "nodeid": "r" },
            "silent": { "parent": "q" },
            "alone": {},
            "null": { "nodeid": null, "parent": "q" } } }"#;
    let said = [("nodeid", "\"program\"")];
    let there = [("AEMP_NODEID", "environment")];
    for (file, profile, program, environment, force, expected) in [
        ("{}", "p", &[][..], &[][..], false, "p/"),
        ("{}", "p", &said[..], &[][..], false, "program"),
        (file, "p", &said, &[], false, "p"),
        (file, "silent", &said, &[], false, "q"),
        (file, "alone", &said, &[], false, "top"),
        (file, "unknown", &said, &[], false, "top"),
        (file, "null", &said, &[], false, "null/"),
        (file, "p", &said, &there, false, "environment"),
        (file, "null", &said, &there, false, "environment"),
        (file, "p", &said, &[], true, "program"),
        (file, "p", &said, &there, true, "program"),
        (file, "p", &[], &there, true, "environment"),
        (file, "p", &[], &[], true, "p"),
    ] {
        let home = Home::with(file);
        let file = home.load().unwrap();
        let settings = Settings::resolve(&Sources {
            file: Some(&file),
            profile: Some(profile),
            arguments: Cow::Owned(arguments(program)),
            force,
            environment: Environment::of(environment.iter().copied()),
        });
        assert_eq!(
            settings.unwrap().node_id,
            expected,
            "{profile} {program:?} {force}"
        );
    }
}

#[test]
fn each_value_has_an_origin() {
    let home = Home::with(
        r#"{"secret": "x", "seeds": ["a:1"],
            "profile": {"p": {"parent": "q", "secure": 1}, "q": {"monitor_timeout": 5, "secure": 0, "seeds": null}}}"#,
    );
    let file = home.load().unwrap();
    let arguments = arguments(&[("binds", "\"b:2\""), ("monitor_timeout", "7")]);
    let found = origins(&Sources {
        file: Some(&file),
        profile: Some("p"),
        arguments: Cow::Owned(arguments),
        environment: Environment::of([("AEMP_SECRET", "y")]),
        force: false,
    });
    let found = found.unwrap();
    let path = home.path().display().to_string();
    for (key, expected) in [
        ("secret", "environment: AEMP_SECRET".to_owned()),
        ("binds", "arguments".into()),
        ("monitor_timeout", format!("{path}:2:85: profile \"q\"")),
        ("secure", format!("{path}:2:56: profile \"p\"")),
        ("connect_interval", "default".into()),
    ] {
        let origin = found.iter().find(|(name, ..)| name == key);
        assert_eq!(origin.unwrap().2.to_string(), expected, "{key}");
    }
    // A null hides the value of a lower source, and stands for the default.
    let seeds = found.iter().find(|(name, ..)| name == "seeds");
    assert!(seeds.is_none_or(|(.., origin)| *origin == Origin::Default));
}

#[test]
fn without_the_file_the_environment_does_not_count() {
    let settings = Settings::resolve(&Sources {
        profile: Some("p"),
        environment: Environment::of([("AEMP_NODEID", "x"), ("AEMP_PROFILE", "y")]),
        ..Sources::default()
    });
    assert_eq!(settings.unwrap().node_id, "p/");
}

#[test]
fn the_process_has_an_environment() {
    let path = Environment::process().variable("PATH");
    assert_eq!(path, std::env::var("PATH").ok());
    assert_eq!(
        Environment::process().variable("AEMP_NO_SUCH_VARIABLE"),
        None
    );
}

#[test]
fn the_environment_has_its_keys() {
    let home = Home::with(r#"{"seeds": ["a:1"], "profile": {"p": {"secure": 1}}}"#);
    let file = home.load().unwrap();
    let resolve = |profile, force, variables: &[(&str, &str)]| {
        Settings::resolve(&Sources {
            file: Some(&file),
            profile,
            arguments: Cow::Owned(Map::new()),
            force,
            environment: Environment::of(variables.iter().copied()),
        })
    };
    fn text<T: ToString>(addresses: &[T]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }
    let variables = [
        ("AEMP_PROFILE", "p"),
        ("AEMP_SECRET", "s"),
        ("AEMP_SEEDS", "b:2,c:3"),
        ("AEMP_BINDS", "*:4040"),
    ];
    let settings = resolve(None, false, &variables).unwrap();
    assert!(settings.secure && settings.secret.is_some());
    assert_eq!(settings.profile, "p");
    assert_eq!(text(&settings.seeds), ["b:2", "c:3"]);
    assert_eq!(text(&settings.binds.unwrap()), ["*:4040"]);
    assert!(resolve(Some("other"), false, &variables).unwrap().secure);
    assert!(!resolve(Some("other"), true, &variables).unwrap().secure);
    assert!(resolve(None, true, &variables).unwrap().secure);
    let empty = [
        ("AEMP_PROFILE", ""),
        ("AEMP_SEEDS", ""),
        ("AEMP_BINDS", ","),
    ];
    let settings = resolve(Some("other"), false, &empty).unwrap();
    assert_eq!(settings.profile, "other");
    assert_eq!(text(&settings.seeds), ["a:1"]);
    assert_eq!(settings.binds, Some(vec![]));
    let error = resolve(None, false, &[("AEMP_SEEDS", "x")]).unwrap_err();
    assert_eq!(error.to_string(), "AEMP_SEEDS: the seed x:* needs a port");
}

#[test]
fn perl_s_types_are_understood() {
    let home = Home::with(
        r#"{ "secret": 42, "seeds": "a:1, b:2", "binds": 4040,
             "services": ["A::a", ["B::b", 1, [2]], []],
             "secure": "1", "nodelay": "", "autocork": 0.0,
             "monitor_timeout": "5", "connect_interval": 0.25,
             "framing_format": "cbor,json", "auth_offer": ["hmac_sha3_512"] }"#,
    );
    let error = home.error(settings(&home, "p", &Map::new()));
    assert_eq!(
        error,
        "rc:2:26: services: element 3: expected the name of a function first in the array, found an array"
    );
    home.write(&home.text().replace(", []]", "]"));
    let settings = settings(&home, "p", &Map::new()).unwrap();
    let text = |secret: Option<Secret>| secret.map(|secret| secret.is_empty());
    assert_eq!(text(settings.secret), Some(false));
    assert_eq!(settings.seeds.len(), 2);
    assert_eq!(settings.binds.unwrap()[0].to_string(), "4040");
    let service = |name: &str, args| Service {
        name: name.into(),
        args,
    };
    let args = vec![1.into(), vec![2].into()];
    assert_eq!(
        settings.services,
        [service("A::a", vec![]), service("B::b", args)]
    );
    assert!(settings.secure && !settings.nodelay && !settings.autocork);
    assert_eq!(settings.monitor_timeout, Duration::from_secs(5));
    assert_eq!(settings.connect_interval, Duration::from_millis(250));
    assert_eq!(settings.framing_format.unwrap(), ["cbor", "json"]);
    assert_eq!(settings.auth_offer, [Method::HmacSha3_512]);
}

#[test]
fn a_wrong_type_names_file_profile_key_and_position() {
    let home = Home::with(
        r#"{
   "monitor_timeout" : 30,
   "profile" : {
      "far" : { "monitor_timeout" : "soon" },
      "near" : { "parent" : "far", "secret" : ["hush"] },
      "bad" : { "parent" : ["far"] },
      "number" : 5
   }
}"#,
    );
    for (profile, error) in [
        (
            "far",
            r#"rc:4:37: profile "far": monitor_timeout: expected a number of seconds, at least 0.03, found "soon""#,
        ),
        (
            "near",
            r#"rc:5:47: profile "near": secret: expected a text, found an array"#,
        ),
        (
            "bad",
            r#"rc:6:28: profile "bad": parent: expected a text, found an array"#,
        ),
        (
            "number",
            r#"rc:7:18: profile "number": expected an object, found a number"#,
        ),
    ] {
        assert_eq!(home.error(settings(&home, profile, &Map::new())), error);
    }
    settings(&home, "other", &Map::new()).unwrap();
}

#[test]
fn changed_values_have_no_place_in_the_file() {
    let home = Home::with(r#"{"profile": {"a": {"parent": "b"}, "c": {"parent": "d"}}}"#);
    let mut file = home.load().unwrap();
    file.set(Some("a"), "parent", "server").unwrap();
    let error = |file: &ConfigFile, profile| {
        let sources = Sources {
            file: Some(file),
            profile: Some(profile),
            environment: none(),
            ..Sources::default()
        };
        home.error(Settings::resolve(&sources))
    };
    let problem = r#"profile "a": parent: there is no profile "server""#;
    assert_eq!(error(&file, "a"), format!("rc: {problem}"));
    let other = r#"rc:1:52: profile "c": parent: there is no profile "d""#;
    assert!(error(&file, "c").starts_with(other));
    // When it has been saved, it is.
    file.save().unwrap();
    assert_eq!(error(&file, "a"), format!("rc:4:21: {problem}"));
}

#[test]
fn circles_and_unknown_parents_are_errors() {
    let home = Home::with(
        r#"{"profile": {
  "a": {"parent": "b"}, "b": {"parent": "c"}, "c": {"parent": "b"},
  "self": {"parent": "self"},
  "lost": {"parent": "sevrer"}, "server": {}, "last": {"parent": ""},
  "nowhere": {"parent": "xyzzy"}}}"#,
    );
    for (profile, error) in [
        (
            "a",
            "rc: the parents of profiles form a circle: b -> c -> b",
        ),
        (
            "b",
            "rc: the parents of profiles form a circle: b -> c -> b",
        ),
        (
            "self",
            "rc: the parents of profiles form a circle: self -> self",
        ),
        (
            "lost",
            r#"rc:4:22: profile "lost": parent: there is no profile "sevrer"; did you mean "server"?"#,
        ),
        (
            "nowhere",
            r#"rc:5:25: profile "nowhere": parent: there is no profile "xyzzy""#,
        ),
    ] {
        assert_eq!(home.error(settings(&home, profile, &Map::new())), error);
    }
    settings(&home, "last", &Map::new()).unwrap();
    settings(&home, "server", &Map::new()).unwrap();
}

#[test]
fn unknown_keys_are_named() {
    let home = Home::with(
        r#"{"version": 1, "dirty": 1, "parent": "x",
 "sedes": [], "profile": {"p": {"bidns": []}, "q": {"other": 1}}}"#,
    );
    let settings = settings(&home, "p", &Map::new()).unwrap();
    let unknown: Vec<String> = settings
        .unknown
        .iter()
        .map(|place| home.text_of(place))
        .collect();
    assert_eq!(unknown, ["rc:2:11: sedes", "rc:2:42: profile \"p\": bidns"]);
    let file = home.load().unwrap();
    let sources = Sources {
        file: Some(&file),
        arguments: Cow::Owned(arguments(&[("nodeids", "1")])),
        environment: none(),
        ..Sources::default()
    };
    let error = Settings::resolve(&sources).unwrap_err();
    assert!(matches!(&error, ConfigError::NoKey { key, .. } if key == "nodeids"));
    assert_eq!(
        error.to_string(),
        r#"there is no key "nodeids"; did you mean "nodeid"?"#
    );
}

#[test]
fn node_ids_are_expanded() {
    let host = host_name();
    for (configured, expected) in [
        ("plain", "plain".to_owned()),
        ("a/", "a/RND".into()),
        ("%n", host.clone()),
        ("%n/", format!("{host}/RND")),
        ("%n/%u/x", format!("{host}/RND/x")),
        ("%u%u", "RNDRND".into()),
    ] {
        let program = [("nodeid", configured)].into_iter().collect();
        let settings = settings(&Home::new(), "p", &program).unwrap();
        assert_eq!(settings.node_id_with("RND"), expected);
    }
}

#[test]
fn the_effective_configuration_has_all_that_counts() {
    let home = Home::with(
        r#"{"version": 1, "secure": 1, "nodelay": 0, "unknown": {"x": 1},
           "profile": {"p": {"parent": "q", "seeds": "a:1"}, "q": {"secure": null, "connect_interval": 5}}}"#,
    );
    let file = home.load().unwrap();
    let map = effective(&Sources {
        file: Some(&file),
        profile: Some("p"),
        arguments: Cow::Owned(arguments(&[("nodelay", "1"), ("nodeid", "\"x\"")])),
        environment: none(),
        ..Sources::default()
    });
    let expected = json(
        r#"{"version":1,"nodelay":0,"unknown":{"x":1},"seeds":"a:1","connect_interval":5,
            "monitor_timeout":30,"nodeid":"x","auth_offer":["tls_sha3_512","hmac_sha3_512"],
            "auth_accept":["tls_sha3_512","hmac_sha3_512","tls_anon","cleartext"]}"#,
    );
    assert_eq!(Value::Map(map.unwrap()), expected);
}

#[test]
fn seeds_may_be_commands_and_addresses_to_announce_have_hosts() {
    let resolve = |arguments: &[(&str, Value)]| {
        let arguments: Map = arguments.iter().cloned().collect();
        Settings::resolve(&Sources {
            arguments: Cow::Owned(arguments),
            ..Sources::default()
        })
    };
    let seeds = vec![Value::from("a:1,b:2"), "exec:list, of | nodes".into()];
    let settings = resolve(&[
        ("seeds", seeds.into()),
        ("advertise", "nat.example:7,10.0.0.1".into()),
    ]);
    let settings = settings.unwrap();
    let seeds: Vec<String> = settings.seeds.iter().map(ToString::to_string).collect();
    assert_eq!(seeds, ["a:1", "b:2", "exec:list, of | nodes"]);
    let advertise = settings.advertise.iter().map(ToString::to_string);
    assert_eq!(
        advertise.collect::<Vec<_>>(),
        ["nat.example:7", "10.0.0.1:*"]
    );
    let error = resolve(&[("advertise", "*:1".into())]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("other nodes cannot connect to *:1"),
        "{error}"
    );
}
