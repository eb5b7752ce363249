//! A network to look at: five nodes in one process, with traffic and faults, for `aemp observe --demo`.
//!
//! - `paris` and `oslo` are seeds, so they are global. `lima`, `rome` and `cairo` are their slaves.
//! - A `Guest` of each node is hungry again and again, and orders at the `Desk` of the next node. That calls its `Kitchen`, which
//!   takes its time, and fetches from the `Cellar` of `paris`. Each order is written into the `Book` of `paris`, by a one-way
//!   message. So a sampled trace leads over three nodes.
//! - A supervisor on `rome` has a child that fails every few seconds.
//! - Two `Clerk`s, on `oslo` and `lima`, stamp forms every half minute, and need each other's signature. Both wait for the other, until
//!   their patience ends.
//! - `cairo` stops for ten seconds in every forty.
//! - Each node has an entry in the family `menu`.

use std::{convert::Infallible, time::Duration};

use aemp::{
    Cx, Node, NodeBuilder, PortId, StartError, Value, port,
    supervisor::{Builder, Restart, Supervisor},
};
use tokio::{task::JoinSet, time::sleep};

/// The time for which `cairo` is there, and away.
const THERE: Duration = Duration::from_secs(30);
const AWAY: Duration = Duration::from_secs(10);
/// The time for which a clerk waits for the other, and the pause between two forms.
const PATIENCE: Duration = Duration::from_secs(12);
const FORMS: Duration = Duration::from_secs(30);
/// The pause between two orders of a node.
const PAUSE: Duration = Duration::from_millis(40);

/// Orders at the desk of another node.
struct Guest {
    desk: DeskRef,
}

#[port]
impl Guest {
    #[rcv]
    async fn hungry(&mut self, dish: String) -> bool {
        let order = self.desk.order(dish).timeout(Duration::from_secs(2));
        order.await.is_ok()
    }
}

/// Takes orders from other nodes.
struct Desk {
    kitchen: KitchenRef,
    book: BookRef,
    taken: u64,
}

#[port]
impl Desk {
    #[rcv]
    async fn order(&mut self, dish: String) -> u64 {
        self.book.enter(dish.clone());
        // A kitchen that has ended cooks nothing.
        let _ = self.kitchen.cook(dish).await;
        self.taken += 1;
        self.taken
    }
}

/// Works, and is sometimes behind.
struct Kitchen {
    cellar: CellarRef,
    cooked: u64,
}

#[port]
impl Kitchen {
    #[rcv]
    async fn cook(&mut self, dish: String) -> u64 {
        self.cooked += 1;
        let _ = self.cellar.fetch(dish.clone()).await;
        let is_slow = self.cooked.is_multiple_of(50);
        sleep(Duration::from_millis(if is_slow { 400 } else { 5 })).await;
        dish.len() as u64
    }
}

/// Has what every kitchen needs.
struct Cellar;

#[port]
impl Cellar {
    #[rcv]
    async fn fetch(&self, dish: String) -> u64 {
        sleep(Duration::from_millis(2)).await;
        dish.len() as u64
    }
}

/// Has a line for each order.
struct Book {
    lines: u64,
}

#[port]
impl Book {
    #[rcv]
    fn enter(&mut self, _dish: String) {
        self.lines += 1;
    }
}

/// Stamps a form when the other clerk has signed it.
struct Clerk {
    other: Option<ClerkRef>,
}

#[port]
impl Clerk {
    #[rcv]
    fn meet(&mut self, other: ClerkRef) {
        self.other = Some(other);
    }

    #[rcv]
    fn sign(&self, form: u64) -> u64 {
        form
    }

    #[rcv]
    async fn stamp(&self, form: u64) -> bool {
        match &self.other {
            Some(other) => other.sign(form).timeout(PATIENCE).await.is_ok(),
            None => true,
        }
    }
}

/// A child that does not live long.
struct Waiter {
    lives: Duration,
}

