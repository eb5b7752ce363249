//! A format from another crate, in a network with nodes that have never heard of it.

use std::ops::Range;

use aemp::{
    Codec, DecodeError, Format, Limits, Node,
    codec::{FrameError, Framer, Framing, PacketReader, PacketWriter},
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

    fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a> {
        Format::Json.writer(out, limits)
    }

    fn reader<'a>(
        &'a self,
        packet: &'a [u8],
        limits: Limits,
    ) -> Result<PacketReader<'a>, DecodeError> {
        Format::Json.reader(packet, limits)
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

/// Checks the format in which `node` writes to another.
async fn says(node: &Node, other: &str, format: &str) {
    let seen = soon(node.inspect(node.id()).connections()).await.unwrap();
    let mut lines = seen.connections.iter();
    let line = lines.find(|line| line.node == other).unwrap();
    assert_eq!(line.format_out.as_deref(), Some(format), "{other}");
}
