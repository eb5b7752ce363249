use aemp::{Cx, Inbox, spawnable};

#[spawnable]
fn blocking(inbox: Inbox) {
    drop(inbox);
}

#[spawnable]
async fn second(n: u8, inbox: Inbox) {
    drop((n, inbox));
}

#[spawnable]
async fn two_of_them(cx: &mut Cx<'_>, inbox: Inbox) {
    drop((cx.id(), inbox));
}

#[spawnable]
async fn lent(inbox: &Inbox) {
    inbox.recv().await;
}

#[spawnable]
async fn no_outcome(inbox: Inbox) -> u8 {
    inbox.len() as u8
}

fn main() {}
