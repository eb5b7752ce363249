//! Networks of processes, and the measurements with them.

use std::thread;
use std::time::{Duration, Instant};

use crate::database::member::Member;
use crate::database::process::Process;

/// The time for which a process rests before its memory is measured.
const REST: Duration = Duration::from_millis(300);

/// Global nodes, each with the earlier ones as seeds, and a slave of the first that sets keys.
pub(crate) struct Network {
    globals: Vec<Process>,
    seeds: Vec<String>,
    setter: Process,
}

/// The cost of setting keys one by one.
pub(crate) struct Spread {
    /// The time of the calls, in milliseconds.
    pub(crate) calls: f64,
    /// The time from the first call until all global nodes and the watcher had all keys, in milliseconds.
    pub(crate) everywhere: f64,
    /// The memory for each key, in bytes: in the process that has set them, in the global nodes on average, and in
    /// the watcher.
    pub(crate) memory: [f64; 3],
}

fn member(name: &str, seeds: &[String]) -> Member {
    Member {
        name: name.to_owned(),
        global: false,
        seeds: seeds.to_vec(),
        join: None,
    }
}

/// A node whose only seed, and so its master, is the global node with this number and address.
fn slave(name: &str, (number, address): (usize, &String)) -> Result<Process, String> {
    let mut process = Process::start(&member(name, std::slice::from_ref(address)))?;
    process.reply()?;
    process.ask(&format!("until g{number}"))?;
    Ok(process)
}

impl Network {
    pub(crate) fn start(globals: usize) -> Result<Self, String> {
        let (mut processes, mut seeds) = (Vec::new(), Vec::new());
        for number in 0..globals {
            let mut global = member(&format!("g{number}"), &seeds);
            global.global = true;
            let mut process = Process::start(&global)?;
            seeds.push(process.reply()?);
            for other in 0..number {
                process.ask(&format!("until g{other}"))?;
            }
            processes.push(process);
        }
        let setter = slave("setter", (0, &seeds[0]))?;
        Ok(Self {
            globals: processes,
            seeds,
            setter,
        })
    }

    /// Sets keys, which a slave of the last global node watches.
    pub(crate) fn spread(&mut self, keys: usize) -> Result<Spread, String> {
        let last = self.seeds.len() - 1;
        let mut watcher = slave("watcher", (last, &self.seeds[last]))?;
        watcher.ask(&format!("watch {keys}"))?;
        for global in &mut self.globals {
            global.ask(&format!("hold {keys}"))?;
        }
        let before = self.memory(&mut watcher)?;
        let (began, ended) = self.set(keys)?;
        let mut times = vec![watcher.reply()?];
        for global in &mut self.globals {
            times.push(global.reply()?);
        }
        let mut everywhere = 0.0_f64;
        for time in times {
            everywhere = everywhere.max(milliseconds(&began, &time)?);
        }
        let after = self.memory(&mut watcher)?;
        let grown = |of: usize| (after[of] - before[of]) / keys as f64;
        Ok(Spread {
            calls: milliseconds(&began, &ended)?,
            everywhere,
            memory: [grown(0), grown(1), grown(2)],
        })
    }

    /// Sets keys. Returns the times of the begin and the end.
    pub(crate) fn set(&mut self, keys: usize) -> Result<(String, String), String> {
        let times = self.setter.ask(&format!("set {keys}"))?;
        let (began, ended) = times.split_once(' ').ok_or("the setter tells two times")?;
        Ok((began.to_owned(), ended.to_owned()))
    }

    /// Waits until the global nodes hold this number of keys.
    pub(crate) fn wait_for(&mut self, keys: usize) -> Result<(), String> {
        for global in &mut self.globals {
            global.ask(&format!("hold {keys}"))?;
            global.reply()?;
        }
        Ok(())
    }

    /// The time from the start of a process until its node has seen this number of keys, in milliseconds.
    pub(crate) fn join(&self, keys: usize, global: bool) -> Result<f64, String> {
        let newcomer = Member {
            global,
            join: Some(keys),
            ..member("newcomer", &self.seeds[..1])
        };
        let began = Instant::now();
        let mut process = Process::start(&newcomer)?;
        process.reply()?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    }

    fn memory(&mut self, watcher: &mut Process) -> Result<[f64; 3], String> {
        thread::sleep(REST);
        let mut globals = 0.0;
        for global in &mut self.globals {
            globals += global.number("memory")?;
        }
        let global = globals / self.globals.len() as f64;
        Ok([
            self.setter.number("memory")?,
            global,
            watcher.number("memory")?,
        ])
    }
}

/// The milliseconds between two times that processes have reported.
fn milliseconds(began: &str, ended: &str) -> Result<f64, String> {
    let time = |text: &str| text.parse::<u128>().map_err(|_| format!("{text}: no time"));
    let between = time(ended)?.saturating_sub(time(began)?);
    Ok(between as f64 / 1e6)
}
