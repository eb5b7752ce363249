//! The processes of the bench: this program, started again as the service or as a client of it.

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::remote::codec::{CODECS, Codec};
use crate::remote::contender::{Delivered, Remote};
use crate::remote::contenders::{CONTENDERS, Contender};
use crate::remote::peers;
use crate::remote::workloads::{self, Sizes, TEXT, WORKLOADS, Workload};
use crate::report;
use crate::runtime;

const SERVE: &str = "--serve-child";
const MEASURE: &str = "--measure-child";
const HELLO: &str = "--hello-child";

/// True if the system has the command that binds a process to a core.
pub(crate) fn can_pin() -> bool {
    let help = Command::new("taskset").arg("--version").output();
    help.is_ok_and(|output| output.status.success())
}

/// Measures with a new pair of processes.
pub(crate) fn measure(
    contender: &str,
    codec: Codec,
    workload: Workload,
    smoke: bool,
    pinned: bool,
) -> Result<f64, String> {
    let mut server = Server(start(&[SERVE, contender, codec.name()], pinned)?);
    let address = server.address()?;
    let size = if smoke { "smoke" } else { "full" };
    let (codec, workload) = (codec.name(), workload.name());
    let pid = server.0.id().to_string();
    let arguments = [MEASURE, contender, codec, workload, &address, size, &pid];
    let client = start(&arguments, pinned)?;
    let output = client
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let figure = String::from_utf8_lossy(&output.stdout);
    figure
        .trim()
        .parse()
        .map_err(|_| format!("the client ended with {}", output.status))
}

fn start(arguments: &[&str], pinned: bool) -> Result<Child, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = if pinned {
        let mut taskset = Command::new("taskset");
        taskset.args(["-c", "0"]).arg(program);
        taskset
    } else {
        Command::new(program)
    };
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
        .spawn()
        .map_err(|error| format!("cannot start a process: {error}"))
}

/// The process of a service. It ends when this is dropped.
struct Server(Child);

impl Server {
    /// The address that the service announces.
    fn address(&mut self) -> Result<String, String> {
        let output = self
            .0
            .stdout
            .take()
            .ok_or("the service's output is piped")?;
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        match line.trim() {
            "" => Err("the service ended before it told its address".to_owned()),
            address => Ok(address.to_owned()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The time from the start of a process until the service has its first message, in milliseconds: the median of
/// `starts` processes.
pub(crate) fn time_to_first_message<R: Remote>(
    contender: &'static str,
    codec: Codec,
    starts: u64,
) -> Result<f64, String> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let (watcher, deliveries) = mpsc::channel();
    // One for each measurement, because the service may keep it for ever.
    let delivered = Box::leak(Box::new(Delivered::watched(watcher)));
    let (announce, announced) = mpsc::channel();
    let runtime = runtime::multi_thread();
    runtime.spawn(R::serve(codec, delivered, move |address| {
        drop(announce.send(address))
    }));
    let address = announced
        .recv_timeout(PATIENCE)
        .map_err(|_| "the service does not start")?;
    let mut times = Vec::new();
    for _ in 0..starts {
        let began = Instant::now();
        let mut child = start(&[HELLO, contender, codec.name(), &address], false)?;
        let delivery = deliveries.recv_timeout(PATIENCE);
        times.push(began.elapsed().as_secs_f64() * 1e3);
        // The child waits for the end of its input, so that it does not end before its message has been sent.
        drop(child.stdin.take());
        let _ = child.wait();
        delivery.map_err(|_| "no message arrived")?;
    }
    runtime.shutdown_background();
    report::median(&times).ok_or_else(|| "nothing was started".to_owned())
}

/// Runs the child's part, if the arguments are those of a child.
pub(crate) fn child(arguments: &[String]) -> Option<Result<(), String>> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [SERVE, name, codec] => (find(name)?.serve)(find_codec(codec)?),
        [HELLO, name, codec, address] => (find(name)?.hello)(find_codec(codec)?, address),
        [MEASURE, name, codec, workload, address, size, server] => {
            let codec = find_codec(codec)?;
            let workload = WORKLOADS.iter().find(|known| known.name() == workload)?;
            let sizes = Sizes::choose(size == "smoke");
            let server = server.parse().ok()?;
            let figure = (find(name)?.measure)(codec, address, *workload, sizes, server);
            peers::leave(figure)
        }
        _ => return None,
    }
    Some(Ok(()))
}

fn find(name: &str) -> Option<&'static Contender> {
    CONTENDERS.iter().find(|contender| contender.name == name)
}

fn find_codec(name: &str) -> Option<Codec> {
    CODECS.into_iter().find(|codec| codec.name() == name)
}

/// The process of a service.
pub(crate) fn serve<R: Remote>(codec: Codec) {
    let delivered = Box::leak(Box::<Delivered>::default());
    runtime::multi_thread().block_on(R::serve(codec, delivered, |address| println!("{address}")));
}

/// The process of a client.
pub(crate) fn client<R: Remote>(
    codec: Codec,
    address: &str,
    workload: Workload,
    sizes: Sizes,
    server: u32,
) -> f64 {
    let address = address.to_owned();
    let runtime = runtime::multi_thread();
    let task = runtime.spawn(async move {
        let open = || {
            let address = address.clone();
            tokio::spawn(async move {
                let remote = R::connect(codec, &address).await;
                remote.call(0, TEXT).await;
                remote
            })
        };
        if let Some(figure) = workloads::measure_many(open, workload, sizes, server).await {
            return figure;
        }
        let remote = R::connect(codec, &address).await;
        workloads::measure(remote, codec, workload, sizes).await
    });
    runtime.block_on(task).expect("no workload panics")
}

/// The process of which the start is measured. It sends one message, and waits for the end of its input.
pub(crate) fn hello<R: Remote>(codec: Codec, address: &str) {
    let runtime = runtime::multi_thread();
    let _remote = runtime.block_on(async {
        let remote = R::connect(codec, address).await;
        remote.put(1, TEXT).await;
        remote
    });
    let _ = io::stdin().read(&mut [0]);
}
