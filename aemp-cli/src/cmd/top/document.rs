//! `aemp top --json`: the network in one document, after two rounds of questions.

use std::time::Duration;

use aemp_web::{
    collect::{Collector, News},
    document,
    network::Network,
};
use tokio::time::sleep;

use crate::{Exit, client::Client, failure::Outcome, output};

/// The time between the two rounds, from which rates are computed.
const BETWEEN: Duration = Duration::from_secs(2);

pub(super) async fn print(client: &Client<'_>) -> Outcome {
    let mut collector = Collector::new(&client.node);
    let mut network = Network::new(client.node.id().as_str());
    let rounds = async {
        round(client, &mut collector, &mut network).await;
        sleep(BETWEEN).await;
        round(client, &mut collector, &mut network).await;
    };
    client.within("no answer of all nodes", rounds).await?;
    output::document(&document::top(&network))?;
    Ok(Exit::Done)
}

/// Asks all nodes, and those that their answers name.
async fn round(client: &Client<'_>, collector: &mut Collector, network: &mut Network) {
    for node in client.node.up_nodes() {
        network.know(node.as_str(), collector.now());
    }
    collector.ask(network.names());
    while !collector.is_settled() {
        if let News::Node(report) = collector.next().await {
            let before: Vec<String> = network.names().map(str::to_owned).collect();
            network.add_report(report);
            let new = network
                .names()
                .filter(|name| before.iter().all(|known| known != name));
            collector.ask(new);
        }
    }
}
