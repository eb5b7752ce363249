//! Those at the other end of a connection that are no nodes of this project.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use serde_json::{Deserializer, Value, json};

use crate::SECRET;

/// Takes connections for as long as the process runs; its address.
fn serve(serve: impl Fn(TcpStream) + Send + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Answers everything as a web server does that is not spoken to as one.
pub(crate) fn web_server() -> String {
    serve(|mut stream| {
        let mut line = String::new();
        let mut reader = BufReader::new(&stream);
        let _ = reader.read_line(&mut line);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    })
}

/// Takes connections and says nothing.
pub(crate) fn silent() -> String {
    serve(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// Takes connections and ends them without a word.
pub(crate) fn closing() -> String {
    serve(|stream| {
        let mut reader = BufReader::new(&stream);
        for _ in 0..2 {
            let _ = reader.read_line(&mut String::new());
        }
    })
}

/// A node that behaves as a node written in Perl, as far as commands can see: it logs in with the secret in clear
/// text, and evaluates some expressions.
pub(crate) fn perl() -> String {
    serve(|stream| {
        let _ = talk(stream);
    })
}

fn talk(mut stream: TcpStream) -> std::io::Result<()> {
    let secret: String = SECRET.bytes().map(|octet| format!("{octet:02x}")).collect();
    write!(
        stream,
        "aemp;1;perl;hmac_sha3_512,cleartext;json;provider=fake\nnonce\ncleartext;{secret};json\n"
    )?;
    let mut reader = BufReader::new(stream.try_clone()?);
    for _ in 0..3 {
        reader.read_line(&mut String::new())?;
    }
    for packet in Deserializer::from_reader(reader).into_iter::<Vec<Value>>() {
        let packet = packet?;
        for answer in answers(&packet) {
            write!(stream, "{answer}")?;
        }
    }
    Ok(())
}

/// The packets that it answers with, for a packet that arrives.
fn answers(packet: &[Value]) -> Vec<Value> {
    let text = |n: usize| packet.get(n).and_then(Value::as_str).unwrap_or_default();
    let name = |id: &str| id.rsplit('#').next().unwrap_or_default().to_owned();
    let rest = |n: usize| packet.get(n..).unwrap_or_default().to_vec();
    let to = |id: &str, head: Vec<Value>, tail: Value| {
        let tail = tail.as_array().cloned().unwrap_or_default();
        let name = [Value::from(name(id))];
        json!([&name[..], &head, &tail].concat())
    };
    match (text(0), text(1)) {
        ("", "eval") => {
            let results = match text(2) {
                "1 + 1" => json!(["", 2, "two", { "a": null }]),
                "AnyEvent::MP::Kernel::up_nodes" => json!(["", text(3).split('#').next(), "lost"]),
                "silence" => return Vec::new(),
                _ => json!(["syntax error at (eval 1) line 1.\n"]),
            };
            vec![to(text(3), rest(4), results)]
        }
        ("", "can") => vec![to(text(3), rest(4), json!([""]))],
        ("", "snd") => vec![to(text(2), rest(3), json!([]))],
        ("", "g_db_keys") => {
            let keys = json!(["lost", "perl"]);
            let keys = if text(2) == "'l" {
                keys
            } else {
                json!(["perl"])
            };
            vec![json!(["", "g_reply", packet.get(3), keys])]
        }
        ("", "g_find") => vec![json!(["", "g_found", text(2), null])],
        ("", "mon1") => {
            let port = format!("perl#{}", text(2));
            let problem = "cannot monitor nonexistent port";
            vec![json!(["", "kil0", text(2), "no_such_port", problem, port])]
        }
        _ => Vec::new(),
    }
}
