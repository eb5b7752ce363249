//! `aemp run --metrics`: metrics and probes by HTTP.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
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
    try_get(address, path).expect("it answers")
}

fn try_get(address: &str, path: &str) -> io::Result<String> {
    let mut client = TcpStream::connect(address)?;
    // Version 1.0 has no chunks.
    write!(client, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Starts `aemp run --metrics`; the process, and the document that it prints first.
fn start() -> (Running, Value) {
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
    let told = serde_json::from_str(&line).expect("a document");
    (running, told)
}

#[test]
fn a_node_serves_metrics_and_probes() {
    let (_running, told) = start();
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

/// The result of a query, when there is one.
fn query(prometheus: &str, query: &str) -> Value {
    let path = format!("/api/v1/query?query={query}");
    for _ in 0..600 {
        // It may not listen yet.
        if let Ok(answer) = try_get(prometheus, &path) {
            let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
            let document: Value = serde_json::from_str(body).unwrap_or_default();
            let result = &document["data"]["result"];
            if result.as_array().is_some_and(|found| !found.is_empty()) {
                return result.clone();
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("Prometheus has no answer to {query}");
}

/// A real Prometheus scrapes the node. Skipped, with a word, where the package is missing.
#[test]
fn prometheus_understands_the_metrics() {
    let version = Command::new("prometheus").arg("--version").output();
    if version.is_err() {
        println!("SKIPPED: there is no Prometheus here (package prometheus)");
        return;
    }
    let (_running, told) = start();
    let address = told["metrics"].as_str().expect("an address");
    let home = tempfile::tempdir().expect("a directory");
    let config = home.path().join("prometheus.yml");
    let text = format!(
        "scrape_configs:\n- job_name: aemp\n  scrape_interval: 1s\n  static_configs:\n  - targets: ['{address}']\n"
    );
    std::fs::write(&config, text).expect("it is written");
    // It takes no port of the system's choice.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let at = free.expect("a port").to_string();
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", home.path().display()))
        .arg(format!("--web.listen-address={at}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _prometheus = Running(prometheus.expect("it starts"));
    assert_eq!(query(&at, "up%3D%3D1")[0]["metric"]["job"], "aemp");
    let info = query(&at, "aemp_node_info");
    assert_eq!(
        (&info[0]["metric"]["node"], &info[0]["value"][1]),
        (&told["node"], &"1".into())
    );
    // A counter with labels, and a histogram.
    let calls = query(&at, "aemp_calls_total");
    assert!(calls[0]["metric"]["outcome"].is_string(), "{calls}");
    query(&at, "aemp_ports_spawned_total%3E=0");
    let answer = get(&at, "/api/v1/metadata?metric=aemp_handler_seconds");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    let kinds: Value = serde_json::from_str(body).expect("a document");
    assert_eq!(
        kinds["data"]["aemp_handler_seconds"][0]["type"],
        "histogram"
    );
}
