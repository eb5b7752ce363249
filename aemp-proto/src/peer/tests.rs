//! The rules one by one; `model` checks the guarantee under everything at once.

mod model;

use aemp_codec::{Limits, NodeId};

use super::*;

const A: ConnId = ConnId(1);
const B: ConnId = ConnId(2);

fn peer() -> Peer {
    limited(1 << 20)
}

fn limited(max_queue_bytes: usize) -> Peer {
    let packet = Limits::default().with_max_packet(1000);
    let limits = PeerLimits {
        max_queue_bytes,
        packet,
    };
    Peer::new(NodeId::new("other").unwrap(), limits)
}

fn up() -> Peer {
    let mut peer = peer();
    assert_eq!(peer.link_up(A, Format::Json), LinkUp::Up(Urge::None));
    peer
}

fn send(peer: &mut Peer, port: &str, tag: &str) -> Urge {
    peer.send(port, |packet| packet.str(tag)).unwrap()
}

fn output(peer: &mut Peer, conn: ConnId) -> String {
    let mut out = Vec::new();
    assert!(peer.swap_output(conn, &mut out));
    String::from_utf8(out).unwrap()
}

fn ids(numbers: &[u64]) -> Vec<MonitorId> {
    numbers.iter().copied().map(MonitorId).collect()
}

fn fire(loss: u64, monitors: &[u64]) -> Lost {
    let (id, monitors) = (LossId(loss), ids(monitors));
    Lost::Fire(Loss { id, monitors })
}

fn lost(lost: Lost) -> Loss {
    match lost {
        Lost::Fire(loss) => loss,
        other => panic!("{other:?}"),
    }
}

#[test]
fn packets_queued_before_the_connection_is_up_are_written_in_order() {
    let mut peer = peer();
    assert_eq!(send(&mut peer, "p", "one"), Urge::Connect);
    assert_eq!(send(&mut peer, "q", "two"), Urge::None);
    assert_eq!(peer.monitor("p", MonitorId(1)), Urge::None);
    assert!(peer.pending_bytes() > 0 && !peer.is_up());
    assert_eq!(peer.link_up(A, Format::Json), LinkUp::Up(Urge::Write));
    assert_eq!(send(&mut peer, "p", "three"), Urge::None);
    let all = r#"["p","one"]["q","two"]["","mon1","p"]["p","three"]"#;
    assert_eq!(peer.pending_bytes(), all.len());
    assert_eq!(output(&mut peer, A), all);
    assert_eq!(send(&mut peer, "p", "four"), Urge::Write);
}