#[port]
impl Waiter {
    #[start]
    fn begin(&mut self, cx: &mut Cx<'_>) {
        cx.after_with(self.lives, |_: &mut Self, cx| {
            cx.kill(vec![Value::from("die"), "dropped a glass".into()]);
        });
    }
}

/// Runs the network until the future is dropped. `ready` gets the address of a node that knows all others.
///
/// # Errors
///
/// A node could not be started, for example because there is no loopback interface.
pub async fn run(ready: impl FnOnce(&str)) -> Result<Infallible, StartError> {
    let paris = node("paris").start().await?;
    let address = paris.listeners().first().cloned().unwrap_or_default();
    let mut nodes = vec![paris];
    for name in ["oslo", "lima", "rome"] {
        let node = node(name).seed(&address);
        let node = match name {
            "oslo" => node.global(true),
            _ => node,
        };
        nodes.push(node.start().await?);
    }
    let store = Store {
        cellar: nodes[0].port(Cellar).id(),
        book: nodes[0].port(Book { lines: 0 }).id(),
    };
    let mut work = JoinSet::new();
    for (at, node) in nodes.iter().enumerate() {
        let next = &nodes[(at + 1) % nodes.len()];
        offer(node, "soup");
        work.spawn(order(node.clone(), desk(next, &store)));
    }
    let _supervisor = supervisor().start(&nodes[3]);
    work.spawn(forms(nodes[1].clone(), nodes[2].clone()));
    ready(&address);
    loop {
        let cairo = node("cairo").seed(&address).start().await?;
        offer(&cairo, "dates");
        let desk = desk(&cairo, &store);
        let orders = tokio::spawn(order(nodes[0].clone(), desk));
        sleep(THERE).await;
        orders.abort();
        cairo.stop().await;
        sleep(AWAY).await;
    }
}

fn node(name: &str) -> NodeBuilder {
    let node = Node::builder().node_id(name).secret("demo");
    node.bind("127.0.0.1:0")
        .connect_interval(Duration::from_millis(500))
}

/// The ports that all desks need.
struct Store {
    cellar: PortId,
    book: PortId,
}

fn desk(node: &Node, store: &Store) -> DeskRef {
    let kitchen = node.port(Kitchen {
        cellar: node.handle(&store.cellar),
        cooked: 0,
    });
    node.port(Desk {
        kitchen,
        book: node.handle(&store.book),
        taken: 0,
    })
}

/// Puts a dish on the menu. The entry goes with its node.
fn offer(node: &Node, dish: &str) {
    // The names are valid, and there is room for a few entries. It stays without its handle.
    let _ = node.db_set("menu", node.id().as_str(), dish);
}

/// A guest of this node orders again and again.
async fn order(node: Node, desk: DeskRef) {
    let guest = node.port(Guest {
        desk: node.handle(&desk.id()),
    });
    let dishes = ["soup", "rice", "dates", "fish"];
    for dish in dishes.iter().cycle() {
        if !guest.hungry((*dish).into()).await.unwrap_or(false) {
            // The desk is behind, or gone.
            sleep(Duration::from_millis(500)).await;
        }
        sleep(PAUSE).await;
    }
}

/// Gives forms to two clerks at the same time, again and again.
async fn forms(first: Node, second: Node) {
    let clerks = [&first, &second].map(|node| node.port(Clerk { other: None }));
    clerks[0].meet(first.handle(&clerks[1].id()));
    clerks[1].meet(second.handle(&clerks[0].id()));
    for form in 0.. {
        clerks
            .iter()
            .for_each(|clerk| drop(clerk.stamp(form).forget()));
        sleep(FORMS).await;
    }
}

fn supervisor() -> Builder {
    let waiter = |seconds| {
        move |node: &Node| {
            node.port(Waiter {
                lives: Duration::from_secs(seconds),
            })
        }
    };
    Supervisor::builder()
        .intensity(100, Duration::from_secs(60))
        .child("steady", Restart::Permanent, waiter(86_400))
        .child("clumsy", Restart::Permanent, waiter(7))
}
