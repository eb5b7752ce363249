//! The attacker: sockets that speak the protocol by hand, and know the secret.

mod insiders;
mod large;
mod peer;
mod strangers;

use std::{
    future::Future,
    io,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};

/// The address under attack, the end of the attack, and the number of blows that have been dealt.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: String,
    end: Instant,
    done: Arc<AtomicU64>,
}

impl Target {
    /// One more blow has been dealt.
    fn did(&self, blows: u64) {
        self.done.fetch_add(blows, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Attacks with that many tasks at once, each of which is started again when it ends, until time is up.
    async fn with<F, T>(&self, tasks: u32, attack: F)
    where
        F: Fn(Self, u32) -> T,
        T: Future<Output = io::Result<()>> + Send + 'static,
    {
        let mut running = JoinSet::new();
        let guarded = |number| {
            let (attack, target) = (attack(self.clone(), number), self.clone());
            async move {
                if attack.await.is_err() {
                    // The victim does not want any more of it.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                (number, target)
            }
        };
        for number in 0..tasks {
            running.spawn(guarded(number));
        }
        let all = async {
            while let Some(Ok((number, target))) = running.join_next().await {
                if target.is_over() {
                    return;
                }
                running.spawn(guarded(number));
            }
        };
        let _ = tokio::time::timeout_at(self.end, all).await;
    }
}

/// A node ID that has not been used before.
fn fresh_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("evil/{}/{next}", std::process::id())
}

/// One of the addresses that an attacker has.
fn origin(number: u32) -> Ipv4Addr {
    let octet = |number: u32| (number % 250) as u8;
    Ipv4Addr::new(127, 66, octet(number / 250), octet(number) + 1)
}

/// The attacks that run at the same time in the attack `all`.
const ALL: &[&str] = &[
    "garbage",
    "messages",
    "spawns",
    "database",
    "relays",
    "deaf",
    "half-open",
    "drip",
    "storm",
];

/// Attacks the node at an address for some time. Returns the number of blows.
///
/// # Errors
///
/// When there is no attack of that name.
pub async fn run(name: &str, address: &str, duration: Duration) -> Result<u64, String> {
    let target = Target {
        address: address.into(),
        end: Instant::now() + duration,
        done: Arc::default(),
    };
    let names = if name == "all" { ALL } else { &[name] };
    let mut running = JoinSet::new();
    for name in names {
        let (name, target) = ((*name).to_owned(), target.clone());
        running.spawn(async move { attack(&name, &target).await });
    }
    for played in running.join_all().await {
        played?;
    }
    Ok(target.done.load(Ordering::Relaxed))
}

async fn attack(name: &str, target: &Target) -> Result<(), String> {
    match name {
        "garbage" => target.with(4, insiders::garbage).await,
        "nonsense" => target.with(4, insiders::nonsense).await,
        "messages" => target.with(2, insiders::messages).await,
        "missing-ports" => target.with(2, insiders::missing_ports).await,
        "spawns" => target.with(2, insiders::spawns).await,
        "monitors" => target.with(2, insiders::monitors).await,
        "database" => target.with(2, insiders::database).await,
        "relays" => target.with(2, insiders::relays).await,
        "inspect" => target.with(2, insiders::inspect).await,
        "deaf" => target.with(2, insiders::deaf).await,
        "half-open" => target.with(4, strangers::half_open).await,
        "drip" => target.with(64, strangers::drip).await,
        "endless-line" => target.with(8, strangers::endless_line).await,
        "hello-tls" => target.with(8, strangers::hello_tls).await,
        "wrong-secret" => target.with(8, strangers::wrong_secret).await,
        "10000" => target.with(100, strangers::ten_thousand).await,
        "descriptors" => target.with(10, strangers::one_thousand).await,
        "families" => target.with(2, large::families).await,
        "watches" => target.with(2, large::watches).await,
        "entries" => target.with(2, large::entries).await,
        "odd" => target.with(2, large::odd).await,
        "references" => target.with(2, large::references).await,
        "large" => target.with(8, large::large).await,
        "storm" => target.with(16, insiders::storm).await,
        _ => return Err(format!("{name}: no such attack")),
    }
    Ok(())
}
