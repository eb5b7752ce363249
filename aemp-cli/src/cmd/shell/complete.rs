//! The possible completions of a word.

use clap::Command;

/// Names in the network. Each method may ask the network.
pub(super) trait Known {
    /// The IDs of the nodes.
    fn nodes(&self) -> Vec<String>;
    /// The IDs of the ports of a node.
    fn ports(&self, node: &str) -> Vec<String>;
    /// The names of the init functions of a node.
    fn functions(&self, node: &str) -> Vec<String>;
    /// The names of the families of the database.
    fn families(&self) -> Vec<String>;
}

/// The completions of the last word of `line`: the start of the word, and the possible texts.
pub(super) fn complete(
    commands: &[Command],
    known: &dyn Known,
    here: Option<&str>,
    line: &str,
) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| {
        at + line[at..].chars().next().map_or(1, char::len_utf8)
    });
    let (before, word) = line.split_at(start);
    // A name may be in quotes. It contains no quotes itself.
    let quoted = word.starts_with('\'');
    let word = word.strip_prefix('\'').unwrap_or(word);
    let before: Vec<&str> = before
        .split_whitespace()
        .map(|word| word.trim_matches('\''))
        .collect();
    let mut found = candidates(commands, known, here, &before, word);
    found.retain(|text| text.starts_with(word));
    found.sort();
    found.dedup();
    if let [only] = found.as_mut_slice()
        && !quoted
        && !of_a_port(commands, &before)
    {
        only.push(' ');
    }
    (start + usize::from(quoted), found)
}

fn candidates(
    commands: &[Command],
    known: &dyn Known,
    here: Option<&str>,
    before: &[&str],
    word: &str,
) -> Vec<String> {
    let names = |commands: &mut dyn Iterator<Item = &Command>| {
        let names = commands.filter(|command| !command.is_hide_set());
        names.map(|command| command.get_name().to_owned()).collect()
    };
    let mut words = before.iter().filter(|word| !word.starts_with('-'));
    let Some(first) = words.next() else {
        return names(&mut commands.iter());
    };
    let Some(mut command) = commands.iter().find(|command| is_called(command, first)) else {
        return Vec::new();
    };
    let mut given: Vec<&str> = Vec::new();
    for word in words {
        match command.find_subcommand(word) {
            Some(sub) if given.is_empty() => command = sub,
            _ => given.push(word),
        }
    }
    if word.starts_with('-') {
        return options(command);
    }
    if command.has_subcommands() && given.is_empty() {
        return names(&mut command.get_subcommands());
    }
    let argument = command.get_positionals().nth(given.len());
    let argument = argument.map(|argument| argument.get_id().as_str());
    let node = given.first().copied().map(|node| {
        if node == "." {
            here.unwrap_or(node)
        } else {
            node
        }
    });
    match argument {
        Some("NODE") => known.nodes(),
        Some("PORT") => ports(known, here, word),
        Some("FUNCTION") => known.functions(node.unwrap_or_default()),
        Some("FAMILY") => known.families(),
        Some("COMMAND") => names(&mut commands.iter()),
        _ => Vec::new(),
    }
}

/// True if the word stands for a port. A node's ID may be the beginning of a port ID.
fn of_a_port(commands: &[Command], before: &[&str]) -> bool {
    let mut words = before.iter().filter(|word| !word.starts_with('-'));
    let called = |name: &&&str| commands.iter().find(|command| is_called(command, name));
    let command = words.next().as_ref().and_then(called);
    let argument = command.and_then(|command| command.get_positionals().nth(words.count()));
    argument.is_some_and(|argument| argument.get_id() == "PORT")
}

fn is_called(command: &Command, name: &str) -> bool {
    command.get_name() == name || command.get_all_aliases().any(|alias| alias == name)
}

fn options(command: &Command) -> Vec<String> {
    let long = command
        .get_arguments()
        .filter_map(|argument| argument.get_long());
    long.map(|name| format!("--{name}")).collect()
}

/// The ports of a node, if the word contains its whole ID; otherwise the nodes.
fn ports(known: &dyn Known, here: Option<&str>, word: &str) -> Vec<String> {
    match (word.split_once('#'), here) {
        (Some(("", _)), Some(here)) => {
            let ports = known.ports(here).into_iter();
            let short = |port: String| port.strip_prefix(here).map(str::to_owned);
            ports.filter_map(short).collect()
        }
        (Some((node, _)), _) => known.ports(node),
        (None, _) => known.nodes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake;

    impl Known for Fake {
        fn nodes(&self) -> Vec<String> {
            vec!["green/1".into(), "blue".into(), "green/2".into()]
        }

        fn ports(&self, node: &str) -> Vec<String> {
            vec![format!("{node}#one"), format!("{node}#two")]
        }

        fn functions(&self, node: &str) -> Vec<String> {
            vec![format!("{node}::start"), "My::start".into()]
        }

        fn families(&self) -> Vec<String> {
            vec!["lights".into(), "'l".into()]
        }
    }

    fn completed(line: &str) -> (usize, Vec<String>) {
        let commands: Vec<_> = crate::cmd::entries()
            .into_iter()
            .map(|entry| entry.command)
            .collect();
        complete(&commands, &Fake, Some("blue"), line)
    }

    #[test]
    fn words_are_completed_by_their_arguments() {
        for (line, start, expected) in [
            ("ca", 0, &["cal "][..]),
            ("ports gr", 6, &["green/1", "green/2"]),
            ("cal b", 4, &["blue"]),
            ("cal green/1#t", 4, &["green/1#two"]),
            ("cal #", 4, &["#one", "#two"]),
            ("cal 'green/1#o", 5, &["green/1#one"]),
            ("spawn blue b", 11, &["blue::start "]),
            ("spawn . b", 8, &["blue::start "]),
            ("spawn --wait blue My", 18, &["My::start "]),
            ("db l", 3, &["list "]),
            ("db list l", 8, &["lights "]),
            ("spawn --wa", 6, &["--wait "]),
            ("cal blue#x g", 11, &[]),
            ("nonsense g", 9, &[]),
        ] {
            let (at, found) = completed(line);
            assert_eq!(
                (at, &*found),
                (
                    start,
                    &*expected.iter().map(ToString::to_string).collect::<Vec<_>>()
                ),
                "{line}"
            );
        }
        assert!(completed("").1.contains(&"snd".to_owned()));
        assert!(completed("set").1.contains(&"setseeds".to_owned()));
    }
}
