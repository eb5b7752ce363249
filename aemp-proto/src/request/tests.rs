use aemp_codec::{Format, Limits};

use super::*;

fn read(packet: &str) -> Result<Request, RequestError> {
    let mut reader = Format::Json
        .reader(packet.as_bytes(), Limits::default())
        .unwrap();
    reader.text().unwrap();
    Request::read(&mut reader)
}

fn port(id: &str) -> PortId {
    PortId::parse(id).unwrap()
}

#[test]
fn every_request_is_understood_and_written_as_it_was() {
    let cases = [
        (r#"["",""]"#, Request::Keepalive),
        (r#"["","devnull"]"#, Request::Devnull),
        (r#"["","mon0","p"]"#, Request::Mon0("p".into())),
        (r#"["","mon1","p"]"#, Request::Mon1("p".into())),
        (
            r#"["","kil0","p","why",null,[5]]"#,
            Request::Kil0 {
                port: "p".into(),
                reason: vec!["why".into(), Value::Null, vec![Value::Int(5)].into()],
            },
        ),
        (
            r#"["","kil1","p"]"#,
            Request::Kil1 {
                port: "p".into(),
                reason: vec![],
            },
        ),
        (
            r#"["","Aemp::stop","p"]"#,
            Request::Stop {
                port: "p".into(),
                within: None,
            },
        ),
        (
            r#"["","Aemp::stop","p",2500]"#,
            Request::Stop {
                port: "p".into(),
                within: Some(2500),
            },
        ),
        (
            r#"["","snd","a#x","hello",1]"#,
            Request::Snd {
                to: port("a#x"),
                msg: vec!["hello".into(), 1.into()],
            },
        ),
        (
            r#"["","can","eval","a#x"]"#,
            Request::Can {
                request: "eval".into(),
                to: port("a#x"),
                msg: vec![],
            },
        ),
        (
            r#"["","time","a","now"]"#,
            Request::Time {
                to: port("a"),
                msg: vec!["now".into()],
            },
        ),
        (
            r#"["","eval","1+1","a#x","extra"]"#,
            Request::Eval {
                code: "1+1".into(),
                to: Some(port("a#x")),
                msg: vec!["extra".into()],
            },
        ),
        (
            r#"["","eval","0"]"#,
            Request::Eval {
                code: "0".into(),
                to: None,
                msg: vec![],
            },
        ),
        (
            r#"["","Aemp::room","p",7,3]"#,
            Request::Room {
                port: "p".into(),
                token: 7,
                left: 3,
            },
        ),
        (
            r#"["","Aemp::credit","p",7,1000]"#,
            Request::Credit {
                port: "p".into(),
                token: 7,
                messages: Some(1000),
            },
        ),
        (
            r#"["","Aemp::credit","p",8]"#,
            Request::Credit {
                port: "p".into(),
                token: 8,
                messages: None,
            },
        ),
        (
            r#"["","Aemp::traced","00-t-s-01","k=v","call","p"]"#,
            Request::Traced {
                parent: "00-t-s-01".into(),
                state: "k=v".into(),
                called: true,
                port: "p".into(),
            },
        ),
        (
            r#"["","Aemp::traced","","","send","p"]"#,
            Request::Traced {
                parent: String::new(),
                state: String::new(),
                called: false,
                port: "p".into(),
            },
        ),
        (
            r#"["","Aemp::relay","data",7,"x"]"#,
            Request::Relay {
                request: "Aemp::relay".into(),
                args: vec!["data".into(), 7.into(), "x".into()],
            },
        ),
        (
            r#"["","inspect",["ports",{"most":5}],"a#x","first"]"#,
            Request::Inspect {
                subject: vec![
                    Value::from("ports"),
                    Value::Map([("most", 5)].into_iter().collect()),
                ]
                .into(),
                to: port("a#x"),
                msg: vec!["first".into()],
            },
        ),
        (
            r#"["","AnyEvent::MP::_spawn","P","My::init","a#x",7]"#,
            Request::Spawn {
                port: "P".into(),
                function: "My::init".into(),
                args: vec!["a#x".into(), 7.into()],
            },
        ),
        (
            r#"["","My::function",{"a":1}]"#,
            Request::Call {
                function: "My::function".into(),
                args: vec![Value::Map([("a", 1)].into_iter().collect())],
            },
        ),
        (
            r#"["","g_slave"]"#,
            Request::Global {
                request: "g_slave".into(),
                args: vec![],
            },
        ),
    ];
    for (packet, request) in cases {
        assert_eq!(read(packet).as_ref(), Ok(&request), "{packet}");
        let mut out = Vec::new();
        let mut writer = Format::Json.writer(&mut out, Limits::default());
        writer.str("").unwrap();
        request.write(&mut writer).unwrap();
        writer.finish().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), packet);
    }
}

#[test]
fn names_and_arguments_are_compared_by_their_text() {
    for keepalive in ["[]", "[null]", r#"[""]"#, r#"["",null]"#, r#"["",false,1]"#] {
        assert_eq!(read(keepalive), Ok(Request::Keepalive), "{keepalive}");
    }
    assert_eq!(read(r#"["","mon1",42]"#), Ok(Request::Mon1("42".into())));
    assert_eq!(
        read(r#"["",7]"#),
        Ok(Request::Call {
            function: "7".into(),
            args: vec![],
        })
    );
    assert_eq!(
        read(r#"["","eval","0",null]"#),
        Ok(Request::Eval {
            code: "0".into(),
            to: None,
            msg: vec![],
        })
    );
}

#[test]
fn wrong_arguments_are_explained() {
    let cases = [
        (r#"["",[]]"#, "the request's name is not text"),
        (r#"["","mon1"]"#, "mon1: no port"),
        (r#"["","kil0"]"#, "kil0: no port"),
        (r#"["","kil1",{}]"#, "kil1: the port is not text"),
        (r#"["","snd"]"#, "snd: no receiver"),
        (
            r#"["","snd",""]"#,
            "snd: the receiver: an ID must not be empty",
        ),
        (r#"["","can","mon1"]"#, "can: no receiver"),
        (
            r#"["","AnyEvent::MP::_spawn","P"]"#,
            "AnyEvent::MP::_spawn: no function",
        ),
    ];
    for (packet, text) in cases {
        let error = read(packet).unwrap_err();
        assert_eq!(error.to_string(), text, "{packet}");
        assert!(!error.is_malformed(), "{packet}");
    }
    assert!(read(r#"["","snd","a#b",01]"#).unwrap_err().is_malformed());
}

/// An unpaired surrogate makes the request fail. The connection goes on, and a monitor that waits for the reason fires.
#[test]
fn text_that_is_not_unicode_costs_the_request() {
    for (packet, text) in [
        (r#"["","\ud800"]"#, "the request's name is not text"),
        (r#"["","mon1","\ud800"]"#, "mon1: the port is not text"),
        (
            r#"["","snd","a#b","\ud800"]"#,
            "snd: argument 1: text that is not Unicode",
        ),
        (
            r#"["","My::function",[{"\ud800":1}]]"#,
            "My::function: argument 1: text that is not Unicode",
        ),
        (
            r#"["","g_set",{"f":{"\udc00":1}}]"#,
            "g_set: argument 1: text that is not Unicode",
        ),
    ] {
        let error = read(packet).unwrap_err();
        assert!(!error.is_malformed(), "{packet}");
        assert_eq!(error.to_string(), text, "{packet}");
    }
    let reason = |text: &str| vec!["die".into(), text.into()];
    assert_eq!(
        read(r#"["","kil0","p","die","\ud800"]"#),
        Ok(Request::Kil0 {
            port: "p".into(),
            reason: reason("kil0: the reason cannot be told: argument 2: text that is not Unicode"),
        })
    );
    assert_eq!(
        read(r#"["","kil1","p",["\ud800"]]"#),
        Ok(Request::Kil1 {
            port: "p".into(),
            reason: reason("kil1: the reason cannot be told: argument 1: text that is not Unicode"),
        })
    );
}

#[test]
fn fixed_requests_are_those_with_a_meaning_of_their_own() {
    assert!(Request::is_fixed("mon1") && Request::is_fixed("") && Request::is_fixed("eval"));
    assert!(!Request::is_fixed("nosuchrequest") && !Request::is_fixed(SPAWN));
}

#[test]
fn names_have_a_longest_length() {
    let long = "n".repeat(256);
    let too_long = |request: &str, argument: &str| {
        format!("{request}: the {argument} has 256 bytes, and names have at most 255")
    };
    for (packet, request, argument) in [
        (format!(r#"["","{long}"]"#), "node port", "request"),
        (format!(r#"["","kil1","{long}"]"#), "kil1", "port"),
        (format!(r#"["","can","{long}","a#x"]"#), "can", "request"),
        (format!(r#"["","Aemp::room","{long}",1,1]"#), ROOM, "port"),
        (format!(r#"["","Aemp::credit","{long}",1]"#), CREDIT, "port"),
    ] {
        let error = read(&packet).unwrap_err();
        assert_eq!(error.to_string(), too_long(request, argument));
        assert!(!error.is_malformed());
        let fits = packet.replace(&long, &long[1..]);
        assert!(read(&fits).is_ok(), "{fits}");
    }
    // Monitors may name any port.
    for request in ["mon0", "mon1", "kil0"] {
        assert!(read(&format!(r#"["","{request}","{long}"]"#)).is_ok());
    }
}

#[test]
fn the_message_behind_a_context_is_left_unread() {
    let packet = br#"["","Aemp::traced","00-t-s-01","","send","p","tag",[7]]"#;
    let mut reader = Format::Json.reader(packet, Limits::default()).unwrap();
    reader.text().unwrap();
    let request = Request::read(&mut reader).unwrap();
    assert!(matches!(request, Request::Traced { called: false, port, .. } if port == "p"));
    assert_eq!(reader.text().unwrap().as_deref(), Some("tag"));
    assert_eq!(reader.rest().unwrap(), [vec![Value::Int(7)].into()]);
    for (packet, missing) in [
        (r#"["","Aemp::traced"]"#, "traceparent"),
        (r#"["","Aemp::traced","","","send"]"#, "port"),
        (r#"["","Aemp::traced",{},"","send","p"]"#, "traceparent"),
    ] {
        let error = read(packet).unwrap_err().to_string();
        assert!(error.contains(missing), "{packet}: {error}");
    }
}
