//! Errors that are answers, and errors that kill.

use std::{fmt, io, time::Duration};

use aemp::{Args, CallError, Node, Reason, Reply, args, msg, port, protocol, spawnable};
use serde::{Deserialize, Serialize};

use crate::{death, last_words, node};

/// An error that travels. It has no text, so nothing could die of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Overdrawn {
    Empty,
    By(u64),
    Limit { most: u64, why: String },
}

/// An error that kills. It cannot travel.
#[derive(Debug)]
struct Broken(&'static str);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Ways to hide a `Result`.
mod spelled {
    pub(super) type Whole = std::result::Result<u64, super::Overdrawn>;
    pub(super) type Result<T> = std::result::Result<T, super::Overdrawn>;
    /// With the error first.
    pub(super) type Backwards<E, T> = std::result::Result<T, E>;
    pub(super) type Breaks<E> = std::result::Result<u64, E>;
}

struct Account(u64);

#[port]
impl Account {
    #[rcv]
    fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn> {
        match (self.0, amount) {
            (0, _) => Err(Overdrawn::Empty),
            (_, 1000..) => Err(Overdrawn::Limit {
                most: 999,
                why: "limit".into(),
            }),
            (has, _) if has < amount => Err(Overdrawn::By(amount - has)),
            _ => {
                self.0 -= amount;
                Ok(self.0)
            }
        }
    }

    #[rcv]
    fn whole(&mut self, amount: u64) -> spelled::Whole {
        self.withdraw(amount)
    }

    #[rcv]
    fn short(&mut self, amount: u64) -> spelled::Result<u64> {
        self.withdraw(amount)
    }

    #[rcv]
    fn backwards(&mut self, amount: u64) -> spelled::Backwards<Overdrawn, u64> {
        self.withdraw(amount)
    }

    #[rcv]
    fn check(&self, amount: u64) -> Result<(), Overdrawn> {
        if amount > self.0 {
            return Err(Overdrawn::By(amount - self.0));
        }
        Ok(())
    }

    #[rcv]
    async fn waits(&mut self, amount: u64) -> Result<Vec<u8>, String> {
        tokio::task::yield_now().await;
        if amount > self.0 {
            return Err("too much".into());
        }
        Ok(vec![1])
    }
}

#[spawnable]
fn account(has: u64) -> Account {
    Account(has)
}

struct Fragile;

#[port]
impl Fragile {
    #[rcv(try)]
    fn answer(&self, n: u64) -> Result<u64, Broken> {
        if n == 0 { Err(Broken("zero")) } else { Ok(n) }
    }

    #[rcv(try)]
    fn aliased(&self, n: u64) -> spelled::Breaks<Broken> {
        self.answer(n)
    }

    #[rcv(try)]
    fn backwards(&self, n: u64) -> spelled::Backwards<Broken, u64> {
        self.answer(n)
    }

    #[rcv("a tag", try)]
    fn tagged(&self) -> io::Result<u64> {
        Err(io::Error::other("no disk"))
    }

    #[rcv(tag = "confirmed", try)]
    fn confirm(&self, n: u64) -> Result<(), Broken> {
        self.answer(n).map(drop)
    }

    #[rcv(try, send)]
    fn tell(&self, n: u64) -> Result<(), Broken> {
        self.answer(n).map(drop)
    }

    #[rcv(try)]
    fn later(&self, n: u64, reply: Reply<u64>) -> Result<(), Broken> {
        let n = self.answer(n)?;
        reply.send(n);
        Ok(())
    }

    #[rcv(try)]
    async fn waits(&self, n: u64, reply: Reply<u64>) -> Result<(), Broken> {
        tokio::task::yield_now().await;
        self.later(n, reply)
    }

    #[rcv(try)]
    fn reason(&self) -> Result<u64, Reason> {
        Err(Reason::new(args!["retired", 65, vec![1, 2]]))
    }

    #[rcv(try, send)]
    fn end(&self) -> Result<(), Reason> {
        Err(Reason::normal())
    }

    #[rcv(default, try)]
    fn other(&self, tag: &str, args: Args) -> Result<(), String> {
        if args.is_empty() {
            Err(format!("nothing with {tag}"))
        } else {
            Ok(())
        }
    }
}

#[spawnable]
fn fragile(works: bool) -> Result<Fragile, Reason> {
    if works {
        Ok(Fragile)
    } else {
        Err(Reason::new(args!["not today", 1]))
    }
}

/// An [`Account`], as a program sees it that does not have it.
#[protocol]
trait Bank {
    fn withdraw(&self, amount: u64) -> Result<u64, Overdrawn>;
    fn check(&self, amount: u64) -> Result<(), Overdrawn>;
}

/// Everything that an account can say, which is the same from anywhere.
async fn everything(account: &AccountRef) {
    assert_eq!(account.withdraw(3).await.unwrap(), Ok(7));
    assert_eq!(account.withdraw(9).await.unwrap(), Err(Overdrawn::By(2)));
    assert_eq!(account.whole(9).await.unwrap(), Err(Overdrawn::By(2)));
    assert_eq!(account.short(9).await.unwrap(), Err(Overdrawn::By(2)));
    assert_eq!(account.backwards(9).await.unwrap(), Err(Overdrawn::By(2)));
    assert_eq!(account.short(1).await.unwrap(), Ok(6));
    assert_eq!(account.check(6).await.unwrap(), Ok(()));
    assert_eq!(account.check(7).await.unwrap(), Err(Overdrawn::By(1)));
    assert_eq!(account.waits(1).await.unwrap(), Ok(vec![1]));
    assert_eq!(account.waits(7).await.unwrap(), Err("too much".into()));
    let limit = Overdrawn::Limit {
        most: 999,
        why: "limit".into(),
    };
    assert_eq!(account.withdraw(1000).await.unwrap(), Err(limit));
    assert_eq!(account.withdraw(6).await.unwrap(), Ok(0));
    assert_eq!(account.withdraw(6).await.unwrap(), Err(Overdrawn::Empty));
}

async fn two_nodes(format: &str) -> (Node, Node) {
    let there = Node::builder()
        .node_id("there")
        .secret("errors")
        .framing_format([format])
        .bind("127.0.0.1:0");
    let there = there.start().await.unwrap();
    let here = Node::builder()
        .node_id("here")
        .secret("errors")
        .framing_format([format])
        .seed(there.listeners().remove(0));
    let here = here.start().await.unwrap();
    here.until_up("there").await;
    (here, there)
}

#[tokio::test]
async fn an_error_is_an_answer() {
    everything(&node().port(Account(10))).await;
}

#[tokio::test]
async fn an_error_is_an_answer_in_every_format() {
    for format in ["json", "cbor", "postcard/1"] {
        let (here, there) = two_nodes(format).await;
        let far = account::on(&here, "there", 10);
        everything(&far).await;
        let bank: BankRef = here.handle(&far.id());
        assert_eq!(bank.withdraw(1).await.unwrap(), Err(Overdrawn::Empty));
        assert_eq!(bank.check(0).await.unwrap(), Ok(()));
        let far = fragile::on(&here, "there", true);
        assert_eq!(far.answer(2).await.unwrap(), 2);
        far.confirm(1).await.unwrap();
        let CallError::Died(reason) = far.reason().await.unwrap_err() else {
            panic!("it should have died");
        };
        assert_eq!(reason.into_values(), args!["retired", 65, vec![1, 2]]);
        here.stop().await;
        there.stop().await;
    }
}

#[tokio::test]
async fn untyped_callers_see_the_serde_form_of_a_result() {
    let node = node();
    let account = node.port(Account(10));
    let answer = node.cal(&account.id(), msg!["withdraw", 11]).await.unwrap();
    assert_eq!(
        serde_json::to_value(&answer).unwrap(),
        serde_json::json!([{ "Err": { "By": 1 } }])
    );
    let answer = node.cal(&account.id(), msg!["check", 1]).await.unwrap();
    assert_eq!(
        serde_json::to_value(&answer).unwrap(),
        serde_json::json!([{ "Ok": null }])
    );
}

#[tokio::test]
async fn an_error_kills_if_it_is_asked_to() {
    let node = node();
    let died = async |call: aemp::Call<FragileMsg, u64>| match call.await {
        Err(CallError::Died(reason)) => reason.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(node.port(Fragile).answer(1).await.unwrap(), 1);
    assert_eq!(died(node.port(Fragile).answer(0)).await, "die zero");
    assert_eq!(node.port(Fragile).aliased(1).await.unwrap(), 1);
    assert_eq!(died(node.port(Fragile).aliased(0)).await, "die zero");
    assert_eq!(node.port(Fragile).backwards(1).await.unwrap(), 1);
    assert_eq!(died(node.port(Fragile).backwards(0)).await, "die zero");
    assert_eq!(died(node.port(Fragile).tagged()).await, "die no disk");
    assert_eq!(node.port(Fragile).later(1).await.unwrap(), 1);
    assert_eq!(died(node.port(Fragile).later(0)).await, "die zero");
    assert_eq!(node.port(Fragile).waits(1).await.unwrap(), 1);
    assert_eq!(died(node.port(Fragile).waits(0)).await, "die zero");
}

#[tokio::test]
async fn try_and_send_and_default() {
    let node = node();
    let fragile = node.port(Fragile);
    let () = fragile.confirm(1).await.unwrap();
    let untyped = node.cal(&fragile.id(), msg!["confirmed", 1]).await.unwrap();
    assert_eq!(untyped, []);
    fragile.tell(1);
    fragile.other("tag", args![1]);
    fragile.tell(0);
    assert_eq!(last_words(&fragile).await, "zero");
    let fragile = node.port(Fragile);
    fragile.other("tag", args![]);
    assert_eq!(last_words(&fragile).await, "nothing with tag");
}

#[tokio::test]
async fn a_reason_is_kept() {
    let node = node();
    let kept = args!["retired", 65, vec![1, 2]];
    let fragile = node.port(Fragile);
    assert!(fragile.reason().await.is_err());
    assert_eq!(death(&fragile).await.into_values(), kept);
    let fragile = node.port(Fragile);
    let heard = tokio::spawn({
        let fragile = fragile.clone();
        async move { death(&fragile).await }
    });
    tokio::task::yield_now().await;
    let CallError::Died(reason) = fragile.reason().await.unwrap_err() else {
        panic!("it should have died");
    };
    assert_eq!(reason.into_values(), kept);
    assert_eq!(heard.await.unwrap().into_values(), kept);
    let fragile = node.port(Fragile);
    let heard = tokio::spawn({
        let fragile = fragile.clone();
        async move { death(&fragile).await }
    });
    tokio::task::yield_now().await;
    fragile.end();
    assert!(heard.await.unwrap().is_normal());
    // Of closures as well, and of init functions.
    let fragile = node.port(Fragile);
    let soon = Duration::from_millis(1);
    fragile.peval(move |cx| cx.after(soon, |_| Err::<(), _>(Reason::new(args!["closed", 1]))));
    assert_eq!(death(&fragile).await.into_values(), args!["closed", 1]);
    let failed = fragile::on(&node, "", false);
    assert_eq!(death(&failed).await.into_values(), args!["not today", 1]);
    let untyped = node.untyped(|_, _| Err::<(), _>(Reason::new(args!["untyped"])));
    aemp::snd!(node, untyped, "x");
    assert_eq!(death(&untyped).await.into_values(), args!["untyped"]);
}
