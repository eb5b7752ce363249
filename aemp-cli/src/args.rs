//! The arguments of a command: how one is declared, and how its value is read.

use clap::{Arg, ArgMatches};

use crate::{failure::Failure, words};

/// A positional argument of one word.
pub(crate) fn one(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).required(true).help(help)
}

/// A positional argument that takes all further words, even if they look like options.
pub(crate) fn many(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .num_args(0..)
        .trailing_var_arg(true)
        .allow_hyphen_values(true)
        .help(help)
}

/// The values of a positional argument that takes several words.
pub(crate) fn rest<'a>(matches: &'a ArgMatches, name: &str) -> Vec<&'a String> {
    let values = matches.get_many::<String>(name);
    values.into_iter().flatten().collect()
}

/// The word of a required positional argument.
pub(crate) fn word<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

/// As [`word`], checked to be text.
pub(crate) fn text(matches: &ArgMatches, name: &str) -> Result<String, Failure> {
    words::text(name, word(matches, name))
}
