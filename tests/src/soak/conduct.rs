//! One scenario from beginning to end.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Outcome, Scenario,
    friends::{Friends, Newcomers, Served},
    process::Process,
    report::Latency,
    system,
};

/// The pause between two readings of the victim's memory.
const LOOK: Duration = Duration::from_millis(20);
/// The time in which the victim must have cleaned up after an attack.
const TIDY: Duration = Duration::from_secs(30);
/// Lines of the log that an attack may cause in a second, those of nodes that come and go not counted.
const LINES_PER_SECOND: f64 = 100.0;
/// Lines that an attack may cause in any case.
const LINES: f64 = 1000.0;

/// The way in which a scenario is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `aemp-soak`.
    pub program: PathBuf,
    /// The folder for logs.
    pub directory: PathBuf,
    /// Phases without and with the attack.
    pub rounds: u32,
    /// The length of a phase without the attack.
    pub calm: Duration,
    /// The length of a phase with the attack.
    pub attack: Duration,
}

/// Plays a scenario.
///
/// # Errors
///
/// When one of the processes does not do its part. Faults of the victim are in the outcome.
pub fn conduct(plan: &Plan, scenario: &Scenario) -> Result<Outcome, String> {
    let mut stage = Stage::set(plan, scenario)?;
    for _ in 0..plan.rounds {
        stage.round()?;
    }
    stage.end()
}

/// The processes of a scenario, and the observations so far.
struct Stage<'a> {
    plan: &'a Plan,
    victim: Process,
    /// A node without users. An attack on it costs the machine as much as one on the victim.
    decoy: (Process, String),
    log: PathBuf,
    address: String,
    friends: Friends,
    newcomers: Newcomers,
    /// The victim's memory and descriptors before the first attack.
    before: (u64, usize),
    under_attack: Duration,
    blows: f64,
    processor: f64,
    outcome: Outcome,
}

impl<'a> Stage<'a> {
    fn set(plan: &'a Plan, scenario: &Scenario) -> Result<Self, String> {
        let log = plan.directory.join(format!("{}.log", scenario.name));
        let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let descriptors = scenario.descriptors.map(|most| most.to_string());
        let args: Vec<&str> = ["victim"]
            .into_iter()
            .chain(descriptors.as_deref())
            .collect();
        let victim = Process::start(&plan.program, &args, Some(file))?;
        let address = listens(&victim)?;
        let decoy = Process::start(&plan.program, &args, Some(sink(plan)?))?;
        let decoy_address = listens(&decoy)?;
        let friends = Friends::start(&plan.program, &address)?;
        let mut newcomers = Newcomers::new(&address)?;
        // The memory for the first newcomer is not the attack's fault.
        newcomers.come()?;
        thread::sleep(plan.calm);
        let before = (
            system::resident(victim.id()),
            system::descriptors(victim.id()),
        );
        Ok(Self {
            plan,
            victim,
            decoy: (decoy, decoy_address),
            log,
            address,
            friends,
            newcomers,
            before,
            under_attack: Duration::ZERO,
            blows: 0.0,
            processor: 0.0,
            outcome: Outcome {
                scenario: *scenario,
                calm: Latency::default(),
                beside: Latency::default(),
                attacked: Latency::default(),
                grown: 0,
                memory: (0, 0),
                blows: 0.0,
                messages: 0,
                newcomer: 0,
                processor: 0.0,
                lines: 0,
                faults: Vec::new(),
            },
        })
    }

    /// A phase without the attack, and one with it.
    fn round(&mut self) -> Result<(), String> {
        self.friends.served()?;
        thread::sleep(self.plan.calm);
        let calm = self.friends.served()?;
        self.outcome.calm.join(calm.latency);
        self.beside()?;
        self.attack()?;
        // During the attack newcomers have been served; here, behind it.
        self.newcomer();
        self.tidy();
        Ok(())
    }

    /// The attack, on the decoy.
    fn beside(&mut self) -> Result<(), String> {
        let attacker = self.attacker(&self.decoy.1, self.plan.calm)?;
        let served = self.friends.served()?;
        drop(served);
        thread::sleep(self.plan.calm);
        let beside = self.friends.served()?;
        attacker.line()?;
        self.outcome.beside.join(beside.latency);
        Ok(())
    }

    fn attacker(&self, address: &str, duration: Duration) -> Result<Process, String> {
        let milliseconds = duration.as_millis().to_string();
        let args = ["attack", self.outcome.scenario.name, address, &milliseconds];
        Process::start(&self.plan.program, &args, None)
    }

    fn attack(&mut self) -> Result<(), String> {
        let duration = self.plan.attack;
        let (began, processor) = (Instant::now(), system::processor(self.victim.id()));
        let memory = Memory::watch(self.victim.id());
        let attacker = self.attacker(&self.address, duration)?;
        // Calls before the attack do not count as calls under attack.
        self.friends.served()?;
        thread::sleep(duration / 2);
        // The newcomer's own work is no part of the comparison.
        let first = self.friends.served()?;
        self.newcomer();
        let _with_newcomer = self.friends.served()?;
        thread::sleep(duration.saturating_sub(began.elapsed()));
        let second = self.friends.served()?;
        let blows = attacker.line()?;
        let blows: f64 = blows
            .parse()
            .map_err(|_| format!("the attacker says {blows:?}"))?;
        self.outcome.attacked.join(first.latency);
        self.outcome.attacked.join(second.latency);
        self.outcome.grown = self
            .outcome
            .grown
            .max(memory.most().saturating_sub(self.before.0));
        self.under_attack += began.elapsed();
        self.processor += system::processor(self.victim.id()) - processor;
        self.blows += blows;
        Ok(())
    }

