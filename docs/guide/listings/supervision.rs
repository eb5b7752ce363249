//! A supervisor starts a port again when it dies, and a handle follows it.

use aemp::{
    Node, port,
    supervisor::{Restart, Supervisor},
};

struct Till {
    cents: i64,
}

#[port]
impl Till {
    #[rcv(try)]
    fn pay(&mut self, cents: i64) -> Result<i64, String> {
        self.cents = self.cents.checked_add(cents).ok_or("too much money")?;
        Ok(self.cents)
    }
}

// ANCHOR: main
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::local()?;
    let shop = Supervisor::builder()
        .child("till", Restart::Permanent, |node| {
            node.port(Till { cents: 0 })
        })
        .start(&node);
    shop.ready().await?;

    let till = shop.follow::<TillRef>("till").await?;
    let first = till.wait().await?;
    println!("paid: {}", first.pay(5).await?);
    if let Err(error) = first.pay(i64::MAX).await {
        println!("{error}");
    }

    let cents = till.call(|till| till.pay(7)).retry(3).await?;
    println!("paid into the next till: {cents}");
    for child in shop.children().await? {
        println!("{} has been restarted {} times", child.name, child.restarts);
    }

    shop.shutdown().await?;
    Ok(())
}
// ANCHOR_END: main
