//! Senders and answers, step by step.

use super::*;

const CONN: ConnId = ConnId(1);

/// The table for a node that gives credit.
fn table() -> Table {
    let mut table = Table::default();
    assert!(table.begin(CONN, true).is_empty());
    table
}

fn open(table: &mut Table, now: Instant) -> (Arc<Semaphore>, Option<Ask>) {
    match table.account("p", now) {
        (Balance::Counted(credit), ask) => (credit, ask.map(|(ask, _)| ask)),
        other => panic!("{other:?}"),
    }
}

fn grant(table: &mut Table, ask: Ask, messages: u64, now: Instant) -> usize {
    match table.granted("p", ask, Some(messages), now) {
        Some(Granted::Counted(credit, more)) => {
            credit.add_permits(more);
            more
        }
        _ => panic!("a number was granted"),
    }
}

/// Sends one message. Returns the request that follows.
fn send(table: &mut Table, now: Instant) -> Option<Ask> {
    let (credit, ask) = open(table, now);
    assert_eq!(ask, None);
    let leave = credit.try_acquire_owned().expect("there is credit");
    table.spent("p", leave, now).map(|(ask, _)| ask)
}

fn left(table: &mut Table, now: Instant) -> usize {
    open(table, now).0.available_permits()
}

#[test]
fn only_nodes_that_give_credit_are_asked() {
    let (mut table, now) = (Table::default(), Instant::now());
    assert!(matches!(table.account("p", now).0, Balance::Unknown));
    assert!(table.begin(CONN, false).is_empty() && table.is_known());
    assert!(matches!(table.account("p", now).0, Balance::None));
    assert!(table.end(ConnId(2)).is_empty() && table.is_known());
    assert!(table.end(CONN).is_empty() && !table.is_known());
    assert!(table.ports.is_empty());
}

#[test]
fn one_question_is_out_at_a_time() {
    let (mut table, now) = (table(), Instant::now());
    let (_, ask) = open(&mut table, now);
    assert_eq!(ask.map(|ask| ask.conn), Some(CONN));
    let (credit, again) = open(&mut table, now);
    assert_eq!((again, credit.available_permits()), (None, 0));
}

/// A request is sent when half of the credit is left, and the answer counts from the request.
#[test]
fn a_steady_stream_does_not_stop() {
    let (mut table, now) = (table(), Instant::now());
    let first = open(&mut table, now).1.unwrap();
    assert_eq!(grant(&mut table, first, 8, now), 8);
    for _ in 0..3 {
        assert_eq!(send(&mut table, now), None);
    }
    let second = send(&mut table, now).unwrap();
    assert_ne!(first, second);
    for _ in 0..3 {
        assert_eq!(send(&mut table, now), None);
    }
    // At the request there was room for 4, and 3 are on their way.
    assert_eq!(grant(&mut table, second, 4, now), 0);
    assert_eq!(left(&mut table, now), 1);
    let third = send(&mut table, now).unwrap();
    assert_eq!(grant(&mut table, third, 6, now), 6);
}

/// The bound may have become smaller than the grant.
#[test]
fn an_answer_may_take_back() {
    let (mut table, now) = (table(), Instant::now());
    let ask = open(&mut table, now).1.unwrap();
    grant(&mut table, ask, 8, now);
    let ask = (0..4).find_map(|_| send(&mut table, now)).unwrap();
    assert_eq!(grant(&mut table, ask, 1, now), 0);
    assert_eq!(left(&mut table, now), 1);
}

#[test]
fn a_grant_is_good_for_a_while() {
    let (mut table, now) = (table(), Instant::now());
    let ask = open(&mut table, now).1.unwrap();
    grant(&mut table, ask, 1000, now);
    assert_eq!(send(&mut table, now), None);
    let later = now + GOOD_FOR / 2;
    let ask = send(&mut table, later).expect("it is renewed in time");
    assert_eq!(grant(&mut table, ask, 1000, later), 2);
    let (credit, ask) = open(&mut table, later + GOOD_FOR);
    assert!(ask.is_some() && credit.available_permits() == 0);
}

