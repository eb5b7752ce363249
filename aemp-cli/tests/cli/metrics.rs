//! `aemp run --metrics`: metrics and probes by HTTP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
};

use serde_json::Value;

use crate::processes::aemp;

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut client = TcpStream::connect(address).expect("it listens");
    write!(client, "GET {path} HTTP/1.1\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn a_node_serves_metrics_and_probes() {
    let args = [
        "--json",
        "run",
        "--metrics",
        "127.0.0.1:0",
        "green",
        "binds",
        r#"["127.0.0.1:0"]"#,
    ];
    let process = aemp(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut running = Running(process.expect("the command starts"));
    let mut line = String::new();
    let out = running.0.stdout.as_mut().expect("it is piped");
    BufReader::new(out).read_line(&mut line).expect("it tells");
    let told: Value = serde_json::from_str(&line).expect("a document");
    let address = told["metrics"].as_str().expect("an address");
    let answer = get(address, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let node = told["node"].as_str().expect("a name");
    let info = format!("\naemp_node_info{{node=\"{node}\",");
    assert!(answer.contains(&info), "{answer}");
    assert!(get(address, "/readyz").ends_with("\r\n\r\nready\n"));
    let output = aemp(&["run", "--metrics", address, "blue"]).output();
    let output = output.expect("the command runs");
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(&format!("--metrics {address}: ")), "{error}");
}
