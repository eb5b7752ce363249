//! Every kind of return type, waiting or not.

use std::{fmt, io, time::Duration};

use aemp::{CallError, Cx, port};

use crate::{last_words, node};

/// The error of some handlers.
#[derive(Debug)]
struct Refused(u8);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused {}", self.0)
    }
}

mod aliases {
    pub(super) type Result<T> = std::result::Result<T, super::Refused>;
    pub(super) mod plain {
        pub(in super::super) type Result = std::result::Result<u8, super::super::Refused>;
    }
}

#[derive(Default)]
struct Clerk {
    seen: u32,
}

#[port]
impl Clerk {
    #[rcv]
    fn nothing(&mut self) {
        self.seen += 1;
    }

    #[rcv]
    #[expect(clippy::unused_unit, reason = "it is accepted")]
    fn unit(&mut self) -> () {
        self.seen += 1;
    }

    /// Its caller waits.
    #[rcv(call)]
    fn done(&mut self, cx: &mut Cx<'_>) {
        assert!(cx.deadline().is_none());
        self.seen += 1;
    }

    #[rcv(call)]
    async fn waited(&mut self) -> () {
        tokio::task::yield_now().await;
        self.seen += 1;
    }

    #[rcv(call, concurrent = 2)]
    async fn beside() {
        tokio::task::yield_now().await;
    }

    #[rcv(call)]
    fn fails(&self) {
        panic!("no answer")
    }

    #[rcv]
    fn seen(&self) -> u32 {
        self.seen
    }

    #[rcv]
    fn tuple(&self) -> (u32, String) {
        (self.seen, "seen".into())
    }

    #[rcv(try)]
    fn checked(&self, n: u8) -> Result<u8, Refused> {
        if n > 9 { Err(Refused(n)) } else { Ok(n) }
    }

    #[rcv(try)]
    fn aliased(&self, n: u8) -> aliases::Result<u8> {
        self.checked(n)
    }

    #[rcv(try)]
    fn plain_alias(&self, n: u8) -> aliases::plain::Result {
        self.checked(n)
    }

    #[rcv(try)]
    fn io(&self) -> io::Result<u8> {
        Err(io::Error::other("no disk"))
    }

    #[rcv(try, send)]
    fn may_fail(&mut self, n: u8) -> Result<(), String> {
        self.seen += 1;
        if n > 9 {
            Err(format!("{n} is too many\n"))
        } else {
            Ok(())
        }
    }

    #[rcv]
    fn not_by_name(&self) -> Option<Self> {
        None
    }

    #[rcv]
    fn never(&self) -> ! {
        panic!("as promised")
    }

    #[rcv]
    async fn wait(&mut self, ms: u64) -> u32 {
        let before = self.seen;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        assert_eq!(before, self.seen, "one message at a time");
        self.seen
    }

    #[rcv(try)]
    async fn wait_and_fail(&mut self, cx: &mut Cx<'_>, text: String) -> Result<u8, String> {
        tokio::task::yield_now().await;
        assert!(cx.node().port_is_local(&cx.id()));
        Err(text)
    }

    #[rcv]
    async fn wait_for_nothing(&mut self) {
        tokio::task::yield_now().await;
        self.seen += 10;
    }
}

impl serde::Serialize for Clerk {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.seen.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Clerk {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(|seen| Self { seen })
    }
}

#[tokio::test]
async fn values_are_answers() {
    let clerk = node().port(Clerk::default());
    clerk.nothing();
    clerk.unit();
    assert_eq!(clerk.seen().await.unwrap(), 2);
    assert_eq!(clerk.tuple().await.unwrap(), (2, "seen".to_owned()));
    assert_eq!(clerk.checked(9).await.unwrap(), 9);
    assert_eq!(clerk.aliased(8).await.unwrap(), 8);
    assert_eq!(clerk.plain_alias(7).await.unwrap(), 7);
    assert!(clerk.not_by_name().await.unwrap().is_none());
    assert_eq!(Clerk::default().checked(1).unwrap(), 1);
}

#[tokio::test]
async fn nothing_is_an_answer_as_well() {
    let node = node();
    let clerk = node.port(Clerk::default());
    let () = clerk.done().await.unwrap();
    let () = clerk.waited().await.unwrap();
    let () = clerk.beside().await.unwrap();
    assert_eq!(clerk.seen().await.unwrap(), 2);
    clerk.done().forget();
    assert_eq!(clerk.seen().await.unwrap(), 3);
    // Untyped callers get an answer without values.
    let answer = aemp::cal!(node, clerk, "done").await.unwrap();
    assert!(answer.is_empty());
    let Err(CallError::Died(reason)) = clerk.fails().await else {
        panic!("the port should have died");
    };
    assert_eq!(reason.to_string(), "die no answer");
}

#[tokio::test]
async fn errors_kill_the_port_and_the_caller_gets_the_reason() {
    let node = node();
    let clerk = node.port(Clerk::default());
    let Err(CallError::Died(reason)) = clerk.checked(10).await else {
        panic!("the port should have died");
    };
    assert_eq!(reason.to_string(), "die refused 10");
    let clerk = node.port(Clerk::default());
    clerk.may_fail(3);
    clerk.may_fail(30);
    assert_eq!(last_words(&clerk).await, "30 is too many");
    let clerk = node.port(Clerk::default());
    let error = clerk.io().await.unwrap_err();
    assert_eq!(
        error.reason().map(ToString::to_string).as_deref(),
        Some("die no disk")
    );
    let clerk = node.port(Clerk::default());
    clerk.never();
    assert_eq!(last_words(&clerk).await, "as promised");
}

#[tokio::test]
async fn waiting_handlers_take_turns_with_the_others() {
    let clerk = node().port(Clerk::default());
    clerk.wait_for_nothing();
    let waiting = tokio::spawn(clerk.wait(5));
    tokio::task::yield_now().await;
    clerk.nothing();
    assert_eq!(clerk.seen().await.unwrap(), 11);
    assert_eq!(waiting.await.unwrap().unwrap(), 10);
    let error = clerk.wait_and_fail("enough".into()).await.unwrap_err();
    assert_eq!(error.to_string(), "the port died: die enough");
}
