//! The command line of the benches.

/// The options of the command line.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Very small sizes, which only show that everything runs. The figures mean nothing.
    pub(crate) smoke: bool,
    pub(crate) markdown: bool,
    pub(crate) only: Vec<String>,
    pub(crate) contenders: Vec<String>,
    pub(crate) codecs: Vec<String>,
    pub(crate) reps: usize,
    /// The bench `growth` alone: writes `docs/growth`.
    pub(crate) pictures: bool,
    /// The bench `growth` alone: counts instructions instead of the time.
    pub(crate) count: bool,
}

const USAGE: &str = "options:
  --smoke             tiny sizes, one repetition: shows that everything runs
  --only WORKLOAD     measure this workload alone (may be repeated)
  --contender NAME    measure this contender alone (may be repeated)
  --codec NAME        between processes, measure this format alone (may be repeated)
  --reps N            repetitions of each measurement (default 5)
  --markdown          print a table for BENCHMARKS.md
  --pictures          growth alone: write pictures and data to docs/growth
  --count             growth alone: count instructions under callgrind";

impl Options {
    /// Reads the arguments, without the name of the program.
    ///
    /// The error is the text to print: the problem, or the usage if it was requested.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            // `cargo test --benches` passes no arguments. It should only show that the program runs.
            smoke: arguments.is_empty(),
            markdown: false,
            only: Vec::new(),
            contenders: Vec::new(),
            codecs: Vec::new(),
            reps: 5,
            pictures: false,
            count: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next().cloned();
                value.ok_or_else(|| format!("{argument} needs a value\n{USAGE}"))
            };
            match argument.as_str() {
                // Passed by `cargo bench`.
                "--bench" => {}
                "--smoke" => options.smoke = true,
                "--markdown" => options.markdown = true,
                "--only" => options.only.push(value()?),
                "--contender" => options.contenders.push(value()?),
                "--codec" => options.codecs.push(value()?),
                "--reps" => options.reps = repetitions(&value()?)?,
                "--pictures" => options.pictures = true,
                "--count" => options.count = true,
                "--help" => return Err(USAGE.to_owned()),
                unknown => return Err(format!("{unknown} is not an option\n{USAGE}")),
            }
        }
        if options.smoke {
            options.reps = 1;
        }
        Ok(options)
    }

    /// The elements of `all` that were named; an unknown name is an error.
    pub(crate) fn choose<T: Copy>(
        asked: &[String],
        all: &[T],
        name: impl Fn(&T) -> &'static str,
    ) -> Result<Vec<T>, String> {
        let known: Vec<_> = all.iter().map(&name).collect();
        if let Some(unknown) = asked.iter().find(|asked| !known.contains(&asked.as_str())) {
            return Err(format!("{unknown} is none of: {}", known.join(", ")));
        }
        let chosen = |item: &&T| asked.is_empty() || asked.iter().any(|asked| asked == name(item));
        Ok(all.iter().filter(chosen).copied().collect())
    }
}

fn repetitions(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(reps) if reps > 0 => Ok(reps),
        _ => Err(format!("--reps {text}: not a positive number")),
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn parse(line: &str) -> Result<Options, String> {
        let arguments: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&arguments)
    }

    #[test]
    fn cargo_test_smokes_and_cargo_bench_measures() {
        assert!(parse("").unwrap().smoke);
        assert!(!parse("--bench").unwrap().smoke);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(parse("--reps 0").unwrap_err().starts_with("--reps 0"));
        assert!(parse("--only").unwrap_err().starts_with("--only needs"));
        let asked = ["b".to_owned()];
        let unknown = Options::choose(&asked, &["a"], |name| name).unwrap_err();
        assert_eq!(unknown, "b is none of: a");
    }
}
