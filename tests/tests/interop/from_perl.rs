//! The operations of a Perl node on ports of a Rust node.

use aemp::{Args, Cx, PortId, Value, msg};
use serde_json::{Value as Json, json};

use crate::{
    BOTH, Dial,
    common::{Inbox, watch},
    counter, pair,
    perl::Perl,
    rust,
};

/// Spawns a port on the Rust node; its ID.
async fn spawn(perl: &mut Perl, function: &str, args: &[Json]) -> String {
    let mut order = vec![json!("spawnmon"), json!("rust"), json!(function)];
    order.extend_from_slice(args);
    let spawned = perl.ask(Json::Array(order), "spawned").await;
    spawned[0].as_str().unwrap().into()
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn spawn_send_call_and_die() {
    for dial in BOTH {
        let Some((_node, mut perl)) = pair(dial).await else {
            return;
        };
        // Numbers come as text, as Perl likes to send them.
        let port = spawn(&mut perl, "Test::counter", &[json!("40")]).await;
        perl.order(&json!(["snd", port, "inc", "2"]));
        assert_eq!(
            perl.ask(json!(["cal", port, "get"]), "answer").await,
            [json!(42)]
        );
        let limited = json!(["calfor", 20, port, "divide", "2"]);
        assert_eq!(perl.ask(limited, "answer").await, [json!(21)]);
        let died = perl
            .ask(json!(["snd", port, "divide", 0, "perl#nobody"]), "died")
            .await;
        assert_eq!(
            died,
            [json!(port), json!("die"), json!("cannot divide by zero")]
        );
        // A call of a dead port is answered with nothing.
        assert_eq!(
            perl.ask(json!(["cal", port, "get"]), "answer").await,
            [] as [Json; 0]
        );
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn reasons_are_those_of_the_reference() {
    let Some((_node, mut perl)) = pair(Dial::Perl).await else {
        return;
    };
    let port = spawn(&mut perl, "Test::counter", &[json!(1)]).await;
    let died = perl
        .ask(json!(["kil", port, "because", {"x": [1]}, null]), "died")
        .await;
    assert_eq!(
        died,
        [json!(port), json!("because"), json!({"x": [1]}), Json::Null]
    );
    let port = spawn(&mut perl, "Test::counter", &[json!(1)]).await;
    assert_eq!(perl.ask(json!(["kil", port]), "died").await, [json!(port)]);
    let port = spawn(&mut perl, "Test::counter", &[json!(1)]).await;
    let died = perl.ask(json!(["snd", port, "n\u{f6}"]), "died").await;
    let text = "no callback found for message 'n.'";
    assert_eq!(died, [json!(port), json!("unhandled_message"), json!(text)]);
    let text = "cannot monitor nonexistent port";
    let died = perl.ask(json!(["mon", port]), "died").await;
    assert_eq!(
        died,
        [json!(port), json!("no_such_port"), json!(text), json!(port)]
    );
    let port = spawn(&mut perl, "Test::counter", &[json!(1)]).await;
    let died = perl
        .ask(json!(["snd", port, "end", "of", "days"]), "died")
        .await;
    assert_eq!(died, [json!(port), json!("of"), json!("days")]);
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn failed_spawns_report_their_reason() {
    let Some((_node, mut perl)) = pair(Dial::Rust).await else {
        return;
    };
    let cases = [
        (
            "Test::countre",
            json!(1),
            "unknown init function `Test::countre`",
        ),
        (
            "Test::counter",
            json!("many"),
            "Test::counter: argument 1 (`n`)",
        ),
    ];
    for (function, arg, why) in cases {
        let port = spawn(&mut perl, function, &[arg]).await;
        let died = perl.expect("died").await;
        // Perl writes every packet by itself: the monitor may come too late to hear more than that the port is gone.
        if died[1] == "die" {
            assert!(died[2].as_str().unwrap().starts_with(why), "{died:?}");
        } else {
            assert_eq!(died[..2], [json!(port), json!("no_such_port")]);
        }
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn unmonitor_and_monitor_again() {
    let Some((node, mut perl)) = pair(Dial::Perl).await else {
        return;
    };
    let mut inbox = Inbox::new(&node);
    let port = inbox.id.as_str().to_owned();
    for verb in ["mon", "unmon", "mon", "unmon"] {
        perl.order(&json!([verb, port]));
    }
    // A node port is unmonitored with a null for a name.
    perl.order(&json!(["mon", "rust"]));
    perl.order(&json!(["unmon", "rust"]));
    perl.order(&json!(["raw", "rust", ["", "mon1", inbox.id.name()]]));
    perl.order(&json!(["raw", "rust", ["", "mon0", inbox.id.name()]]));
    perl.order(&json!(["snd", port, "behind"]));
    assert_eq!(inbox.next().await, msg!["behind"]);
    perl.so_far();
    node.kil(&inbox.id, "unheard");
    // The report of a monitor would come before this answer.
    perl.ask(json!(["cal", "rust#nobody", "x"]), "answer").await;
    let heard = perl.so_far();
    assert!(heard.iter().all(|event| event[0] != "died"), "{heard:?}");
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn links_cross_the_border() {
    let Some((node, mut perl)) = pair(Dial::Rust).await else {
        return;
    };
    let (far, near) = (Inbox::new(&node), perl.inbox().await);
    perl.order(&json!(["link", far.id.as_str(), near]));
    let near = PortId::parse(&near).unwrap();
    let death = watch(&node, &near);
    // Behind the link's monitor, since both are from there.
    perl.ask(json!(["cal", "rust#nobody", "x"]), "answer").await;
    node.kil(&far.id, msg!["both", 2]);
    assert_eq!(death.await.into_values(), msg!["both", 2]);
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn messages_arrive_in_order_and_as_they_were_sent() {
    let Some((node, mut perl)) = pair(Dial::Perl).await else {
        return;
    };
    let mut inbox = Inbox::new(&node);
    let port = inbox.id.as_str().to_owned();
    perl.order(
        &json!(["snd", port, "kinds", null, -1, 1.5, "\u{e4}\u{20ac}\u{1}", {"a": [1]}, true]),
    );
    let kinds = inbox.next().await;
    assert_eq!(kinds[..4], msg!["kinds", (), -1, 1.5]);
    assert_eq!(kinds[4], "\u{e4}\u{20ac}\u{1}".into());
    assert_eq!(
        kinds[5]
            .as_map()
            .unwrap()
            .get("a")
            .unwrap()
            .as_array()
            .unwrap(),
        msg![1]
    );
    assert_eq!(kinds[6].text().unwrap(), "1");
    for n in 0..1000 {
        perl.order(&json!(["snd", port, n]));
    }
    for n in 0..1000 {
        assert_eq!(inbox.next().await, msg![n]);
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn octets_come_as_characters() {
    let Some((node, mut perl)) = pair(Dial::Rust).await else {
        return;
    };
    let mut inbox = Inbox::new(&node);
    let text: String = (0..=255).map(char::from).collect();
    perl.order(&json!(["snd", inbox.id.as_str(), text]));
    let message = inbox.next().await;
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(message[0].as_bytes().unwrap(), all);
    assert!(matches!(message[0], Value::Str(_)));
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn requests_to_the_node_port() {
    let Some((node, mut perl)) = pair(Dial::Perl).await else {
        return;
    };
    let inbox = perl.inbox().await;
    perl.order(&json!(["snd_on", "rust", inbox, "echo", 1]));
    assert_eq!(perl.expect("got").await[1..], [json!("echo"), json!(1)]);
    let can = perl.ask(json!(["ask", "rust", "can", "mon1"]), "got").await;
    assert_eq!(can[1], "1");
    let can = perl
        .ask(json!(["ask", "rust", "can", "No::such"]), "got")
        .await;
    assert_eq!(can[1], "");
    let time = perl.ask(json!(["ask", "rust", "time"]), "got").await;
    assert!(time[1].as_f64().unwrap() > 1.6e9, "{time:?}");
    let eval = perl.ask(json!(["eval_on", "rust", "1 + 1"]), "got").await;
    assert_eq!(eval[1], "result");
    assert!(
        eval[2].as_str().unwrap().contains("evaluates no code"),
        "{eval:?}"
    );
    let eval = json!(["eval_on", "rust", "AnyEvent::MP::Kernel::up_nodes"]);
    let eval = perl.ask(eval, "got").await;
    assert_eq!(eval[1..4], [json!("result"), json!(""), json!("perl")]);
    perl.order(&json!(["func", "rust", "CORE::exit", 1]));
    assert_eq!(perl.ask(json!(["isup", "rust"]), "isup").await, [json!(1)]);
    assert_eq!(node.node_is_up("perl"), Some(true));
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn functions_and_untyped_ports() {
    let (keep, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let node = rust().function("Test::note", move |_, args| drop(keep.send(args)));
    let node = node.start().await.unwrap();
    let Some(mut perl) = Perl::start("perl", &node.listeners()).await else {
        return;
    };
    perl.expect("up").await;
    perl.order(&json!(["func", "rust", "Test::note", 1, "two"]));
    assert_eq!(
        crate::common::soon(kept.recv()).await.unwrap(),
        msg![1, "two"]
    );
    let port = node.untyped(|cx: &mut Cx<'_>, mut message: Args| {
        let to = message.pop().unwrap();
        message.push(format!("{:?}", cx.origin()).into());
        cx.node()
            .snd(&PortId::parse(to.as_str().unwrap()).unwrap(), message);
    });
    let answer = perl
        .ask(json!(["cal", port.id().as_str(), "who", "am I"]), "answer")
        .await;
    assert_eq!(answer[..2], [json!("who"), json!("am I")]);
    assert!(answer[2].as_str().unwrap().contains("perl"), "{answer:?}");
    let own = node.port(counter(1));
    assert_eq!(
        perl.ask(json!(["cal", own.id().as_str(), "get"]), "answer")
            .await,
        [json!(1)]
    );
}
