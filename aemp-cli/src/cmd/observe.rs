//! `aemp observe`: the network in the browser.

use std::{fmt::Write, net::SocketAddr, pin::pin};

use aemp::Node;
use aemp_web::{Observer, demo};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    Exit,
    failure::{Failure, Outcome},
    logs,
    output::Output,
    session::Session,
    signals::Signals,
};

/// The address that is listened on by default.
const LISTEN: &str = "127.0.0.1:4041";
/// The length of a token, in bytes.
const TOKEN: usize = 16;

pub(crate) fn command() -> Command {
    Command::new("observe")
        .about("Watch the network in the browser")
        .long_about(
            "Serves pages about the whole network: the topology with the traffic, nodes, connections, ports with the rates and times of \
             their handlers, calls, supervision, the database, the log, and the latest changes. They stay up to date by themselves. The nodes need nothing for that, \
             and are asked only for an open page. Perl nodes are shown by their answers and by the reports of their \
             neighbours. The command's own node is left out. Runs until SIGINT or SIGTERM.\n\nThe pages can be seen by \
             everyone who reaches the address: on this machine by default. On another address than one of the loopback \
             interface, they are shown only with the token of the printed address. There is no encryption.\n\nEverything \
             is also JSON: /api/network, nodes, connections, ports, types, handlers, counts, running, waits, traces, supervision, \
             database, logs, changes, totals, top; with ?node=ID, ?trace=ID, or ?family=NAME for the contents of a family; \
             /api/deaths?node=ID, and /api/port and messages with ?port=ID.\n\nWith --json, the address is printed as \
             {\"address\":URL}.",
        )
        .after_help("Examples:\n  aemp observe --demo\n  aemp -s green.example:4040 observe --listen '[::1]:8080'")
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value(LISTEN)
                .value_parser(value_parser!(SocketAddr))
                .help("The address to listen on, as IP:PORT"),
        )
        .arg(
            Arg::new("actions")
                .long("actions")
                .action(ArgAction::SetTrue)
                .help("Let pages kill and spawn ports, and stop nodes"),
        )
        .arg(
            Arg::new("demo")
                .long("demo")
                .action(ArgAction::SetTrue)
                .help("Watch five nodes with traffic and faults, which the command runs itself"),
        )
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let address = matches.get_one::<SocketAddr>("listen").copied();
    let address = address.ok_or_else(|| Failure::usage("there is no address to listen on"))?;
    let actions = matches.get_flag("actions");
    if !matches.get_flag("demo") {
        return session.with_client(async |client| {
            let listener = listen(address).await?;
            serve(&client.node, client.output, listener, actions).await
        });
    }
    logs::for_nodes(&session.options, &session.output);
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::failed)?;
    runtime.block_on(async {
        // Before five nodes start for nothing.
        let listener = listen(address).await?;
        let (tell, told) = oneshot::channel();
        let mut demo = pin!(demo::run(|seed| drop(tell.send(seed.to_owned()))));
        let shown = async {
            let Ok(seed) = told.await else {
                return std::future::pending().await;
            };
            let node = Node::builder().node_id("observer").secret("demo");
            let node = node.seed(seed).start().await.map_err(Failure::failed)?;
            let outcome = serve(&node, &session.output, listener, actions).await;
            node.stop().await;
            outcome
        };
        tokio::select! {
            Err(error) = &mut demo => Err(Failure::failed(error)),
            outcome = shown => outcome,
        }
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let unusable = |error| Failure::failed(format_args!("cannot listen on {address}: {error}"));
    TcpListener::bind(address).await.map_err(unusable)
}

async fn serve(node: &Node, output: &Output, listener: TcpListener, actions: bool) -> Outcome {
    let mut signals = Signals::new().map_err(Failure::failed)?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    let mut observer = Observer::new(node).actions(actions);
    let mut url = format!("http://{address}/");
    if !address.ip().is_loopback() {
        let token = token()?;
        let _ = write!(url, "?token={token}");
        observer = observer.token(token);
    }
    let serving = observer.serve(listener).map_err(Failure::failed)?;
    output.result(&serde_json::json!({ "address": url }), &url)?;
    tokio::select! {
        ended = serving => ended.map(|()| Exit::Done).map_err(Failure::failed),
        () = signals.next() => Ok(Exit::Done),
    }
}

/// A token that cannot be guessed.
fn token() -> Result<String, Failure> {
    let mut bytes = [0; TOKEN];
    getrandom::fill(&mut bytes).map_err(Failure::failed)?;
    let mut token = String::with_capacity(2 * TOKEN);
    for byte in bytes {
        let _ = write!(token, "{byte:02x}");
    }
    Ok(token)
}
