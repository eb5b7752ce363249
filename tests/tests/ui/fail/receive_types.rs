use aemp::{Inbox, receive};

struct Secret;

async fn not_serde(inbox: Inbox) {
    receive! { inbox,
        ("add", secret: Secret) => drop(secret),
    }
}

async fn no_condition(inbox: Inbox) {
    receive! { inbox,
        ("add", n: u8) if n => drop(n),
    }
}

async fn no_inbox(inbox: String) {
    receive! { inbox,
        ("add") => (),
    }
}

fn outside(inbox: Inbox) {
    receive! { inbox,
        ("add") => (),
    }
}

fn main() {}
