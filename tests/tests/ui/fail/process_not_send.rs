use std::rc::Rc;

use aemp::Node;

fn start(node: &Node) {
    node.process(|inbox| async move {
        let held = Rc::new(1);
        inbox.recv().await;
        drop(held);
    });
}

fn main() {}
