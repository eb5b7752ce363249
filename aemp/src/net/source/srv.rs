//! Seeds that stand for SRV records (RFC 2782). The system's look-ups know no such records, so this needs a resolver of its
//! own (feature `srv`, off by default).

mod order;

use hickory_resolver::{
    TokioResolver,
    proto::rr::{RData, rdata::SRV},
};
use tokio::task::spawn_blocking;

use self::order::Record;
use aemp_proto::Random;

/// The targets of the name's records (`host:port`), in the order in which they are to be tried.
pub(super) async fn look_up(name: &str) -> Result<Vec<String>, String> {
    // This reads files, which block, and which may have changed since the last time.
    let system = spawn_blocking(system).await;
    let resolver = system.map_err(|error| error.to_string())??;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
    ask(&resolver, name, &mut Random::new(seed)).await
}

/// A resolver with the system's name servers and time-outs.
fn system() -> Result<TokioResolver, String> {
    let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
        // The resolver is used once.
        builder.options_mut().cache_size = 0;
        builder.build()
    });
    resolver.map_err(|error| format!("the system's name servers are unknown: {error}"))
}

async fn ask(
    resolver: &TokioResolver,
    name: &str,
    random: &mut Random,
) -> Result<Vec<String>, String> {
    let found = match resolver.srv_lookup(name).await {
        Ok(found) => found,
        Err(error) if error.is_nx_domain() => return Err("there is no such name".into()),
        Err(error) if error.is_no_records_found() => return Err("it has no SRV records".into()),
        Err(error) => return Err(error.to_string()),
    };
    let records = found.answers().iter();
    let records = records.filter_map(|record| match &record.data {
        RData::SRV(srv) => Some(record_of(srv)),
        _ => None,
    });
    Ok(order::targets(records.collect(), random))
}

fn record_of(srv: &SRV) -> Record {
    Record {
        priority: srv.priority,
        weight: srv.weight,
        port: srv.port,
        target: srv.target.to_ascii(),
    }
}

#[cfg(test)]
mod tests;
