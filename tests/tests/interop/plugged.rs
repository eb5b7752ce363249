//! A format from another crate, in a network with nodes that have never heard of it.

use std::ops::Range;

use aemp::{
    Codec, DecodeError, EncodeError, Format, Limits, Node, Value,
    codec::{FrameError, Framer, Framing},
    msg,
};

use crate::{
    common::{Inbox, soon},
    perl::Perl,
    rust,
};

/// JSON under another name, which is all that the others see.
#[derive(Debug)]
struct Renamed;

#[derive(Debug)]
struct Frames(Framer);

impl Codec for Renamed {
    fn name(&self) -> &str {
        "renamed"
    }

    fn framer(&self, limits: Limits) -> Box<dyn Framing> {
        Box::new(Frames(Format::Json.framer(limits)))
    }

    fn encode(&self, packet: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut writer = Format::Json.writer(out, Limits::default());
        packet.iter().try_for_each(|value| writer.value(value))?;
        writer.finish()
    }

    fn decode(&self, packet: &[u8], limits: Limits) -> Result<Vec<Value>, DecodeError> {
        Format::Json.reader(packet, limits)?.rest()
    }
}

impl Framing for Frames {
    fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        self.0.scan(buffer)
    }
}

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn a_plugged_in_format_is_spoken_where_it_is_known() {
    let a = rust().node_id("a").codec(Renamed).start().await.unwrap();
    let seed = a.listeners().remove(0);
    let b = rust().node_id("b").seed(&seed).codec(Renamed);
    let b = b.start().await.unwrap();
    let c = rust()
        .node_id("c")
        .seed(&seed)
        .framing_format(["cbor", "json"]);
    let c = c.start().await.unwrap();
    let mut inbox = Inbox::new(&a);
    for (node, format) in [(&b, "renamed"), (&c, "cbor")] {
        soon(a.until_up(node.id().as_str())).await;
        soon(node.until_up("a")).await;
        says(&a, node.id().as_str(), format).await;
        node.snd(&inbox.id, msg!["hello", node.id().as_str()]);
        assert_eq!(inbox.next().await, msg!["hello", node.id().as_str()]);
    }
    let Some(mut perl) = Perl::start_speaking("perl", &[seed], "json,cbor").await else {
        return;
    };
    soon(a.until_up("perl")).await;
    says(&a, "perl", "json").await;
    perl.order(&serde_json::json!(["snd", inbox.id.as_str(), "hello"]));
    assert_eq!(inbox.next().await, msg!["hello"]);
}

/// In what `node` writes to another.
async fn says(node: &Node, other: &str, format: &str) {
    let seen = soon(node.inspect(node.id()).connections()).await.unwrap();
    let mut lines = seen.connections.iter();
    let line = lines.find(|line| line.node == other).unwrap();
    assert_eq!(line.format_out.as_deref(), Some(format), "{other}");
}
