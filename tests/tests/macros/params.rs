//! Every kind of parameter.

use aemp::{Args, Cx, NodeId, Origin, PortId, Reply, cal, msg, port, snd};
use serde::{Deserialize, Serialize};

use crate::{last_words, node};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Default)]
struct Board {
    points: Vec<Point>,
    waiting: Vec<Reply<usize>>,
}

#[port]
impl Board {
    #[rcv]
    fn put(&mut self, point: Point, mut copies: u8) {
        while copies > 0 {
            self.points.push(point.clone());
            copies -= 1;
        }
    }

    #[rcv]
    fn find(&self, (x, y): (i32, i32), _: bool, _unused: Option<i64>) -> Option<Point> {
        self.points
            .iter()
            .find(|point| **point == Point { x, y })
            .cloned()
    }

    #[rcv]
    fn me(&self, cx: &mut Cx<'_>) -> PortId {
        cx.id()
    }

    #[rcv]
    fn me_again(&self, prefix: String, cx: &Cx<'_>) -> String {
        format!("{prefix}{}", cx.id())
    }

    #[rcv]
    fn whence(&self, origin: Origin) -> String {
        match origin {
            Origin::Local => "here".into(),
            Origin::Node(node) => NodeId::to_string(&node),
        }
    }

    #[rcv]
    fn both(&self, cx: &mut Cx<'_>, origin: Origin, n: u8) -> bool {
        n == 1 && cx.origin() == Some(origin)
    }

    #[rcv]
    fn many(&self, first: i64, #[rest] rest: Args) -> String {
        let rest: Vec<String> = rest
            .iter()
            .filter_map(|value| value.text())
            .map(Into::into)
            .collect();
        format!("{first} and {}", rest.join(" "))
    }

    #[rcv]
    fn later(&mut self, at_least: usize, reply: Reply<usize>) {
        if self.points.len() >= at_least {
            reply.send(self.points.len());
        } else {
            self.waiting.push(reply);
        }
    }

    #[rcv]
    fn later_with_rest(&mut self, #[rest] rest: Args, reply: Reply<usize>) {
        reply.send(rest.len());
    }

    #[rcv]
    fn now(&mut self) {
        for reply in self.waiting.drain(..) {
            reply.send(self.points.len());
        }
    }

    #[rcv]
    fn optional(&self, a: i64, b: Option<i64>, c: Option<String>) -> String {
        format!("{a} {b:?} {c:?}")
    }

    #[rcv]
    #[expect(clippy::needless_arbitrary_self_type, reason = "it is accepted")]
    fn typed_self(self: &mut Self, n: u8) -> u8 {
        n + 1
    }
}

#[tokio::test]
async fn arguments_of_any_kind() {
    let board = node().port(Board::default());
    board.put(Point { x: 1, y: 2 }, 3);
    assert_eq!(
        board.find((1, 2), true, None).await.unwrap(),
        Some(Point { x: 1, y: 2 })
    );
    assert_eq!(board.find((2, 1), true, Some(1)).await.unwrap(), None);
    assert_eq!(board.later(3).await.unwrap(), 3);
    assert_eq!(board.typed_self(1).await.unwrap(), 2);
}

#[tokio::test]
async fn context_and_origin() {
    let board = node().port(Board::default());
    assert_eq!(board.me().await.unwrap(), board.id());
    assert_eq!(
        board.me_again("> ".into()).await.unwrap(),
        format!("> {}", board.id())
    );
    assert_eq!(board.whence().await.unwrap(), "here");
    assert!(board.both(1).await.unwrap());
}

#[tokio::test]
async fn rest_and_deferred_answers() {
    let board = node().port(Board::default());
    assert_eq!(board.many(1, msg!["a", 2]).await.unwrap(), "1 and a 2");
    assert_eq!(board.later_with_rest(msg!["a", 2]).await.unwrap(), 2);
    let later = tokio::spawn(board.later(1));
    tokio::task::yield_now().await;
    board.put(Point { x: 0, y: 0 }, 1);
    board.now();
    assert_eq!(later.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn untyped_messages_reach_the_same_handlers() {
    let node = node();
    let board = node.port(Board::default());
    snd!(node, board, "put", serde_json_point(), "2");
    assert_eq!(cal!(node, board, "later", 2).await.unwrap(), msg![2]);
    assert_eq!(
        cal!(node, board, "many", 1, "x").await.unwrap(),
        msg!["1 and x"]
    );
    assert_eq!(
        cal!(node, board, "later_with_rest", 1, "x").await.unwrap(),
        msg![2]
    );
    assert_eq!(cal!(node, board, "whence").await.unwrap(), msg!["here"]);
    assert_eq!(cal!(node, board.id(), "both", 1).await.unwrap(), msg![true]);
}

fn serde_json_point() -> aemp::Value {
    [("x", 1), ("y", 2)]
        .into_iter()
        .collect::<aemp::Map>()
        .into()
}

#[tokio::test]
async fn optional_arguments_before_a_reply_may_be_left_out() {
    let node = node();
    let board = node.port(Board::default());
    assert_eq!(
        board.optional(1, None, Some("c".into())).await.unwrap(),
        r#"1 None Some("c")"#
    );
    assert_eq!(
        cal!(node, board, "optional", 1).await.unwrap(),
        msg!["1 None None"]
    );
    assert_eq!(
        cal!(node, board, "optional", 1, 2).await.unwrap(),
        msg!["1 Some(2) None"]
    );
    let all = cal!(node, board, "optional", 1, 2, "c").await.unwrap();
    assert_eq!(all, msg![r#"1 Some(2) Some("c")"#]);
    snd!(node, board, "optional", 1, 2);
    assert_eq!(board.later(0).await.unwrap(), 0);
}

#[tokio::test]
async fn wrong_arguments_kill_the_port() {
    let node = node();
    let board = node.port(Board::default());
    snd!(node, board, "later", "three");
    let words = last_words(&board).await;
    assert!(
        words.starts_with("later: argument 1 (`at_least`): "),
        "{words}"
    );
}
