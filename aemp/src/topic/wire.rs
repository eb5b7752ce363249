//! The messages between nodes ([protocol](aemp_proto::protocol::topics#messages)).

use std::sync::Arc;

use aemp_codec::{NodeId, PortId, Value};
use tokio::sync::mpsc;

use crate::{
    Cx, Node, Origin, Reason, UntypedMsg, args,
    message::Port,
    port::{Handle, untyped::Kind},
};

pub(super) const HELLO: &str = "topic_hello";
pub(super) const WELCOME: &str = "topic_welcome";
pub(super) const MESSAGE: &str = "topic_message";
pub(super) const BYE: &str = "topic_bye";

/// The longest text by which a source calls itself.
const LONGEST_INSTANCE: usize = 255;

/// A published message on its way to other nodes.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) number: u64,
    pub(super) content: Value,
    /// The stamp of a retained message.
    pub(super) stamp: Option<u64>,
    pub(super) bytes: usize,
}

/// A message of one node to another.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Hello {
        topic: String,
        instance: String,
        next: u64,
        answer: PortId,
        /// Number, stamp and content.
        retained: Option<(u64, u64, Value)>,
    },
    Welcome {
        inlet: PortId,
    },
    Message {
        instance: String,
        number: u64,
        content: Value,
        stamp: Option<u64>,
    },
    Bye {
        instance: String,
        next: u64,
    },
}

/// A message that has arrived, and the node that has sent it.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) from: NodeId,
    pub(super) message: Vec<Value>,
}

impl Said {
    /// Reads a message; `None` if it is none of these.
    pub(super) fn read(message: Vec<Value>) -> Option<Self> {
        let mut values = message.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let tag = next();
        Some(match tag.as_str()? {
            HELLO => Self::Hello {
                topic: next().text()?.into_owned(),
                instance: instance(&next())?,
                next: number(&next())?,
                answer: port(&next())?,
                retained: match next() {
                    Value::Null => None,
                    place => Some((number(&place)?, number(&next())?, next())),
                },
            },
            WELCOME => Self::Welcome {
                inlet: port(&next())?,
            },
            MESSAGE => Self::Message {
                instance: instance(&next())?,
                number: number(&next())?,
                content: next(),
                stamp: match next() {
                    Value::Null => None,
                    stamp => Some(number(&stamp)?),
                },
            },
            BYE => Self::Bye {
                instance: instance(&next())?,
                next: number(&next())?,
            },
            _ => return None,
        })
    }
}

fn instance(value: &Value) -> Option<String> {
    let text = value.text()?;
    (text.len() <= LONGEST_INSTANCE).then(|| text.into_owned())
}

/// A number, or its decimal text, which are the same in Perl.
fn number(value: &Value) -> Option<u64> {
    let parsed = || value.text()?.parse().ok();
    value.as_u64().or_else(parsed)
}

fn port(value: &Value) -> Option<PortId> {
    let port = PortId::parse(&value.text()?).ok()?;
    (!port.is_node_port()).then_some(port)
}

pub(super) fn hello(
    topic: &str,
    instance: &str,
    next: u64,
    answer: &PortId,
    retained: Option<&Packet>,
) -> Vec<Value> {
    let mut message = args![HELLO, topic, instance, next, answer.as_str()];
    if let Some(packet) = retained {
        message.extend(args![packet.number, packet.stamp.unwrap_or_default()]);
        message.push(packet.content.clone());
    }
    message
}

pub(super) fn welcome(inlet: &PortId) -> Vec<Value> {
    args![WELCOME, inlet.as_str()]
}

pub(super) fn message(instance: &str, packet: &Packet) -> Vec<Value> {
    let mut message = args![MESSAGE, instance, packet.number];
    message.push(packet.content.clone());
    message.extend(packet.stamp.map(Value::from));
    message
}

pub(super) fn bye(instance: &str, next: u64) -> Vec<Value> {
    args![BYE, instance, next]
}

/// A port that passes its messages on to a task, as fast as the task takes them.
struct Inlet(mpsc::Sender<Incoming>);

/// The number of messages that wait for the task, beside those in the queue of the port.
const PASSED: usize = 32;
/// The bound of the port's queue, for the nodes of this project.
const BOUND: usize = 1024;

/// Makes a port whose messages arrive at the receiver.
pub(super) fn inlet(node: &Node) -> (Handle<UntypedMsg>, mpsc::Receiver<Incoming>) {
    let (pass, receiver) = mpsc::channel(PASSED);
    let port = node.port(Inlet(pass));
    port.bound(BOUND);
    (port, receiver)
}

impl Port for Inlet {
    type Msg = UntypedMsg;
    type Ref = Handle<UntypedMsg>;

    /// Not used: all messages wait.
    fn handle(&mut self, _cx: &mut Cx<'_>, _message: UntypedMsg) -> Result<(), Reason> {
        Ok(())
    }

    fn waits(_message: &UntypedMsg) -> bool {
        true
    }

    async fn handle_async(&mut self, cx: &mut Cx<'_>, message: UntypedMsg) -> Result<(), Reason> {
        let Kind::Message(message) = message.0 else {
            return Ok(());
        };
        let from = match cx.origin() {
            Some(Origin::Node(from)) => from,
            Some(Origin::Local) | None => cx.node().id().clone(),
        };
        // The task has ended, and so does the port.
        let _ = self.0.send(Incoming { from, message }).await;
        Ok(())
    }
}

/// The content of a message, for several receivers.
pub(super) fn packet(number: u64, content: Value, stamp: Option<u64>) -> Arc<Packet> {
    let bytes = aemp_proto::weight(&content);
    Arc::new(Packet {
        number,
        content,
        stamp,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_are_written() {
        let answer = PortId::parse("a#answer").unwrap();
        let packet = packet(4, "news".into(), Some(2));
        let hello = Said::read(hello("room", "i", 5, &answer, Some(&packet)));
        let expected = Said::Hello {
            topic: "room".into(),
            instance: "i".into(),
            next: 5,
            answer: answer.clone(),
            retained: Some((4, 2, "news".into())),
        };
        assert_eq!(hello, Some(expected));
        let expected = Said::Message {
            instance: "i".into(),
            number: 4,
            content: "news".into(),
            stamp: Some(2),
        };
        assert_eq!(Said::read(message("i", &packet)), Some(expected));
        let inlet = answer;
        assert_eq!(Said::read(welcome(&inlet)), Some(Said::Welcome { inlet }));
        let expected = Said::Bye {
            instance: "i".into(),
            next: 6,
        };
        assert_eq!(Said::read(bye("i", 6)), Some(expected));
    }

    #[test]
    fn as_perl_sends_them() {
        let message = Said::read(args![MESSAGE, 7, "3", Value::Null]);
        let expected = Said::Message {
            instance: "7".into(),
            number: 3,
            content: Value::Null,
            stamp: None,
        };
        assert_eq!(message, Some(expected));
    }

    #[test]
    fn nonsense_is_none() {
        let long = "x".repeat(256);
        for message in [
            args![],
            args!["other", 1],
            args![MESSAGE],
            args![MESSAGE, long, 1, 2],
            args![MESSAGE, "i", -1, 2],
            args![HELLO, "t", "i", 1, "no port"],
            args![HELLO, "t", "i", 1, "node"],
            args![WELCOME],
            args![BYE, "i"],
        ] {
            assert_eq!(Said::read(message.clone()), None, "{message:?}");
        }
    }
}
