//! A program that is configured by the file, and uses a greeter.

use aemp::{Node, db::Pick, protocol};

#[protocol]
trait Greeter {
    fn greet(&self, name: String) -> String;
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::builder().profile("tool").start().await?;
    let greeters = node.pool::<GreeterRef>("greeters")?;
    let greeter = greeters.wait(Pick::Random).await?;
    println!("{}", greeter.greet("Ann".into()).await?);
    Ok(())
}
