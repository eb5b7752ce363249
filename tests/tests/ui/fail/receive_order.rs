use aemp::{Inbox, receive};

async fn all_at_once(inbox: Inbox) {
    receive! { inbox,
        ("rest", rest @ .., n: u8) => drop((rest, n)),
        other => drop(other),
        ("never") => (),
        after std::time::Duration::ZERO => (),
        ("late") => (),
        after std::time::Duration::MAX => (),
    }
}

fn main() {}
