//! An `aemp` command with an init function of ours.

use aemp::{Cx, DbError, port, spawnable};

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

#[spawnable(name = "Guide::greeter")]
fn greeter(cx: &mut Cx<'_>, greeting: String) -> Result<Greeter, DbError> {
    cx.node().db_reg("greeters", &cx.id(), &greeting)?;
    Ok(Greeter { greeting })
}

fn main() {
    aemp_cli::main()
}
