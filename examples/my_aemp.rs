//! An `aemp` command of your own: everything that `aemp` does, with your init functions linked in.
//!
//! ```text
//! $ cargo run -p aemp-examples --example my_aemp -- profile demo secret 'between friends' nodeid demo binds 127.0.0.1:4040
//! $ cargo run -p aemp-examples --example my_aemp -- run demo services '[["My::Greeter::start", "hello"]]' &
//! $ aemp -s 127.0.0.1:4040 spawn demo My::Greeter::start 'good morning'
//! demo#4tZEQzcGlNa
//! $ aemp -s 127.0.0.1:4040 cal 'demo#4tZEQzcGlNa' greet you
//! "good morning, you!"
//! ```

use aemp::{port, spawnable};

struct Greeter {
    greeting: String,
}

#[port]
impl Greeter {
    #[rcv]
    fn greet(&self, name: String) -> String {
        format!("{}, {name}!", self.greeting)
    }
}

#[spawnable(name = "My::Greeter::start")]
fn start(greeting: String) -> Greeter {
    Greeter { greeting }
}

fn main() {
    aemp_cli::main()
}