    fn fault(&mut self, text: impl Into<String>) {
        self.outcome.faults.push(text.into());
    }

    fn newcomer(&mut self) {
        match self.newcomers.come() {
            Ok(took) => self.outcome.newcomer = self.outcome.newcomer.max(took.as_millis()),
            Err(error) => self.fault(error),
        }
    }

    /// The victim's descriptors come back.
    fn tidy(&mut self) {
        let deadline = Instant::now() + TIDY;
        while Instant::now() < deadline {
            // One more than before may be a newcomer's that is about to go.
            if system::descriptors(self.victim.id()) <= self.before.1 + 1 {
                return;
            }
            thread::sleep(LOOK);
        }
        let now = system::descriptors(self.victim.id());
        let before = self.before.1;
        self.fault(format!(
            "{before} descriptors before the attack, {now} long after it"
        ));
    }

    fn end(mut self) -> Result<Outcome, String> {
        let served = self.friends.settled()?;
        self.judge(&served);
        if !self.victim.runs() {
            self.fault("the victim has ended");
        }
        self.outcome.memory = (self.before.0, system::resident(self.victim.id()));
        // Before the friends go, which is logged as well.
        let log = fs::read(&self.log).map_err(|error| error.to_string())?;
        drop(self.friends);
        if !self.victim.end() {
            self.outcome
                .faults
                .push("the victim did not end in good order".into());
        }
        let seconds = self.under_attack.as_secs_f64();
        self.outcome
            .read_log(&String::from_utf8_lossy(&log), seconds, self.blows);
        self.outcome.blows = self.blows / seconds;
        self.outcome.processor = self.processor / seconds;
        Ok(self.outcome)
    }

    fn judge(&mut self, served: &Served) {
        let Served {
            failed,
            holes,
            fired,
            back,
            ..
        } = *served;
        self.outcome.messages = back;
        for (count, what) in [
            (failed, "calls of friends have failed"),
            (holes, "holes in the friends' messages"),
            (fired, "monitors of friends have fired"),
        ] {
            if count > 0 {
                self.fault(format!("{count} {what}"));
            }
        }
        let bound = self.outcome.scenario.memory;
        if self.outcome.grown > bound << 20 {
            let grown = self.outcome.grown >> 20;
            self.fault(format!(
                "memory has grown by {grown} MiB, which is more than {bound}"
            ));
        }
        if self.outcome.attacked.calls() == 0 || back == 0 {
            self.fault("friends were not served under attack");
        }
        if self.blows == 0.0 {
            self.fault("the attacker has done nothing");
        }
    }
}

impl Outcome {
    fn read_log(&mut self, log: &str, seconds: f64, blows: f64) {
        let comes_and_goes = |line: &&str| line.contains(" is up") || line.contains(" is down");
        self.lines = log.lines().filter(|line| !comes_and_goes(line)).count();
        let mut faults = Vec::new();
        if let Some(panic) = log.lines().find(|line| line.contains("panicked")) {
            faults.push(format!("the victim has panicked: {panic}"));
        }
        let lost = |line: &&str| line.contains("friend/") && line.contains(" is down");
        if let Some(down) = log.lines().find(lost) {
            faults.push(format!("a friend's connection was lost: {down}"));
        }
        let (expected, after) = self.scenario.log;
        if blows >= after && !log.contains(expected) {
            faults.push(format!("nothing was logged of {expected:?}"));
        }
        if self.lines as f64 > LINES + LINES_PER_SECOND * seconds {
            faults.push(format!(
                "{} lines logged in {seconds:.1} seconds",
                self.lines
            ));
        }
        self.faults.append(&mut faults);
    }
}

/// The address of a node that has just been started.
fn listens(node: &Process) -> Result<String, String> {
    let line = node.line()?;
    let address = line.strip_prefix("listens ");
    Ok(address
        .ok_or("a node begins with where it listens")?
        .to_owned())
}

fn sink(plan: &Plan) -> Result<File, String> {
    let path = plan.directory.join("decoy.log");
    File::create(path).map_err(|error| error.to_string())
}

/// A process's memory while it is looked at.
struct Memory {
    most: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    watcher: Option<thread::JoinHandle<()>>,
}

impl Memory {
    fn watch(process: u32) -> Self {
        let (most, over) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (seen, ended) = (Arc::clone(&most), Arc::clone(&over));
        let watcher = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                seen.fetch_max(system::resident(process), Ordering::Relaxed);
                thread::sleep(LOOK);
            }
        });
        Self {
            most,
            over,
            watcher: Some(watcher),
        }
    }

    /// The most that it has had until now.
    fn most(mut self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
        self.most.load(Ordering::Relaxed)
    }
}

/// The folder for the logs of a run. It is made if it is missing.
pub(super) fn directory(program: &Path) -> Result<PathBuf, String> {
    let parent = program.parent().unwrap_or_else(|| Path::new("."));
    let directory = parent.join("aemp-soak-logs");
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    Ok(directory)
}
