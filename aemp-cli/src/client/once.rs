//! A client for one command.

use super::{Client, join::join, limit::Limit};
use crate::{
    failure::{Failure, Outcome},
    network::Network,
    options::Options,
    output::Output,
};

/// Joins the network, runs the work of a command, and leaves the network.
pub(crate) fn once(
    network: Network,
    options: &Options,
    output: &Output,
    job: impl AsyncFnOnce(&Client<'_>) -> Outcome,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    runtime.block_on(async {
        let limit = Limit::of(options.timeout());
        let client = Client {
            node: join(network, output, limit).await?,
            output,
            stays: false,
            limit,
        };
        let outcome = job(&client).await;
        client.node.stop().await;
        outcome
    })
}
