//! Data connections: each one that is dialled ends in one way, and leaves nothing behind.

use super::rules::{Net, PROOF, hello, id};
use crate::{mesh::Way, peer::ConnId};

/// The greeting of a node that opens a stream.
fn opening(node: &str, stream: &str) -> String {
    format!("aemp-dataconn;1;{node};hmac_sha3_512;json;dataconn_id={stream}\n\n")
}

fn b() -> Way {
    Way::Address("b:1".into())
}

/// The cause of a failure.
type Failure = fn(&mut Net, ConnId);

impl Net {
    fn dial_stream(&mut self) -> ConnId {
        let conn = self.mesh.dial_stream(self.now, &b(), &id("b"), "s1@m");
        assert_eq!(self.todo(), [format!("dial {} b:1", conn.0)]);
        conn
    }

    /// A connection for a stream whose socket is connected.
    fn dialed_stream(&mut self) -> ConnId {
        let conn = self.dial_stream();
        self.mesh.dialed(self.now, conn, Ok("9.9.9.9:1".into()));
        let sent = self.todo();
        assert_eq!(sent.len(), 1, "{sent:?}");
        conn
    }
}

#[test]
fn a_stream_leaves_the_mesh_when_both_ends_have_proved_themselves() {
    let mut net = Net::new();
    let conn = net.dialed_stream();
    net.receive(conn, &(hello("b") + PROOF + "content"));
    assert_eq!(net.todo().last().unwrap(), "stream s1@m ConnId(1)");
    net.assert_idle();
    // The mesh does not know the connection any more.
    net.mesh.abandon_stream(net.now, conn);
    net.mesh.closed(net.now, conn, "Unexpected end-of-file");
    assert!(net.todo().is_empty());
}

#[test]
fn a_stream_is_no_second_connection_of_its_node() {
    let (mut net, _) = Net::up("b");
    let conn = net.dialed_stream();
    net.receive(conn, &(hello("b") + PROOF));
    assert_eq!(net.todo().last().unwrap(), "stream s1@m ConnId(2)");
    net.accept(&(opening("b", "x@b") + PROOF));
    assert_eq!(net.todo().last().unwrap(), "stream x@b ConnId(3)");
    assert!(net.mesh.is_up(&id("b")));
    assert_eq!(net.mesh.connections(), 1);
}

#[test]
fn each_failure_is_reported_once_and_leaves_nothing() {
    let failures: [(&str, Failure); 6] = [
        ("Unexpected end-of-file", |net, conn| {
            net.mesh.closed(net.now, conn, "Unexpected end-of-file");
        }),
        ("found c", |net, conn| net.receive(conn, &hello("c"))),
        ("authentication failure", |net, conn| {
            net.receive(conn, &(hello("b") + "cleartext;00;json\n"));
        }),
        ("unparsable greeting", |net, conn| {
            net.receive(conn, "HTTP/1.1\n")
        }),
        ("timed out", |net, _| {
            net.wait();
        }),
        ("", |net, conn| net.mesh.abandon_stream(net.now, conn)),
    ];
    for (text, fail) in failures {
        let mut net = Net::new();
        let conn = net.dialed_stream();
        fail(&mut net, conn);
        let todo = net.todo();
        let reports: Vec<_> = todo
            .iter()
            .filter(|line| line.contains("failed:"))
            .collect();
        // One that was given up is not reported.
        assert_eq!(reports.len(), usize::from(!text.is_empty()), "{todo:?}");
        assert!(reports.iter().all(|line| line.contains(text)), "{todo:?}");
        net.assert_idle();
    }
}

#[test]
fn an_address_that_is_not_reached_is_a_failure() {
    let mut net = Net::new();
    let conn = net.dial_stream();
    let refused = Err("Connection refused".into());
    net.mesh.dialed(net.now, conn, refused);
    assert_eq!(net.todo(), ["stream s1@m failed: Connection refused"]);
    net.dial_stream();
    let (_, todo) = net.work();
    assert_eq!(todo[0], "close 2");
    assert!(todo[1].starts_with("stream s1@m failed: "), "{todo:?}");
    net.assert_idle();
    net.mesh.stop(net.now);
    net.mesh.dial_stream(net.now, &b(), &id("b"), "s1@m");
    let todo = net.todo();
    assert_eq!(
        todo[1..],
        ["stream s1@m failed: this node has stopped", "close 3"]
    );
    net.assert_idle();
}
