//! The macro `receive!`: typed patterns, guards, time limits.

use std::{sync::Arc, time::Duration};

use aemp::{Args, Handle, Node, Octets, PortId, Reason, UntypedMsg, Value, msg, receive, snd};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{death_by, node, on_both, settle, watch, within};

const SECOND: Duration = Duration::from_secs(1);

/// A process that sends the texts that `receive!` makes of messages.
fn teller(node: &Node) -> (Handle<UntypedMsg>, mpsc::UnboundedReceiver<String>) {
    let (tell, told) = mpsc::unbounded_channel();
    let process = node.process(move |inbox| async move {
        let mut level = 10;
        loop {
            let text = receive! { inbox,
                ("none") => "none".to_owned(),
                ("one", n: u8) => format!("one {n}"),
                ("guarded", n: i64) if n > level => {
                    level = n;
                    format!("level {level}")
                }
                ("option", n: u8, mut text: Option<String>) => {
                    text = text.map(|text| text + "!");
                    format!("option {n} {text:?}")
                }
                ("values", 5, -1, "text", true, _) => "values".into(),
                ("rest", first: String, rest @ ..) => format!("rest {first} {}", rest.len()),
                ("open", ..) => "open".into(),
                ("octets", octets: Octets) => format!("{:?}", &octets[..]),
                ("list", numbers: Vec<u32>) => format!("{numbers:?}"),
                ("self", port: PortId) if port == inbox.id() => "self".into(),
                ("break") => break Ok::<_, Reason>(()),
                ("return") => return Err("returned".into()),
                ("question", text: String) => {
                    let n: i32 = text.parse().map_err(Reason::die)?;
                    n.to_string()
                }
                ("wait", ms: u64) => {
                    sleep(Duration::from_millis(ms)).await;
                    "waited".into()
                }
            };
            let _ = tell.send(text);
        }
    });
    (process, told)
}

#[test]
fn patterns_read_messages_that_fit() {
    on_both(|| async {
        let node = node();
        let (process, mut told) = teller(&node);
        let own = process.id().to_string();
        for (message, expected) in [
            (msg!["none"], "none"),
            (msg!["one", 1], "one 1"),
            (msg!["one", "2"], "one 2"),
            (msg!["one", 3, Value::Null], "one 3"),
            (msg!["guarded", 11], "level 11"),
            (msg!["option", 1], "option 1 None"),
            (msg!["option", 1, Value::Null], "option 1 None"),
            (msg!["option", 1, "a"], "option 1 Some(\"a!\")"),
            (msg!["values", "5", -1, "text", 1, "any"], "values"),
            (msg!["rest", "a"], "rest a 0"),
            (msg!["rest", 1, 2, 3], "rest 1 2"),
            (msg!["open"], "open"),
            (msg!["open", 1], "open"),
            (msg!["octets", Value::bytes([1, 2])], "[1, 2]"),
            (msg!["list", vec![Value::from(1), "2".into()]], "[1, 2]"),
            (msg!["self", own], "self"),
            (msg!["question", "7"], "7"),
            (msg!["wait", 1], "waited"),
        ] {
            node.snd(&process.id(), message.clone());
            assert_eq!(
                within(told.recv()).await.as_deref(),
                Some(expected),
                "{message:?}"
            );
        }
    });
}

#[test]
fn messages_that_do_not_fit_stay_in_the_mailbox() {
    on_both(|| async {
        let node = node();
        let (process, mut told) = teller(&node);
        let refused = [
            msg!["other"],
            msg![],
            msg!["none", 1],
            msg!["one"],
            msg!["one", 256],
            msg!["one", 1, 2],
            msg!["one", "x"],
            msg!["guarded", 10],
            msg!["option"],
            msg!["option", 1, "a", "b"],
            msg!["values", 6, -1, "text", 1, "any"],
            msg!["values", 5, -1, "text", 1],
            msg!["rest"],
            msg!["list", vec![Value::from("x")]],
            msg!["self", "other#port"],
        ];
        for message in &refused {
            node.snd(&process.id(), message.clone());
        }
        snd!(node, process, "none");
        assert_eq!(within(told.recv()).await.as_deref(), Some("none"));
        assert_eq!(process.queue_len(), Some(refused.len()));
        for (end, reason) in [(msg!["break"], "normal"), (msg!["return"], "returned")] {
            let (process, _told) = teller(&node);
            let ends = || drop(node.snd(&process.id(), end));
            assert_eq!(death_by(&process, ends).await, reason);
        }
        let fails = || drop(snd!(node, process, "question", "x"));
        assert_eq!(
            death_by(&process, fails).await,
            "die invalid digit found in string"
        );
    });
}

