//! A port that loads its state at the start, and saves it at the end.

use std::{fs, path::PathBuf};

use aemp::{Node, Reason, port};

// ANCHOR: account
struct Account {
    file: PathBuf,
    cents: i64,
}

#[port]
impl Account {
    #[start]
    fn load(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        if self.file.exists() {
            self.cents = fs::read_to_string(&self.file)?.parse()?;
        }
        println!("loaded {} cents", self.cents);
        Ok(())
    }

    #[stop]
    fn save(&mut self, reason: &Reason) -> std::io::Result<()> {
        let why = if reason.is_normal() {
            "a normal end"
        } else {
            reason.kind()
        };
        println!("saved {} cents: {why}", self.cents);
        fs::write(&self.file, self.cents.to_string())
    }

    #[rcv]
    fn pay(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }
}
// ANCHOR_END: account

// ANCHOR: main
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::local()?;
    let file = std::env::temp_dir().join(format!("aemp-guide-{}", std::process::id()));
    let open = || {
        let (file, cents) = (file.clone(), 0);
        node.port(Account { file, cents })
    };

    let account = open();
    account.pay(300).forget();
    account.pay(200).forget();
    account.stop();
    account.closed().await;

    let account = open();
    println!("with 50 more: {}", account.pay(50).await?);
    account.kill("the bank is closed");
    account.closed().await;

    let account = open();
    println!("and 5 more: {}", account.pay(5).await?);
    node.stop().await;
    Ok(fs::remove_file(file)?)
}
// ANCHOR_END: main
