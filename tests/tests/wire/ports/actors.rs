//! The ports of the recorded nodes.

use aemp::{Args, Cx, PortId, msg, port, spawnable};

/// A port with tagged receivers only.
struct Actor;

#[port(strict)]
impl Actor {
    #[rcv(try, send)]
    fn go(&self) -> Result<(), String> {
        Err("something broke".into())
    }

    #[rcv]
    fn known(&self, _n: i64) {}

    #[rcv]
    fn answer(&self, cx: &mut Cx<'_>, n: i64, to: PortId) {
        cx.node().snd(&to, msg!["reply", "answer", n]);
    }

    #[rcv]
    fn ignored(&self, _n: i64, _to: PortId) {}
}

#[spawnable(name = "Wire::actor")]
fn actor() -> Actor {
    Actor
}

/// A port that says so when it is there, and answers.
struct Demo {
    to: PortId,
}

#[port]
impl Demo {
    #[rcv]
    fn ping(&self, cx: &mut Cx<'_>, #[rest] args: Args) {
        let mut message = msg!["pong"];
        message.extend(args);
        message.push(cx.id().as_str().into());
        cx.node().snd(&self.to, message);
    }
}

#[spawnable(name = "Interop::Demo::init")]
fn demo(cx: &mut Cx<'_>, to: PortId, #[rest] args: Args) -> Demo {
    let mut message = msg!["started", cx.id().as_str()];
    message.extend(args);
    cx.node().snd(&to, message);
    Demo { to }
}

#[spawnable(name = "Interop::Demo::dies")]
fn dies(_n: i64) -> Result<Actor, String> {
    Err("init failed".into())
}

/// Passes its messages on, behind its own name.
#[spawnable(name = "Wire::inbox")]
fn inbox(cx: &mut Cx<'_>, to: PortId) {
    cx.rcv_default(move |cx: &mut Cx<'_>, args: Args| {
        let mut message = msg![cx.id().name()];
        message.extend(args);
        cx.node().snd(&to, message);
    });
}

/// Sends its messages on.
#[spawnable(name = "Wire::echo")]
fn echo(cx: &mut Cx<'_>, to: PortId) {
    cx.rcv_default(move |cx: &mut Cx<'_>, args: Args| {
        cx.node().snd(&to, args);
    });
}
