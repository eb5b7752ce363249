//! Each program of the guide prints the output that its chapter shows.

use std::{error::Error, path::Path};

use aemp::{Args, Cx, Node, PortId, cal, snd};
use aemp_guide::{
    console::replay,
    program::{Program, free_address, run},
    shown::{check, read},
};

#[test]
fn first_port() {
    check(
        "listings/first_port.out",
        &run(env!("CARGO_BIN_EXE_first_port"), &[]),
    );
}

#[test]
fn two_nodes() {
    let (path, address) = (env!("CARGO_BIN_EXE_two_nodes"), free_address());
    let mut receiver = Program::start(path, &["receiver", &address]);
    receiver.expect("the receiver is ready");
    let sender = run(path, &["sender", &address]);
    receiver.expect("received: ");
    check("listings/two_nodes.sender.out", &sender);
    check("listings/two_nodes.receiver.out", &receiver.kill());
}

#[test]
fn monitoring() {
    check(
        "listings/monitoring.out",
        &run(env!("CARGO_BIN_EXE_monitoring"), &[]),
    );
}

#[test]
fn chat() {
    let (path, address) = (env!("CARGO_BIN_EXE_chat"), free_address());
    let mut server = Program::start(path, &["server", &address]);
    server.expect("the room is open");
    let mut ann = Program::start(path, &["client", "ann", &address]);
    ann.expect("ann joins");
    let mut bob = Program::start(path, &["client", "bob", &address]);
    bob.expect("bob joins");
    ann.expect("bob joins");
    ann.type_line("hello, bob");
    bob.expect("ann: hello, bob");
    ann.expect("ann: hello, bob");
    check("listings/chat.bob.out", &bob.kill());
    ann.expect("bob quits");
    server.expect("bob quits");

    let first = server.kill();
    ann.expect("lost the room: ");
    let mut server = Program::start(path, &["server", &address]);
    server.expect("ann joins");
    ann.expect("ann joins");
    ann.type_line("back again");
    ann.expect("ann: back again");
    check("listings/chat.ann.out", &ann.end());
    server.expect("ann quits");
    let prompt = "$ chat server 127.0.0.1:4040";
    let both = format!("{prompt}\n{first}Killed\n{prompt}\n{}", server.kill());
    check("listings/chat.server.out", &both);
}

#[test]
fn database() {
    let (path, address) = (env!("CARGO_BIN_EXE_database"), free_address());
    let mut board = Program::start(path, &["board", &address]);
    board.expect("the board is ready");
    let mut oslo = Program::start(path, &["station", "oslo", "-3", &address]);
    board.expect("oslo: -3");
    let rome = Program::start(path, &["station", "rome", "14", &address]);
    board.expect("rome: 14");
    oslo.type_line("-4");
    board.expect("oslo: -4");
    drop(rome.kill());
    board.expect("rome is gone");
    drop(oslo.end());
    board.expect("oslo is gone");
    check("listings/database.board.out", &board.kill());
}

#[test]
fn spawning() {
    let (path, address) = (env!("CARGO_BIN_EXE_spawning"), free_address());
    let mut green = Program::start(path, &["green", &address]);
    green.expect("green is ready");
    let mut client = Program::start(path, &["client", &address]);
    client.expect("type a line");
    client.type_line("to be or not to be");
    client.expect("6 words");
    client.type_line("that is the question");
    client.expect("10 words");
    check("listings/spawning.client.out", &client.kill());
    green.expect("a counter ends");

    let mut second = Program::start(path, &["client", &address]);
    second.expect("type a line");
    second.type_line("one two three");
    second.expect("3 words");
    check("listings/spawning.green.out", &green.kill());
    second.expect("lost the counter: ");
    check("listings/spawning.second.out", &second.kill());
}

#[test]
fn processes() {
    check(
        "listings/processes.out",
        &run(env!("CARGO_BIN_EXE_processes"), &[]),
    );
}

#[test]
fn lifecycle() {
    check(
        "listings/lifecycle.out",
        &run(env!("CARGO_BIN_EXE_lifecycle"), &[]),
    );
}

#[test]
fn supervision() {
    check(
        "listings/supervision.out",
        &run(env!("CARGO_BIN_EXE_supervision"), &[]),
    );
}

#[test]
fn streams() {
    let (path, address) = (env!("CARGO_BIN_EXE_streams"), free_address());
    let mut archive = Program::start(path, &["archive", &address]);
    archive.expect("the archive is ready");
    let sender = run(path, &["sender", &address]);
    check("listings/streams.sender.out", &sender);
    check("listings/streams.archive.out", &archive.kill());
}

#[test]
fn from_other_systems() {
    check(
        "listings/from_anyevent_mp.out",
        &run(env!("CARGO_BIN_EXE_from_anyevent_mp"), &[]),
    );
    check(
        "listings/from_erlang.out",
        &run(env!("CARGO_BIN_EXE_from_erlang"), &[]),
    );
    check(
        "listings/from_akka.out",
        &run(env!("CARGO_BIN_EXE_from_akka"), &[]),
    );
    check(
        "listings/from_actix.out",
        &run(env!("CARGO_BIN_EXE_from_actix"), &[]),
    );
}

#[test]
fn services_and_profiles() {
    let home = tempfile::tempdir().expect("a directory");
    let programs = Path::new(env!("CARGO_BIN_EXE_greeter")).parent();
    let programs = programs.expect("the program is in a directory");
    let (name, address) = ("listings/greeter.console", free_address());
    check(name, &replay(&read(name), programs, home.path(), &address));
}

/// The node "perl" is a Rust node here. It sends the messages of the chapter's Perl program.
#[tokio::test]
async fn mixed() -> Result<(), Box<dyn Error>> {
    let address = free_address();
    let mut rust = Program::start(env!("CARGO_BIN_EXE_mixed"), &[&address]);
    rust.expect("waiting for the node perl");
    let perl = Node::builder()
        .node_id("perl")
        .secret("between friends")
        .seed(&address)
        .init("Guide::Shelf::start", shelf)
        .start()
        .await?;
    let converter = perl.spawn("rust", "Guide::converter", Args::new());
    let answer = cal!(perl, converter, "fahrenheit", 20).await?;
    let answer = answer[0].number().ok_or("no number")?;
    check("listings/mixed.perl.out", &format!("20 C are {answer} F\n"));
    let rust = tokio::task::spawn_blocking(move || {
        rust.expect("the shelf has ended");
        rust.kill()
    });
    check("listings/mixed.rust.out", &rust.await?);
    Ok(())
}

/// As `Guide::Shelf::start` in Perl, for one value.
fn shelf(cx: &mut Cx<'_>, _args: Args) {
    let mut colour = None;
    cx.rcv_default(move |cx, message| -> Result<(), Box<dyn Error>> {
        let last = message[2].clone();
        if message[0].text().as_deref() == Some("put") {
            colour = Some(last);
        } else {
            let reply = PortId::parse(&last.text().ok_or("no reply port")?)?;
            snd!(cx, reply, colour.clone().ok_or("no colour")?);
        }
        Ok(())
    });
}

#[test]
fn trouble() {
    let output = run(env!("CARGO_BIN_EXE_trouble"), &[&free_address()]);
    check("listings/trouble.out", &output);
}
