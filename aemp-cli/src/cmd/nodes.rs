//! `aemp nodes`: the nodes of the network.

mod connections;

use std::collections::BTreeMap;

use aemp::{
    Node,
    inspect::{InspectError, NodeInfo, Role},
};
use aemp_web::reference;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;
use tokio::{task::JoinSet, time::timeout_at};

use super::trace::failed;
use crate::{
    Exit,
    client::Client,
    failure::{Failure, Outcome},
    output::{self, Output},
    session::Session,
    table::{Table, bytes, duration},
};

/// The family in which every node has an entry (`aemp_proto::protocol::global`, "The database").
const NODES: &str = "'l";

pub(crate) fn command() -> Command {
    Command::new("nodes")
        .about("List the nodes of the network")
        .long_about(
            "Prints the IDs of all nodes, one a line, except the command's own node. With --long, it asks each node \
             for details and prints a table: role and master, implementation, uptime, number of ports, memory of the \
             process, and addresses. Perl nodes do not know this request. The table shows only whether they are \
             global; `?` is a node that is not (`aemp trace` finds its master).\n\nWith --connections, it asks each \
             node for its connections, and prints the wire format of both ends, and TLS. One end that is a Rust node \
             is enough; `?` is a format that neither end reports. The status is 1 if a node gives no answer.\n\nWith \
             --json: {\"id\":ID} a line, and with --long all details of the node, or \
             {\"id\":ID,\"provider\":TEXT,\"role\":\"global\" or null,\"error\":TEXT}. With --connections \
             {\"nodes\":[ID,ID],\"sends\":[FORMAT,FORMAT],\"tls\":TEXT or null,\"up\":SECONDS}.",
        )
        .after_help("Examples:\n  aemp nodes --long\n  aemp nodes --connections")
        .arg(
            Arg::new("long")
                .long("long")
                .short('l')
                .action(ArgAction::SetTrue)
                .help("Ask each node for details"),
        )
        .arg(
            Arg::new("connections")
                .long("connections")
                .short('c')
                .action(ArgAction::SetTrue)
                .conflicts_with("long")
                .help("Ask each node for the formats of its connections"),
        )
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let long = matches.get_flag("long");
    let connections = matches.get_flag("connections");
    session.with_client(async |client| {
        let nodes = nodes(client).await?;
        if connections {
            return connections::show(client, nodes).await;
        }
        if long {
            let infos = infos(client, nodes).await?;
            match client.output.is_json() {
                true => print_documents(infos)?,
                false => print_table(client.output, infos)?,
            }
            return Ok(Exit::Done);
        }
        for node in nodes {
            client.output.result(&json!({ "id": node }), &node)?;
        }
        Ok(Exit::Done)
    })
}

/// The IDs of all other nodes.
async fn nodes(client: &Client<'_>) -> Result<Vec<String>, Failure> {
    let nodes = client.node.db_keys(NODES).timeout(client.left()).await;
    let mut nodes = nodes.map_err(Failure::failed)?;
    nodes.retain(|node| node != client.node.id().as_str());
    Ok(nodes)
}

/// A node that gave no details: the reason, and the details that others know of it.
struct Silent {
    error: String,
    provider: Option<String>,
    global: bool,
}

type Infos = BTreeMap<String, Result<NodeInfo, Silent>>;

/// The details of each node.
async fn infos(client: &Client<'_>, nodes: Vec<String>) -> Result<Infos, Failure> {
    let mut asking = JoinSet::new();
    for id in nodes {
        let (node, deadline) = (client.node.clone(), client.deadline());
        let late = format!("no answer within {}", client.limit());
        asking.spawn(async move {
            let answer = timeout_at(deadline, info(&node, &id)).await;
            let late = |_| Silent {
                error: late,
                provider: None,
                global: false,
            };
            (id, answer.map_err(late).flatten())
        });
    }
    let globals = reference::globals(&client.node, client.left()).await;
    let globals = globals.unwrap_or_default();
    let mut infos = BTreeMap::new();
    while let Some(answer) = asking.join_next().await {
        let (id, mut info) = answer.map_err(Failure::failed)?;
        if let Err(silent) = &mut info {
            // The database may still have an entry of a node that is gone.
            silent.global = silent.provider.is_some() && globals.contains(&id);
        }
        infos.insert(id, info);
    }
    Ok(infos)
}

async fn info(node: &Node, id: &str) -> Result<NodeInfo, Silent> {
    node.inspect(id).node().await.map_err(|error| match error {
        InspectError::Unknown { provider, .. } => Silent {
            error: "does not know this request".into(),
            provider,
            // The database reports it.
            global: false,
        },
        error => Silent {
            error: failed(&error),
            provider: None,
            global: false,
        },
    })
}

fn print_documents(infos: Infos) -> Result<(), Failure> {
    for (id, info) in infos {
        match info {
            Ok(info) => output::document(&info)?,
            Err(Silent {
                error,
                provider,
                global,
            }) => {
                let role = global.then_some("global");
                let document =
                    json!({ "id": id, "provider": provider, "role": role, "error": error });
                output::document(&document)?;
            }
        }
    }
    Ok(())
}

fn print_table(output: &Output, infos: Infos) -> Result<(), Failure> {
    let mut table = Table::new(&[
        "NODE",
        "ROLE",
        "MASTER",
        "PROVIDER",
        "UP",
        "PORTS",
        "MEMORY",
        "LISTENS ON",
    ]);
    for (id, info) in infos {
        table.row(match info {
            Ok(info) => vec![
                id,
                info.role.map(role).unwrap_or_default().into(),
                info.master.unwrap_or_default(),
                info.provider,
                duration(info.uptime),
                info.ports.to_string(),
                info.memory.map(bytes).unwrap_or_default(),
                info.listeners.join(" "),
            ],
            Err(Silent {
                error,
                provider,
                global,
            }) => {
                let shown = provider.unwrap_or_else(|| format!("({error})"));
                let role = if global { "global" } else { "?" };
                vec![id, role.into(), String::new(), shown]
            }
        });
    }
    table.print(output)
}

/// A node's role, as one word.
fn role(role: Role) -> &'static str {
    match role {
        Role::Global => "global",
        Role::Slave => "slave",
        Role::Searching => "searching",
        Role::Alone => "alone",
        _ => "?",
    }
}
