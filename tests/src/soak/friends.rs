//! The honest peers, as the conductor sees them.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use aemp::{Node, args, cal};
use tokio::runtime::Runtime;

use super::{SECRET, process::Process, report::Latency};

/// The longest time for a newcomer to connect and to be served.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two that have been there all the time.
pub(super) struct Friends(Vec<Process>);

/// The calls and messages of both friends, in numbers.
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) latency: Latency,
    pub(super) failed: u64,
    pub(super) holes: u64,
    pub(super) fired: u64,
    /// Numbered messages that have come back, in all.
    pub(super) back: u64,
}

impl Friends {
    pub(super) fn start(program: &Path, seed: &str) -> Result<Self, String> {
        let start = |id| Process::start(program, &["friend", id, seed], None);
        let friends = ["friend/1", "friend/2"].into_iter().map(start);
        let friends = friends.collect::<Result<Vec<_>, _>>()?;
        for friend in &friends {
            friend.line()?;
        }
        Ok(Self(friends))
    }

    /// The numbers since the last request.
    pub(super) fn served(&mut self) -> Result<Served, String> {
        self.ask("count")
    }

    /// As `served`, when everything that was sent has come back.
    pub(super) fn settled(&mut self) -> Result<Served, String> {
        self.ask("settle")
    }

    fn ask(&mut self, what: &str) -> Result<Served, String> {
        let mut all = Served::default();
        for friend in &mut self.0 {
            let line = friend.ask(what)?;
            let words: Vec<&str> = line.split(' ').collect();
            let [failed, holes, fired, back, calls] = words[..] else {
                return Err(format!("a friend says {line:?}"));
            };
            let number = |text: &str| text.parse().map_err(|_| format!("a friend says {line:?}"));
            all.failed += number(failed)?;
            all.holes += number(holes)?;
            all.fired += number(fired)?;
            all.back += number(back)?;
            for call in calls.split(',').filter(|call| !call.is_empty()) {
                all.latency.add(number(call)?);
            }
        }
        Ok(all)
    }
}

/// Honest nodes that come now: they get in, are served, and leave.
pub(super) struct Newcomers {
    runtime: Runtime,
    seed: String,
    came: u32,
}

impl Newcomers {
    pub(super) fn new(seed: &str) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            runtime,
            seed: seed.into(),
            came: 0,
        })
    }

    /// One more. How long it took until it had been served.
    pub(super) fn come(&mut self) -> Result<Duration, String> {
        self.came += 1;
        let id = format!("newcomer/{}", self.came);
        let served = async {
            let node = Node::builder().node_id(&id).secret(SECRET).seed(&self.seed);
            let node = node.start().await.map_err(|error| error.to_string())?;
            node.until_up("victim").await;
            let sink = node.spawn("victim", "Soak::sink", args![id.as_str()]);
            let answer = cal!(node, sink, "count").await;
            node.stop().await;
            answer.map(drop).map_err(|error| error.to_string())
        };
        let began = Instant::now();
        let served = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, served).await });
        let took = began.elapsed();
        match served {
            Ok(Ok(())) => Ok(took),
            Ok(Err(error)) => Err(format!("{id}: {error}")),
            Err(_) => Err(format!("{id} was not served within {PATIENCE:?}")),
        }
    }
}