/// The first message that fits is taken, not the first arm that finds one.
#[test]
fn messages_are_tried_in_their_order() {
    on_both(|| async {
        let node = node();
        let (tell, mut told) = mpsc::unbounded_channel();
        let process = node.process(move |inbox| async move {
            inbox.get("go").await;
            for _ in 0..4 {
                let n = receive! { inbox,
                    ("b", n: i64) => n,
                    ("a", n: i64) => -n,
                    (tag: String, n: i64, ..) if tag == "c" => 10 * n,
                };
                let _ = tell.send(n);
            }
            let rest = receive! { inbox, whole if whole.len() == 2 => whole };
            let _ = tell.send(rest[1].as_i64().unwrap());
            receive!(inbox, _ => ());
            assert!(inbox.is_empty());
        });
        let died = watch(&process);
        for (tag, n) in [("a", 1), ("d", 2), ("b", 3), ("c", 4), ("a", 5)] {
            snd!(node, process, tag, n);
        }
        snd!(node, process);
        snd!(node, process, "go");
        for expected in [-1, 3, 40, -5, 2] {
            assert_eq!(within(told.recv()).await, Some(expected));
        }
        assert!(within(died).await.unwrap().is_normal());
    });
}

#[tokio::test(start_paused = true)]
async fn after_limits_the_time() {
    let node = node();
    let (tell, mut told) = mpsc::unbounded_channel();
    let process = node.process(move |inbox| async move {
        loop {
            let began = Instant::now();
            let text = receive! { inbox,
                ("poll") => receive! { inbox,
                    ("more") => "more",
                    after Duration::ZERO => "nothing more",
                },
                ("a") => "a",
                after 5 * SECOND => {
                    inbox.get("go on").await;
                    "late"
                }
            };
            let _ = tell.send((text, began.elapsed().as_secs()));
        }
    });
    sleep(4 * SECOND).await;
    snd!(node, process, "b");
    snd!(node, process, "a");
    assert_eq!(told.recv().await, Some(("a", 4)));
    sleep(7 * SECOND).await;
    snd!(node, process, "go on");
    assert_eq!(told.recv().await, Some(("late", 7)));
    snd!(node, process, "poll");
    assert_eq!(told.recv().await, Some(("nothing more", 0)));
    snd!(node, process, "more");
    snd!(node, process, "poll");
    assert_eq!(told.recv().await, Some(("more", 0)));
}

/// A receive by tags looks at messages with these tags alone, and at each of them once.
#[test]
fn guards_are_tried_once_for_each_message() {
    on_both(|| async {
        let node = node();
        let tried = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = Arc::clone(&tried);
        let process = node.process(move |inbox| async move {
            let try_it = |n: i64| {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                n == 7000
            };
            receive! { inbox,
                ("a", n: i64) if try_it(n) => (),
                ("b") => unreachable!(),
            }
        });
        let died = watch(&process);
        for n in 0..7000 {
            snd!(node, process, "other", n);
            if n % 100 == 0 {
                snd!(node, process, "a", n);
                settle(&process).await;
            }
        }
        snd!(node, process, "a", 7000);
        assert!(within(died).await.unwrap().is_normal());
        assert_eq!(tried.load(std::sync::atomic::Ordering::Relaxed), 71);
    });
}

/// The borrows of guards have ended in the arms.
#[test]
fn bodies_may_change_variables_of_guards() {
    on_both(|| async {
        let node = node();
        let process = node.process(|inbox| async move {
            let mut known = vec![1];
            let mut sum = 0;
            while sum < 10 {
                receive! { inbox,
                    ("n", n: i32) if known.contains(&n) => sum += n,
                    ("know", n: i32) => known.push(n),
                }
            }
            let left: Args = inbox.recv().await;
            Err::<(), _>(Reason::new([left, msg![sum]].concat()))
        });
        let died = watch(&process);
        for n in [9, 8, 1, 9] {
            snd!(node, process, "n", n);
        }
        snd!(node, process, "know", 9);
        assert_eq!(within(died).await.unwrap().to_string(), "n 8 10");
    });
}
