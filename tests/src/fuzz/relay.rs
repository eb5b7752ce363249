//! Three whole nodes that trust each other, and a member that none of them trusts. For every packet that the member sends or has
//! relayed, nothing is done in the name of one of the three.
//!
//! The input is a script of lines. The first octet of a line selects the node that the member sends to. The rest is a
//! packet in JSON, port first. Some texts in it have a meaning: `$a`, `$b`, `$c` are the IDs of ports that answer with
//! their message, `$A`, `$B`, `$C` the IDs of ports that pass their message on, the same with `%` only their names, and
//! `$m` the member's own port.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aemp::{
    Args, Cx, Handle, Node, Origin, PortId, UntypedMsg, Value, args, db::DbEntry, sim::Sim,
};

/// The number of lines of a script that count.
const MOST_LINES: usize = 60;
const HONEST: [&str; 3] = ["a", "b", "c"];
const SECRET: &str = "between friends";

type Calls = Arc<Mutex<Vec<(&'static str, Origin)>>>;

pub(super) fn run(bytes: &[u8]) -> usize {
    let mut network = Network::new();
    let mut sent = 0;
    for line in bytes.split(|&byte| byte == b'\n').take(MOST_LINES) {
        sent += usize::from(network.send(line));
    }
    network.sim.run_for(Duration::from_secs(2));
    network.check();
    sent
}

/// An honest node, with its entries in the database.
struct Honest {
    node: Node,
    answers: Handle<UntypedMsg>,
    passes: Handle<UntypedMsg>,
    _entry: DbEntry,
}

struct Network {
    sim: Sim,
    honest: Vec<Honest>,
    member: Node,
    inbox: PortId,
    /// Functions that were called, and in whose name.
    calls: Calls,
    /// Monitors that have fired although their ports live.
    lies: Arc<AtomicUsize>,
}

impl Network {
    fn new() -> Self {
        let mut sim = Sim::new(1);
        let calls = Calls::default();
        let honest: Vec<_> = HONEST
            .iter()
            .map(|&id| Honest::start(&mut sim, id, &calls))
            .collect();
        let member = Node::builder().node_id("m").secret(SECRET);
        let member = HONEST
            .iter()
            .fold(member, |member, id| member.seed(format!("{id}:4040")));
        let member = sim.start(member).expect("a member");
        let inbox = member.untyped(|_: &mut Cx<'_>, _: Args| ()).id();
        let all_up = || HONEST.iter().all(|id| member.node_is_up(id) == Some(true));
        assert!(sim.run_until(Duration::from_secs(60), all_up));
        let lies = Arc::default();
        for watching in &honest {
            for watched in &honest {
                watch(watching, watched, &lies);
            }
        }
        sim.run_for(Duration::from_secs(1));
        Self {
            sim,
            honest,
            member,
            inbox,
            calls,
            lies,
        }
    }

    /// The member sends a line of the script.
    fn send(&mut self, line: &[u8]) -> bool {
        let Some((which, packet)) = line.split_first() else {
            return false;
        };
        let to = &self.honest[usize::from(*which) % self.honest.len()];
        let Ok(packet) = serde_json::from_slice::<Vec<serde_json::Value>>(packet) else {
            return false;
        };
        let mut values = packet
            .iter()
            .map(|value| aemp_codec::to_value(value).unwrap_or_default());
        let Some(port) = values.next() else {
            return false;
        };
        let port = self.resolved(port).text().unwrap_or_default().into_owned();
        let message: Vec<_> = values.map(|value| self.resolved(value)).collect();
        let port = PortId::new(to.node.id(), &port);
        let sent = self.member.snd(&port, message).check().is_ok();
        self.sim.run_for(Duration::from_millis(20));
        sent
    }

    /// The value that a text stands for.
    fn resolved(&self, value: Value) -> Value {
        let Some(text) = value.as_str() else {
            return value;
        };
        let mut chars = text.chars();
        let (Some(kind @ ('$' | '%')), Some(letter), None) =
            (chars.next(), chars.next(), chars.next())
        else {
            return value;
        };
        let honest = HONEST
            .iter()
            .position(|id| id.starts_with(letter.to_ascii_lowercase()));
        let port = match honest.map(|at| &self.honest[at]) {
            None if letter == 'm' => self.inbox.clone(),
            None => return value,
            Some(honest) if letter.is_ascii_uppercase() => honest.passes.id(),
            Some(honest) => honest.answers.id(),
        };
        match kind {
            '$' => port.as_str().into(),
            _ => port.name().into(),
        }
    }

    fn check(&mut self) {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(calls.is_empty(), "done in the name of another: {calls:?}");
        drop(calls);
        assert_eq!(self.lies.load(Ordering::Relaxed), 0, "a death was forged");
        for honest in &self.honest {
            assert!(honest.node.has_ended().is_none());
            let keys = self.sim.block_on(honest.node.db_keys("family"));
            let keys = keys.expect("the network answers");
            for id in HONEST {
                assert!(keys.iter().any(|key| key == id), "{id} is not in {keys:?}");
            }
        }
    }
}

impl Honest {
    /// The other honest nodes may run every function here, and no other node may.
    fn start(sim: &mut Sim, id: &'static str, calls: &Calls) -> Self {
        let others = HONEST.iter().filter(|other| **other != id);
        let mut builder = Node::builder()
            .node_id(id)
            .secret(SECRET)
            .bind("*:4040")
            .allow(id, "*");
        for other in others {
            builder = builder.seed(format!("{other}:4040")).allow(*other, "*");
        }
        let (called, spawned) = (Arc::clone(calls), Arc::clone(calls));
        let note = move |calls: &Calls, origin| {
            let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push((id, origin));
        };
        builder = builder.function("Fuzz::call", move |origin, _| note(&called, origin));
        builder = builder.init("Fuzz::spawn", move |cx: &mut Cx<'_>, _: Args| {
            if let Some(origin) = cx.origin() {
                note(&spawned, origin);
            }
        });
        let node = sim.start(builder).expect("an honest node");
        let answers = node.untyped(|cx: &mut Cx<'_>, mut message: Args| {
            if let Some(to) = message.pop().and_then(|to| PortId::parse(&to.text()?).ok()) {
                cx.node().snd(&to, message);
            }
        });
        let passes = node.untyped(|cx: &mut Cx<'_>, mut message: Args| {
            if message.is_empty() {
                return;
            }
            let to = message.remove(0);
            if let Some(to) = to.text().and_then(|to| PortId::parse(&to).ok()) {
                cx.node().snd(&to, message.clone());
                cx.after_snd(Duration::from_millis(1), &to, message.clone());
                let other = cx.node().empty_port();
                cx.node()
                    .mon_snd(&other.id(), &to, message.clone())
                    .detach();
                other.kill(());
                drop(cx.node().cal(&to, message));
            }
        });
        Self {
            answers,
            passes,
            _entry: node.db_set("family", id, args![1]).expect("a good key"),
            node,
        }
    }
}

/// Has a node monitor the port of another, which only its own death, or the loss of its node, may end.
fn watch(watching: &Honest, watched: &Honest, lies: &Arc<AtomicUsize>) {
    let (lies, port) = (Arc::clone(lies), watched.answers.clone());
    let told = move |_: &aemp::Reason| {
        // A member may kill any port, and then it is dead.
        let lives = port.queue_len().is_some();
        lies.fetch_add(usize::from(lives), Ordering::Relaxed);
    };
    watching.node.mon(&watched.answers.id(), told).detach();
}
