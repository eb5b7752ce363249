//! Tags, the default handler, conditions.

use aemp::{Args, Cx, Origin, cal, msg, port, snd};

use crate::{death, node};

#[derive(Default)]
struct Tagged {
    log: Vec<String>,
}

#[port(msg = TaggedMessage, handle = TaggedHandle, vis = pub(crate))]
impl Tagged {
    #[rcv("set value")]
    fn set(&mut self, n: i64) {
        self.log.push(format!("set {n}"));
    }

    #[rcv(tag = "größer")]
    fn bigger(&mut self) {
        self.log.push("bigger".into());
    }

    #[rcv]
    fn r#type(&self) -> String {
        "tagged".into()
    }

    #[rcv("")]
    fn empty(&mut self) {
        self.log.push("empty".into());
    }

    #[rcv(default)]
    fn other(&mut self, args: Args, cx: &mut Cx<'_>, tag: &str, origin: Origin) {
        assert_eq!(cx.origin(), Some(origin));
        self.log
            .push(format!("{tag} {}", args[0].text().unwrap_or_default()));
    }

    #[rcv]
    #[cfg(any())]
    fn not_here(&self, missing: Missing) -> Missing {
        missing
    }

    #[cfg(not(any()))]
    #[rcv]
    fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    #[cfg(any())]
    #[rcv]
    fn log(&mut self) -> Missing {
        Missing
    }
}

#[tokio::test]
async fn tags_come_from_the_attributes() {
    let node = node();
    let port: TaggedHandle = node.port(Tagged::default());
    snd!(node, port, "set value", 5);
    snd!(node, port, "größer");
    snd!(node, port, "");
    snd!(node, port);
    port.set(6);
    port.empty();
    assert_eq!(cal!(node, port, "type").await.unwrap(), msg!["tagged"]);
    assert_eq!(port.r#type().await.unwrap(), "tagged");
    assert_eq!(
        port.log().await.unwrap(),
        ["set 5", "bigger", "empty", "empty", "set 6", "empty"]
    );
}

#[tokio::test]
async fn the_default_handler_takes_the_rest() {
    let node = node();
    let port = node.port(Tagged::default());
    snd!(node, port, "set", 5);
    snd!(node, port, "not_here", "x");
    port.other("typed", msg![1]);
    assert_eq!(
        port.log().await.unwrap(),
        ["set 5", "not_here x", "typed 1"]
    );
}

#[test]
fn the_messages_show_their_names() {
    let message = TaggedMessage::Set(5);
    assert_eq!(format!("{message:?}"), "TaggedMessage::Set");
    assert_eq!(
        format!("{:?}", TaggedMessage::Other("x".into(), msg![])),
        "TaggedMessage::Other"
    );
}

/// Takes nothing at all.
#[port(handle = IdleRef, strict)]
struct Idle {
    _name: String,
}

/// An enum can be a port just as well.
enum Light {
    Red,
    Green,
}

#[port]
impl Light {
    #[rcv]
    fn next(&mut self) {
        *self = match self {
            Self::Red => Self::Green,
            Self::Green => Self::Red,
        };
    }

    #[rcv]
    fn may_go(&self) -> bool {
        matches!(self, Self::Green)
    }
}

#[tokio::test]
async fn unhandled_tags_kill_strict_ports() {
    let node = node();
    let idle: IdleRef = node.port(Idle {
        _name: "idle".into(),
    });
    snd!(node, idle, "wake", 1);
    let reason = death(&idle).await;
    assert_eq!(
        reason.to_string(),
        "unhandled_message no callback found for message 'wake'"
    );
    let light = node.port(Light::Red);
    light.next();
    assert!(light.may_go().await.unwrap());
    snd!(node, light, "stop");
    snd!(node, light, "next", "now");
    assert!(
        light.may_go().await.unwrap(),
        "it has not understood either"
    );
    snd!(node, light, "next", aemp::Value::Null);
    assert!(
        !light.may_go().await.unwrap(),
        "a missing value is no argument"
    );
}
