//! `aemp top`: a live view of the network.

mod app;
mod document;
mod place;
mod screen;
mod view;

#[cfg(test)]
mod tests;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use aemp::logs::LogLevel;
use aemp_web::{
    collect::{Collector, News},
    network, rows, tab, table, text,
};
use clap::{ArgMatches, Command};
use ratatui::crossterm::event::Event;
use tokio::time::{MissedTickBehavior, interval};

use self::{
    app::{App, Then},
    screen::Screen,
    tab::Tab,
};

use crate::{
    Exit,
    client::Client,
    failure::{Failure, Outcome},
    session::Session,
    signals::Signals,
};

/// The interval at which all nodes are asked.
const ROUND: Duration = Duration::from_secs(1);
/// The shortest interval at which new answers are drawn.
const FRAME: Duration = Duration::from_millis(100);

pub(crate) fn command() -> Command {
    Command::new("top")
        .about("Watch the network: nodes, connections, ports, families")
        .long_about(
            "Shows the whole network on the terminal, updated once a second. It has tables of nodes (role, memory, \
             ports, deaths, restarts), connections (rates of messages and bytes, queued bytes), ports with the longest queues, \
             types of ports and handlers (messages per second, times, deaths by reason), calls (times, failures), \
             families of the database, supervisors with their children (state, restarts, reason of the last end), \
             and the log of the network. Enter shows the connections of a node, Esc goes back, Tab changes \
             the table, and `?` lists all keys.\n\nFor Perl nodes, it shows the reports of their neighbours. The \
             command's own node is left out.\n\nWith --json, it asks twice within two seconds, and prints one document: `nodes`, \
             by ID, `types` and `handlers`. Rates are per second, times in seconds.",
        )
        .after_help("Example:\n  aemp -s green.example:4040 top")
}

pub(crate) fn run(session: &mut Session, _matches: &ArgMatches) -> Outcome {
    if session.output.is_json() {
        return session.with_client(document::print);
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "`top` needs a terminal; for scripts there is `top --json`",
        ));
    }
    session.with_client(watch)
}

async fn watch(client: &Client<'_>) -> Outcome {
    let mut signals = Signals::new().map_err(Failure::failed)?;
    let unusable = |error| Failure::failed(format_args!("the terminal cannot be used: {error}"));
    let mut screen = Screen::take().map_err(unusable)?;
    let mut collector = Collector::new(&client.node);
    let mut app = App::new(client.node.id().as_str());
    let (mut rounds, mut frames) = (interval(ROUND), interval(FRAME));
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stale = true;
    loop {
        tokio::select! {
            biased;
            () = signals.next() => return Ok(Exit::Done),
            event = screen.next() => {
                match event {
                    Some(Event::Key(key)) if app.key(key) == Then::Quit => return Ok(Exit::Done),
                    Some(_) => {}
                    None => return Err(Failure::failed("the terminal is gone")),
                }
                follow(&mut collector, &app);
                draw(&mut screen, &mut app, client)?;
            }
            _ = frames.tick(), if stale => {
                draw(&mut screen, &mut app, client)?;
                stale = false;
            }
            _ = rounds.tick() => {
                round(client, &mut collector, &mut app);
                stale = true;
            }
            news = collector.next() => {
                match news {
                    News::Node(report) => app.add_report(report),
                    News::Family(opened) => app.open(opened),
                    News::Trees(trees) => app.add_trees(trees),
                    // None of its tables shows them.
                    News::Functions { .. }
                    | News::Waits { .. }
                    | News::Traces { .. }
                    | News::Deaths { .. }
                    | News::Port { .. }
                    | News::Messages { .. } => {}
                    News::Log(line) => app.log(line),
                }
                stale = true;
            }
        }
    }
}

fn draw(screen: &mut Screen, app: &mut App, client: &Client<'_>) -> Result<(), Failure> {
    let colors = client.output.colors();
    screen
        .terminal()
        .draw(|frame| view::draw(frame, app, colors))?;
    Ok(())
}

/// Asks all known nodes.
fn round(client: &Client<'_>, collector: &mut Collector, app: &mut App) {
    let now = collector.now();
    for node in client.node.up_nodes() {
        app.network.know(node.as_str(), now);
    }
    if !app.paused {
        app.network.forget(now);
    }
    collector.ask(app.network.names());
    follow(collector, app);
}

/// Asks for the data that only the present table shows.
fn follow(collector: &mut Collector, app: &App) {
    match app.place.tab {
        Tab::Tree => collector.ask_for_trees(app.network.names()),
        Tab::Logs => drop(collector.follow_logs(LogLevel::Info)),
        _ => app
            .family()
            .into_iter()
            .for_each(|family| collector.open(family, &app.network)),
    }
}