#[test]
fn credit_is_asked_for_again_while_a_sender_waits() {
    let (mut table, now) = (table(), Instant::now());
    let ask = open(&mut table, now).1.unwrap();
    grant(&mut table, ask, 2, now);
    let ask = send(&mut table, now).unwrap();
    assert_eq!(send(&mut table, now), None);
    let (waiting, nothing) = open(&mut table, now);
    assert_eq!(nothing, None);
    assert_eq!(grant(&mut table, ask, 1, now), 0);
    assert!(table.ask_again("p").is_some_and(|(_, left)| left == 0));
    drop(waiting);
}

#[test]
fn credit_without_a_waiting_sender_is_not_asked_for_again() {
    let (mut table, now) = (table(), Instant::now());
    let ask = open(&mut table, now).1.unwrap();
    grant(&mut table, ask, 1, now);
    let ask = send(&mut table, now).unwrap();
    table.granted("p", ask, Some(0), now).unwrap();
    assert_eq!(table.ask_again("p"), None);
}

#[test]
fn answers_to_other_questions_are_none() {
    let (mut table, now) = (table(), Instant::now());
    let Ask { conn, token } = open(&mut table, now).1.unwrap();
    let old = Ask {
        conn,
        token: token + 1,
    };
    assert!(table.granted("p", old, Some(5), now).is_none());
    let elsewhere = Ask {
        conn: ConnId(2),
        token,
    };
    assert!(table.granted("p", elsewhere, Some(5), now).is_none());
    assert!(
        table
            .granted("q", Ask { conn, token }, Some(5), now)
            .is_none()
    );
    assert_eq!(grant(&mut table, Ask { conn, token }, 5, now), 5);
    assert!(
        table
            .granted("p", Ask { conn, token }, Some(5), now)
            .is_none()
    );
}

/// A node may grant any number, but the credit is limited.
#[test]
fn credit_has_a_limit() {
    let (mut table, now) = (table(), Instant::now());
    let ask = open(&mut table, now).1.unwrap();
    assert_eq!(grant(&mut table, ask, u64::MAX, now), MOST);
}

#[test]
fn a_sender_that_gives_up_leaves_its_credit_to_others() {
    let (mut table, now) = (table(), Instant::now());
    let ask = open(&mut table, now).1.unwrap();
    grant(&mut table, ask, 1, now);
    let leave = open(&mut table, now).0.try_acquire_owned().unwrap();
    assert_eq!(left(&mut table, now), 0);
    drop(leave);
    assert_eq!(left(&mut table, now), 1);
}

/// The permit of a sender from before the loss of the connection does not count on the next one.
#[test]
fn another_connection_begins_anew() {
    let (mut table, now) = (table(), Instant::now());
    let ask = open(&mut table, now).1.unwrap();
    grant(&mut table, ask, 2, now);
    let leave = open(&mut table, now).0.try_acquire_owned().unwrap();
    let closed = table.begin(ConnId(2), true);
    assert_eq!(closed.len(), 1);
    let ask = open(&mut table, now).1.unwrap();
    assert_eq!(ask.conn, ConnId(2));
    assert_eq!(table.spent("p", leave, now), None);
    assert_eq!(grant(&mut table, ask, 2, now), 2);
    // The end of the old connection comes late.
    assert!(table.end(CONN).is_empty() && table.is_known());
    assert_eq!(table.end(ConnId(2)).len(), 1);
}

#[test]
fn idle_ports_are_forgotten() {
    let (mut table, start) = (table(), Instant::now());
    let one = |table: &mut Table, name: &str, now| {
        let (Balance::Counted(_), Some((ask, _))) = table.account(name, now) else {
            panic!("a port that is new");
        };
        table.granted(name, ask, Some(1), now).unwrap();
    };
    (0..FEW).for_each(|n| one(&mut table, &n.to_string(), start));
    assert_eq!(table.ports.len(), FEW);
    one(&mut table, "p", start + GOOD_FOR);
    assert_eq!(table.ports.len(), 1);
    // Ports with an outstanding answer stay, and so do ports with waiting senders.
    let later = start + 9 * GOOD_FOR;
    let (_waiting, ask) = open(&mut table, later);
    table.granted("p", ask.unwrap(), Some(1), later).unwrap();
    (0..FEW).for_each(|n| drop(table.account(&n.to_string(), later)));
    assert_eq!(table.ports.len(), FEW + 1);
    (0..2 * FEW).for_each(|n| one(&mut table, &format!("q{n}"), later + 2 * GOOD_FOR));
    assert!(table.ports.contains_key("p") && table.ports.contains_key("0"));
}

