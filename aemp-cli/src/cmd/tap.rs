//! `aemp tap`: the messages of a port, or of a node's connections, live.

use aemp::{
    Value,
    tap::{TapEvent, TappedPacket},
};
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;

use crate::{
    Exit,
    args::{one, word},
    failure::{Failure, Outcome},
    output::{self, Output, Paint, Text},
    session::Session,
    signals::Signals,
    words,
};
use aemp_web::stamp::time;

pub(crate) fn command() -> Command {
    Command::new("tap")
        .about("Follow the messages of a port, or of a node")
        .long_about(
            "Prints the messages that arrive at a port from other nodes, or all packets that a node exchanges with other \
             nodes, as they are sent: time (UTC), direction from the node's point of view, the other node, the name of the \
             receiving port (`-` for a request to the node), and the message as a JSON list, tag first. Typed arguments \
             are shown as values. Messages between ports of one node are not seen.\n\nRuns until SIGINT or SIGTERM, for \
             --count messages, or until the node is lost (status 1). The node must be a Rust node that lets this one call \
             `Aemp::tap` (`setallow`). If messages come faster than they are printed, the oldest ones are left out, and a \
             line gives their number.\n\nWith --json: \
             {\"time\":SECONDS,\"direction\":\"SND\" or \"RCV\",\"node\":ID,\"port\":NAME,\"message\":[..]} a line, and \
             {\"lost\":N}.",
        )
        .after_help("Examples:\n  aemp tap green#counter\n  aemp tap green --tag mon1")
        .arg(one("PORT", "The port ID, NODE#NAME, or @NAME; a bare NODE is the whole node"))
        .arg(
            Arg::new("tag")
                .long("tag")
                .value_name("TAG")
                .help("Print only messages with this tag"),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .help("End after this number of messages"),
        )
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let port = words::port(word(matches, "PORT"))?;
    let tag = matches.get_one::<String>("tag").map(String::as_str);
    let mut left = matches.get_one::<u64>("count").copied();
    session.with_client(async |client| {
        let port = client.port(&port).await?;
        let mut signals = Signals::new().map_err(Failure::failed)?;
        let mut tap = client.node.tap(&port, tag);
        let silence = format!(
            "{} does not open a tap: it is no Rust node, or does not allow Aemp::tap: no answer",
            port.node()
        );
        let mut event = client.within(&silence, tap.next()).await?;
        loop {
            let Some(news) = event else {
                return Err(Failure::failed(tap.end().unwrap_or_default()));
            };
            if show(client.output, news)? {
                left = left.map(|left| left - 1);
            }
            if left == Some(0) {
                return Ok(Exit::Done);
            }
            event = tokio::select! {
                event = tap.next() => event,
                () = signals.next() => return Ok(Exit::Done),
            };
        }
    })
}

/// Prints an event. Returns true for a message.
fn show(output: &Output, event: TapEvent) -> Result<bool, Failure> {
    match event {
        TapEvent::Packet(packet) => {
            print(output, &packet)?;
            return Ok(true);
        }
        TapEvent::Lost(lost) => {
            let text = format!("({lost} messages were left out)");
            output.result(&json!({ "lost": lost }), &text)?;
        }
        TapEvent::Refused(text) => return Err(Failure::failed(text)),
        _ => output.waiting("the tap is open"),
    }
    Ok(false)
}

fn print(output: &Output, packet: &TappedPacket) -> Result<(), Failure> {
    if output.is_json() {
        return output::document(packet);
    }
    let paint = match packet.direction.name() {
        "SND" => Paint::Green,
        _ => Paint::Cyan,
    };
    let port = if packet.port.is_empty() {
        "-"
    } else {
        &packet.port
    };
    let message = Value::from(packet.message.clone());
    let mut line = Text::of(format_args!("{} ", time(packet.time)));
    line.push(&output.paint(paint, Text::of(packet.direction.name())));
    line.push(&Text::of(format_args!(" {} {port} {message}", packet.node)));
    output::line(&line)
}