#[test]
fn only_the_nodes_own_connection_may_write_or_end() {
    let mut peer = up();
    let _ = send(&mut peer, "p", "x");
    assert!(!peer.swap_output(B, &mut Vec::new()));
    assert_eq!(peer.link_down(B), Lost::Not);
    assert_eq!(output(&mut peer, A), r#"["p","x"]"#);
    assert_eq!(peer.link_down(A), Lost::Down);
    assert!(!peer.swap_output(A, &mut Vec::new()));
}

#[test]
fn a_packet_that_cannot_be_encoded_changes_nothing() {
    let mut peer = peer();
    let bad = |packet: &mut PacketWriter<'_>| packet.arg(&f64::NAN);
    assert!(peer.send("p", bad).is_err());
    assert_eq!(peer.standing(), Standing::Down);
    assert!(peer.is_idle());
    let _ = peer.link_up(A, Format::Json);
    assert!(peer.send("p", bad).is_err());
    assert_eq!(peer.pending_bytes(), 0);
    assert!(
        peer.send("p", |packet| packet.str(&"x".repeat(1000)))
            .is_err()
    );
    assert_eq!(peer.pending_bytes(), 0);
}

#[test]
fn one_watch_serves_all_monitors_of_a_port() {
    let mut peer = up();
    assert_eq!(peer.monitor("p", MonitorId(1)), Urge::Write);
    assert_eq!(output(&mut peer, A), r#"["","mon1","p"]"#);
    assert_eq!(peer.monitor("p", MonitorId(2)), Urge::None);
    assert_eq!(peer.unmonitor("p", MonitorId(1)), Urge::None);
    assert_eq!(peer.unmonitor("p", MonitorId(1)), Urge::None);
    assert_eq!(peer.unmonitor("p", MonitorId(2)), Urge::Write);
    assert_eq!(output(&mut peer, A), r#"["","mon0","p"]"#);
    assert_eq!(peer.monitor("p", MonitorId(3)), Urge::Write);
    assert_eq!(output(&mut peer, A), r#"["","mon1","p"]"#);
}

#[test]
fn calls_to_one_port_cost_one_watch() {
    let mut peer = up();
    for call in 0..10 {
        let _ = peer.monitor("p", MonitorId(call));
        assert_eq!(peer.release("p", MonitorId(call)), Urge::None);
    }
    assert_eq!(output(&mut peer, A), r#"["","mon1","p"]"#);
    assert_eq!(peer.sweep(), Urge::Write);
    assert_eq!(output(&mut peer, A), r#"["","mon0","p"]"#);
    assert_eq!(peer.sweep(), Urge::None);
    // A port that is monitored during a sweep stays watched, and is swept after its next release.
    let _ = peer.monitor("p", MonitorId(10));
    let _ = peer.release("p", MonitorId(10));
    let _ = peer.monitor("p", MonitorId(11));
    assert_eq!(peer.sweep(), Urge::None);
    let _ = peer.release("p", MonitorId(11));
    let _ = peer.sweep();
    assert_eq!(output(&mut peer, A), r#"["","mon1","p"]["","mon0","p"]"#);
    assert_eq!(peer.link_down(A), Lost::Down);
    assert!(peer.is_idle());
}

#[test]
fn a_lingering_watch_still_fires_the_monitors_of_later_calls() {
    let mut peer = up();
    let _ = peer.monitor("p", MonitorId(1));
    let _ = peer.release("p", MonitorId(1));
    assert_eq!(peer.monitor("p", MonitorId(2)), Urge::None);
    assert_eq!(peer.port_died("p"), ids(&[2]));
    assert_eq!(peer.port_died("p"), ids(&[]));
    let _ = output(&mut peer, A);
    assert_eq!(peer.sweep(), Urge::None);
    assert_eq!(peer.pending_bytes(), 0);
}

#[test]
fn the_node_port_is_monitored_without_a_word_but_connects() {
    let mut peer = peer();
    assert_eq!(peer.monitor("", MonitorId(1)), Urge::Connect);
    assert_eq!(peer.link_up(A, Format::Json), LinkUp::Up(Urge::None));
    assert_eq!(peer.unmonitor("", MonitorId(1)), Urge::None);
    assert_eq!(peer.monitor("", MonitorId(2)), Urge::None);
    assert_eq!(peer.pending_bytes(), 0);
    assert_eq!(peer.link_down(A), fire(1, &[2]));
}

#[test]
fn a_lost_connection_fires_all_monitors_in_the_order_in_which_they_were_set() {
    let mut peer = up();
    for (port, id) in [("q", 5), ("p", 1), ("q", 4), ("", 3), ("r", 2)] {
        let _ = peer.monitor(port, MonitorId(id));
    }
    assert_eq!(peer.link_down(A), fire(1, &[5, 1, 4, 3, 2]));
    assert_eq!(peer.link_down(A), Lost::Not);
    assert_eq!(peer.standing(), Standing::Draining);
    // No connection comes up before the monitors have fired.
    assert_eq!(peer.link_up(B, Format::Json), LinkUp::Mourning(LossId(1)));
    assert_eq!(send(&mut peer, "p", "lost"), Urge::None);
    assert_eq!(peer.fired(LossId(1)), Fired::Down);
    assert!(peer.is_idle());
    assert_eq!(send(&mut peer, "p", "again"), Urge::Connect);
}

#[test]
fn each_report_of_fired_monitors_belongs_to_one_loss() {
    let mut peer = up();
    let _ = peer.monitor("p", MonitorId(1));
    assert_eq!(peer.fired(LossId(1)), Fired::Not);
    assert_eq!(peer.link_down(A), fire(1, &[1]));
    let _ = peer.monitor("p", MonitorId(2));
    assert_eq!(peer.fired(LossId(2)), Fired::Not);
    assert_eq!(peer.fired(LossId(1)), Fired::Connecting);
    assert_eq!(peer.fired(LossId(1)), Fired::Not);
    assert_eq!(peer.connect_failed(), fire(2, &[2]));
    // A late answer has no effect.
    assert_eq!(peer.fired(LossId(1)), Fired::Not);
    assert_eq!(peer.link_up(B, Format::Json), LinkUp::Mourning(LossId(2)));
    assert_eq!(peer.fired(LossId(2)), Fired::Down);
}

#[test]
fn nothing_is_kept_behind_a_hole_that_its_sender_does_not_know_of_yet() {
    let mut peer = up();
    for (port, id) in [("p", 1), ("p", 2), ("q", 3)] {
        let _ = peer.monitor(port, MonitorId(id));
    }
    let loss = lost(peer.link_down(A));
    let _ = send(&mut peer, "p", "lost");
    // The port had no monitor, so its messages are kept.
    let _ = send(&mut peer, "r", "kept");
    peer.begun(loss.id, MonitorId(1));
    // One monitor has been called, the other has not.
    let _ = send(&mut peer, "p", "lost as well");
    peer.begun(loss.id, MonitorId(2));
    let _ = send(&mut peer, "p", "sent after the report");
    let _ = send(&mut peer, "q", "lost");
    assert_eq!(peer.fired(loss.id), Fired::Connecting);
    let _ = peer.link_up(B, Format::Json);
    assert_eq!(
        output(&mut peer, B),
        r#"["r","kept"]["p","sent after the report"]"#
    );
}

#[test]
fn the_nodes_own_monitors_cover_all_its_ports() {
    let mut peer = up();
    let _ = peer.monitor("", MonitorId(1));
    let loss = lost(peer.link_down(A));
    let _ = send(&mut peer, "q", "lost");
    let _ = peer.monitor("p", MonitorId(2));
    let _ = send(&mut peer, "p", "of the next life");
    let _ = send(&mut peer, "q", "lost");
    let _ = peer.monitor("", MonitorId(3));
    let _ = send(&mut peer, "q", "of the next life");
    assert_eq!(peer.fired(loss.id), Fired::Connecting);
    let _ = peer.link_up(B, Format::Json);
    let written = r#"["","mon1","p"]["p","of the next life"]["q","of the next life"]"#;
    assert_eq!(output(&mut peer, B), written);
}

#[test]
fn monitors_and_messages_of_a_callback_belong_to_the_next_connection() {
    let mut peer = up();
    for id in 1..=3 {
        let _ = peer.monitor("p", MonitorId(id));
    }
    let loss = lost(peer.link_down(A));
    for id in 1..=3 {
        peer.begun(loss.id, MonitorId(id));
        let _ = peer.monitor("p", MonitorId(10 + id));
        let _ = send(&mut peer, "p", &format!("again {id}"));
    }
    assert_eq!(peer.fired(loss.id), Fired::Connecting);
    let _ = peer.link_up(B, Format::Json);
    let written = r#"["","mon1","p"]["p","again 1"]["p","again 2"]["p","again 3"]"#;
    assert_eq!(output(&mut peer, B), written);
    assert_eq!(peer.link_down(B), fire(2, &[11, 12, 13]));
}

#[test]
fn an_overflow_while_monitors_fire_is_a_loss_of_its_own() {
    let mut peer = limited(50);
    let _ = peer.link_up(A, Format::Json);
    let _ = peer.monitor("p", MonitorId(1));
    let _ = peer.link_down(A);
    let _ = peer.monitor("p", MonitorId(2));
    let _ = send(&mut peer, "p", "m1");
    assert_eq!(send(&mut peer, "q", &"x".repeat(60)), Urge::Overflow);
    let text = "more than 50 bytes queued".to_owned();
    assert_eq!(peer.give_up(), GivenUp::Later(text.clone()));
    // The setter of the port's monitor has not heard of the loss yet, so nothing may overtake the loss.
    let _ = peer.monitor("p", MonitorId(3));
    let _ = send(&mut peer, "p", "m2");
    assert_eq!(peer.pending_bytes(), 0);
    let Fired::Again(loss, why) = peer.fired(LossId(1)) else {
        panic!("{peer:?}");
    };
    assert_eq!((&*loss.monitors, why), (&*ids(&[2, 3]), text));
    let _ = send(&mut peer, "p", "m3");
    assert_eq!(peer.link_up(B, Format::Json), LinkUp::Mourning(loss.id));
    assert_eq!(peer.fired(loss.id), Fired::Down);
}

#[test]
fn a_connection_that_comes_too_late_for_an_overflow_waits() {
    let mut peer = limited(50);
    let _ = peer.monitor("p", MonitorId(1));
    let _ = send(&mut peer, "p", &"x".repeat(60));
    let text = "more than 50 bytes queued".to_owned();
    let found = peer.link_up(A, Format::Json);
    assert_eq!(found, LinkUp::Lost(fire(1, &[1]), text));
    // The late report of the sender has no effect.
    assert_eq!(peer.give_up(), GivenUp::Not);
    assert_eq!(peer.fired(LossId(1)), Fired::Down);
    assert_eq!(peer.link_up(A, Format::Json), LinkUp::Up(Urge::None));
    // A second connection before the end of the first replaces it.
    let _ = peer.monitor("p", MonitorId(2));
    let found = peer.link_up(B, Format::Json);
    assert_eq!(
        found,
        LinkUp::Lost(fire(2, &[2]), "switched connections".into())
    );
}

#[test]
fn a_failed_attempt_loses_the_queue_and_fires() {
    let mut peer = peer();
    assert_eq!(peer.connect_failed(), Lost::Not);
    let _ = peer.monitor("p", MonitorId(1));
    let _ = send(&mut peer, "p", "x");
    assert_eq!(peer.connect_failed(), fire(1, &[1]));
    assert_eq!(peer.fired(LossId(1)), Fired::Down);
    let _ = peer.link_up(A, Format::Json);
    assert_eq!(peer.pending_bytes(), 0);
}

#[test]
fn over_the_limit_the_node_is_given_up() {
    let mut peer = limited(50);
    assert_eq!(peer.link_up(A, Format::Json), LinkUp::Up(Urge::None));
    let _ = peer.monitor("p", MonitorId(1));
    let text = "x".repeat(40);
    assert_eq!(send(&mut peer, "p", &text), Urge::Overflow);
    // The overflow is reported once. After it, nothing is accepted or written.
    assert_eq!(send(&mut peer, "p", "y"), Urge::None);
    let given_up = Standing::GivenUp(Some(A), "more than 50 bytes queued".into());
    assert_eq!(peer.standing(), given_up);
    assert!(!peer.swap_output(A, &mut Vec::new()));
    let text = "more than 50 bytes queued".into();
    let (conn, lost) = (Some(A), fire(1, &[1]));
    assert_eq!(peer.give_up(), GivenUp::Now { conn, text, lost });

    let mut peer = limited(50);
    let _ = peer.monitor("p", MonitorId(1));
    let text = "x".repeat(40);
    assert_eq!(send(&mut peer, "p", &text), Urge::Overflow);
    assert_eq!(peer.connect_failed(), fire(1, &[1]));
    assert_eq!(peer.give_up(), GivenUp::Not);
    assert_eq!(peer.fired(LossId(1)), Fired::Down);
    assert!(peer.is_idle());
}

#[test]
fn keepalives_are_written_only_when_nothing_else_is() {
    let mut peer = peer();
    assert_eq!(peer.keepalive(), Urge::None);
    let _ = peer.link_up(A, Format::Json);
    assert_eq!(peer.keepalive(), Urge::Write);
    assert_eq!(peer.keepalive(), Urge::None);
    assert_eq!(output(&mut peer, A), "[]");
    assert_eq!(peer.standing(), Standing::Up(A));
}

#[test]
fn urges_add_up_to_the_most_urgent() {
    assert_eq!(Urge::None.and(Urge::Write), Urge::Write);
    assert_eq!(Urge::Overflow.and(Urge::None), Urge::Overflow);
    assert_eq!(Urge::Write.and(Urge::Connect), Urge::Connect);
}

#[test]
fn traffic_of_a_connection_is_counted() {
    let mut peer = peer();
    let _ = send(&mut peer, "p", "queued");
    let _ = peer.monitor("p", MonitorId(1));
    assert_eq!(peer.sent(), None);
    let _ = peer.link_up(A, Format::Json);
    let count = |packets, bytes| Some(Traffic { packets, bytes });
    assert_eq!(peer.sent(), count(2, 0));
    let written = output(&mut peer, A).len() as u64;
    assert_eq!(peer.sent(), count(2, written));
    let _ = peer.keepalive();
    // A packet that cannot be sent is not counted.
    let failed = peer.send("p", |packet| packet.str(&"x".repeat(2000)));
    assert!(failed.is_err());
    let _ = send(&mut peer, "p", "one");
    assert_eq!(peer.sent(), count(4, written));
    let more = output(&mut peer, A);
    assert_eq!(more, r#"[]["p","one"]"#);
    assert_eq!(peer.sent(), count(4, written + more.len() as u64));
    assert_eq!(peer.monitors(), 1);
    // The next connection counts from zero.
    let loss = lost(peer.link_down(A));
    assert_eq!((peer.sent(), peer.fired(loss.id)), (None, Fired::Down));
    let _ = peer.link_up(B, Format::Json);
    assert_eq!(peer.sent(), count(0, 0));
}

#[test]
fn packets_wait_until_all_have_been_taken() {
    let mut peer = up();
    assert_eq!(peer.pending_packets(), 0);
    let _ = send(&mut peer, "p", "a");
    let _ = send(&mut peer, "p", "b");
    assert_eq!(peer.pending_packets(), 2);
    output(&mut peer, A);
    assert_eq!(peer.pending_packets(), 0);
    let mut large = vec![b' '; 64 << 10];
    assert!(peer.put_bytes(&Format::Json, &mut large).is_some());
    let _ = send(&mut peer, "p", "c");
    assert_eq!(peer.pending_packets(), 2);
    let mut buf = Vec::new();
    assert!(peer.swap_output(A, &mut buf));
    assert_eq!(peer.pending_packets(), 2);
    buf.clear();
    assert!(peer.swap_output(A, &mut buf));
    assert_eq!(peer.pending_packets(), 0);
}
