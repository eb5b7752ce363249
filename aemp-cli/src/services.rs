//! Services that every `aemp` command can run.

use aemp::{Args, Cx, PortId, Value, port, spawnable};

/// Answers what it is asked with what it was asked.
struct Echo;

#[port]
impl Echo {
    #[rcv(default)]
    fn message(&mut self, cx: &mut Cx<'_>, tag: &str, mut args: Args) {
        let reply = args.pop().and_then(|to| PortId::parse(&to.text()?).ok());
        if let Some(reply) = reply {
            let mut message = vec![Value::from(tag)];
            message.extend(args);
            cx.node().snd(&reply, message);
        }
    }
}

/// A port that answers every call with the message itself: to see whether a node can be reached, and how fast it is.
#[spawnable(name = "Aemp::echo")]
fn echo() -> Echo {
    Echo
}
