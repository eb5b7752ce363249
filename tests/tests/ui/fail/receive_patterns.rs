use aemp::{Inbox, receive};

async fn untyped(inbox: Inbox) {
    receive! { inbox,
        ("add", n) => drop(n),
    }
}

async fn no_parentheses(inbox: Inbox) {
    receive! { inbox,
        "add" => (),
    }
}

async fn no_tag(inbox: Inbox) {
    receive! { inbox,
        () => (),
    }
}

async fn no_inbox() {
    receive! { ("add", n: u8) => drop(n) }
}

async fn nothing(inbox: Inbox) {
    receive! { inbox, }
}

async fn a_struct(inbox: Inbox) {
    receive! { inbox,
        Add { n } => drop(n),
    }
}

fn main() {}