/// The report for a sender to a port without a bound, and the request, if there is one.
fn is_open(table: &mut Table, now: Instant) -> (Option<u64>, Option<Ask>) {
    let (account, ask) = table.account("p", now);
    let open = match account {
        Balance::Open(tick) => Some(tick),
        _ => None,
    };
    (open, ask.map(|(ask, _)| ask))
}

fn grant_all(table: &mut Table, ask: Ask, now: Instant) -> (bool, bool) {
    match table.granted("p", ask, None, now) {
        Some(Granted::Open { closed, begins }) => (closed.is_some(), begins),
        _ => panic!("any number was granted"),
    }
}

#[test]
fn a_port_without_a_bound_is_asked_again_in_the_next_tick() {
    let (mut table, now) = (table(), Instant::now());
    let ticks = table.ticks();
    let ask = open(&mut table, now).1.unwrap();
    assert_eq!(grant_all(&mut table, ask, now), (true, true));
    let told = is_open(&mut table, now);
    assert_eq!(told, (Some(ticks.load(Ordering::Relaxed)), None));
    assert!(table.tick());
    let (again, ask) = is_open(&mut table, now);
    assert!(again == told.0 && again < Some(ticks.load(Ordering::Relaxed)));
    assert_eq!(is_open(&mut table, now), (again, None), "asked once");
    assert_eq!(grant_all(&mut table, ask.unwrap(), now), (false, false));
    assert_eq!(is_open(&mut table, now), (again.map(|tick| tick + 1), None));
}

#[test]
fn two_ticks_later_it_is_asked_first() {
    let (mut table, now) = (table(), Instant::now());
    let ask = open(&mut table, now).1.unwrap();
    grant_all(&mut table, ask, now);
    assert!(table.tick() && !table.tick(), "no sender is left");
    let ask = open(&mut table, now).1.unwrap();
    assert_eq!(grant_all(&mut table, ask, now), (true, true));
}

#[test]
fn a_port_may_get_a_bound_and_lose_it() {
    let (mut table, now) = (table(), Instant::now());
    let ask = open(&mut table, now).1.unwrap();
    grant_all(&mut table, ask, now);
    table.tick();
    let ask = is_open(&mut table, now).1.unwrap();
    assert_eq!(grant(&mut table, ask, 2, now), 2);
    let ask = send(&mut table, now).unwrap();
    assert_eq!(grant_all(&mut table, ask, now), (true, false));
    assert!(is_open(&mut table, now).0.is_some());
}

/// A report of one connection is not valid on the next one.
#[test]
fn another_connection_is_asked_first() {
    let (mut table, now) = (table(), Instant::now());
    let ticks = table.ticks();
    let ask = open(&mut table, now).1.unwrap();
    grant_all(&mut table, ask, now);
    let told = is_open(&mut table, now).0.unwrap();
    assert!(table.begin(ConnId(2), true).is_empty());
    assert!(ticks.load(Ordering::Relaxed) > told);
    assert_eq!(open(&mut table, now).1.map(|ask| ask.conn), Some(ConnId(2)));
}

#[test]
fn idle_ports_without_a_bound_are_forgotten() {
    let (mut table, now) = (table(), Instant::now());
    for n in 0..FEW {
        let name = n.to_string();
        let (_, ask) = table.account(&name, now);
        let (ask, _) = ask.unwrap();
        table.granted(&name, ask, None, now).unwrap();
    }
    table.tick();
    drop(table.account("p", now));
    assert_eq!(table.ports.len(), FEW + 1);
    table.tick();
    (0..FEW).for_each(|n| drop(table.account(&format!("q{n}"), now)));
    assert!(table.ports.contains_key("p") && !table.ports.contains_key("0"));
}
