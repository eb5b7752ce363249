//! The command line of `aemp-soak`.

use std::{env, time::Duration};

use super::{
    Outcome, Plan, SCENARIOS, Scenario, attack, conduct, conduct::directory, friend,
    raise_descriptor_limit, victim,
};

const USAGE: &str =
    "aemp-soak: attacks a node in all ways that are known here, while honest nodes use it

options:
  --minutes N     how long all scenarios take together, about (default 15)
  --smoke         as short as possible: shows that everything runs
  --only NAME     plays this scenario alone (may be repeated)
  --strict        calls that take more than twice as long as beside an attack on another node are a fault
  --markdown      prints a table for BENCHMARKS.md
  --list          lists the scenarios";

/// The largest factor by which calls may take longer under attack, with `--strict`.
const STRICT: f64 = 2.0;

struct Options {
    minutes: f64,
    smoke: bool,
    strict: bool,
    markdown: bool,
    only: Vec<String>,
}

/// Follows the arguments. Returns true if all went well.
///
/// # Errors
///
/// A description of the mistake in the arguments; the usage, if it was asked for; the reason for which a scenario could
/// not be played.
pub fn run(arguments: &[String]) -> Result<bool, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    raise_descriptor_limit();
    match words[..] {
        ["victim"] => role(true, async {
            victim::run(None).await.map_err(|error| error.to_string())
        }),
        ["victim", most] => {
            let most = most.parse().map_err(|_| format!("{most}: not a number"))?;
            role(true, async move {
                victim::run(Some(most))
                    .await
                    .map_err(|error| error.to_string())
            })
        }
        ["friend", id, seed] => {
            let (id, seed) = (id.to_owned(), seed.to_owned());
            role(false, async move {
                friend::run(&id, &seed)
                    .await
                    .map_err(|error| error.to_string())
            })
        }
        ["attack", name, address, milliseconds] => {
            let (name, address) = (name.to_owned(), address.to_owned());
            let time = milliseconds
                .parse()
                .map_err(|_| format!("{milliseconds}: not a number"))?;
            role(false, async move {
                let blows = attack::run(&name, &address, Duration::from_millis(time)).await?;
                println!("{blows}");
                Ok(())
            })
        }
        _ => play(&Options::parse(&words)?),
    }
}

/// Runs a process's part on a runtime of its own.
fn role(
    logs: bool,
    part: impl Future<Output = Result<(), String>> + Send + 'static,
) -> Result<bool, String> {
    if logs {
        super::logs();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let part = runtime.spawn(part);
    let done = runtime.block_on(part).map_err(|error| error.to_string())?;
    runtime.shutdown_background();
    done.map(|()| true)
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            minutes: 15.0,
            smoke: false,
            strict: false,
            markdown: false,
            only: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .ok_or_else(|| format!("{word} needs a value\n{USAGE}"))
            };
            match *word {
                "--smoke" => options.smoke = true,
                "--strict" => options.strict = true,
                "--markdown" => options.markdown = true,
                "--only" => options.only.push((*value()?).into()),
                "--minutes" => {
                    let text = value()?;
                    options.minutes = text
                        .parse()
                        .map_err(|_| format!("--minutes {text}: not a number"))?;
                }
                "--list" => return Err(list()),
                "--help" => return Err(USAGE.into()),
                unknown => return Err(format!("{unknown} is not an option\n{USAGE}")),
            }
        }
        Ok(options)
    }

    fn scenarios(&self) -> Result<Vec<&'static Scenario>, String> {
        let known = |name: &String| SCENARIOS.iter().any(|scenario| scenario.name == name);
        if let Some(unknown) = self.only.iter().find(|name| !known(name)) {
            return Err(format!("{unknown}: no such scenario\n{}", list()));
        }
        let chosen = |scenario: &&Scenario| {
            self.only.is_empty() || self.only.iter().any(|name| name == scenario.name)
        };
        Ok(SCENARIOS.iter().filter(chosen).collect())
    }

    fn plan(&self, scenarios: usize) -> Result<Plan, String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let each = self.minutes * 60.0 / scenarios as f64;
        // Half of the time are attacks; with the pauses between them, a round takes some seconds longer.
        let rounds = if self.smoke {
            1
        } else {
            (each / 15.0).ceil() as u32
        };
        let phase = if self.smoke {
            0.5
        } else {
            each / f64::from(rounds)
        };
        Ok(Plan {
            directory: directory(&program)?,
            program,
            rounds,
            calm: Duration::from_secs_f64(phase / 4.0),
            attack: Duration::from_secs_f64(phase / 2.0),
        })
    }
}

fn list() -> String {
    let line = |scenario: &Scenario| format!("{:<14} {}", scenario.name, scenario.what);
    SCENARIOS.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn play(options: &Options) -> Result<bool, String> {
    let scenarios = options.scenarios()?;
    let plan = options.plan(scenarios.len())?;
    println!("logs are in {}", plan.directory.display());
    if options.markdown {
        println!("{}", Outcome::HEAD);
    }
    let mut well = true;
    for scenario in scenarios {
        let mut outcome = conduct(&plan, scenario)?;
        let [median, _] = outcome.to_beside();
        if options.strict && median > STRICT {
            outcome
                .faults
                .push(format!("calls took {median:.2} times as long under attack"));
        }
        well &= outcome.faults.is_empty();
        if options.markdown {
            println!("{}", outcome.row());
        } else {
            println!("{outcome}");
        }
    }
    Ok(well)
}
