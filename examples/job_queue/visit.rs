//! A visit of the page without a browser: eight jobs, and a worker that is killed in the middle of them.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    time::timeout,
};

use crate::{Line, Outcome};

const NUMBER: usize = 8;

pub(crate) async fn visit(address: &str) -> Outcome {
    let mut page = Page::open(address).await?;
    for job in 0..NUMBER {
        let accepted = post(address, "/jobs", &job.to_string()).await?;
        println!("boss: job {accepted} is accepted");
    }
    let begun = |line: &Line| line.worker == "ant" && line.percent >= 20 && line.percent < 80;
    let before = page.until(|lines| lines.iter().any(begun)).await?;
    println!("boss: kill -9 {}", post(address, "/kill", "ant").await?);
    let lines = page
        .until(|lines| lines.iter().all(|line| line.primes.is_some()))
        .await?;
    let mut repeated = 0;
    for (job, (line, before)) in lines.iter().zip(before).enumerate() {
        let Line {
            worker,
            attempt,
            primes,
            ..
        } = line;
        let primes = primes.unwrap_or_default();
        println!("boss: job {job} has found {primes} primes, at {worker}, attempt {attempt}");
        // Those that `ant` had begun, and had not done long before it was killed, must have the mark. No job has one without a reason.
        repeated += usize::from(*attempt > 1);
        if begun(&before) && *attempt == 1 && before.percent < 60 {
            return Err(format!("job {job} was begun twice without the mark").into());
        }
    }
    if lines.len() != NUMBER || !(1..=2).contains(&repeated) {
        return Err(format!("{} jobs, {repeated} repeated", lines.len()).into());
    }
    println!("boss: {NUMBER} jobs are done, {repeated} of them repeated");
    Ok(())
}

/// Connects and sends a request. HTTP/1.0 has no chunks, and the end of the connection is the end of the answer.
async fn request(address: &str, request: &str) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

async fn post(address: &str, path: &str, body: &str) -> Outcome<String> {
    let head = format!(
        "POST {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {}",
        body.len()
    );
    let mut stream = request(address, &format!("{head}\r\n\r\n{body}")).await?;
    let mut answer = String::new();
    timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await??;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    match head.contains(" 200 OK") {
        true => Ok(body.into()),
        false => Err(answer.into()),
    }
}

struct Page(Lines<BufReader<TcpStream>>);

impl Page {
    async fn open(address: &str) -> Outcome<Self> {
        let head = format!("GET /events HTTP/1.0\r\nhost: {address}\r\naccept: text/event-stream");
        let stream = request(address, &format!("{head}\r\n\r\n")).await?;
        Ok(Self(BufReader::new(stream).lines()))
    }

    /// Reads states until one is as expected.
    async fn until(&mut self, expected: impl Fn(&[Line]) -> bool) -> Outcome<Vec<Line>> {
        let wait = async {
            loop {
                let line = self.0.next_line().await?.ok_or("the events have ended")?;
                if let Some(state) = line.strip_prefix("data: ") {
                    let lines: Vec<Line> = serde_json::from_str(state)?;
                    if expected(&lines) {
                        return Ok(lines);
                    }
                }
            }
        };
        timeout(Duration::from_secs(60), wait).await?
    }
}
