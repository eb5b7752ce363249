//! Standard input in place of the word `-` on the command line, for secrets, which lists of processes would show, and
//! for PEM texts.

use std::{
    fmt,
    io::{self, IsTerminal, Read, Write},
};

use clap::ArgMatches;

use crate::failure::Failure;

/// The word that stands for standard input.
pub(crate) const STANDARD: &str = "-";

/// A text that is never shown.
#[derive(Clone)]
pub(crate) struct Input(String);

impl Input {
    /// The text of a word, or of standard input for `-`.
    pub(crate) fn of_option(word: &str) -> Result<Self, Failure> {
        match word {
            STANDARD => secret(),
            word => Ok(Self(word.to_owned())),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input(..)")
    }
}

/// The text that a command reads from standard input, if any. It is read before the command starts, so that nothing
/// waits for a lock meanwhile.
pub(crate) fn of(matches: &ArgMatches) -> Result<Option<Input>, Failure> {
    let is_standard = |name| {
        let word = matches.try_get_one::<String>(name).ok().flatten();
        word.is_some_and(|word| word == STANDARD)
    };
    if is_standard("SECRET") {
        return secret().map(Some);
    }
    match is_standard("FILE") {
        true => whole().map(Some),
        false => Ok(None),
    }
}

/// The first line. Further lines may be for other commands.
fn secret() -> Result<Input, Failure> {
    if io::stdin().is_terminal() {
        let _ = writeln!(
            io::stderr(),
            "type the secret, which is shown, in one line:"
        );
    }
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .map_err(|error| failed(&error))?;
    let text = line.strip_suffix('\n').unwrap_or(&line);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::failed("there is no secret at standard input"));
    }
    Ok(Input(text.to_owned()))
}

fn whole() -> Result<Input, Failure> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| failed(&error))?;
    Ok(Input(text))
}

fn failed(error: &io::Error) -> Failure {
    Failure::failed(format_args!("cannot read standard input: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_shown() {
        assert_eq!(format!("{:?}", Input("hush".into())), "Input(..)");
    }
}
