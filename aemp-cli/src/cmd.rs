//! The commands, and the list of all of them. The commands themselves do not know the list.

mod cal;
mod completions;
mod db;
mod eval;
mod gencert;
mod keys;
mod logs;
mod mon;
mod nodes;
mod observe;
mod ports;
mod profiles;
mod restart;
mod run;
mod settings;
mod shell;
mod snd;
mod spawn;
mod tap;
mod top;
mod trace;

use crate::entry::{Entry, Section};

/// All commands, in the order of the help.
pub(crate) fn entries() -> Vec<Entry> {
    let mut all = vec![
        Entry::new(Section::Run, run::command(), run::run),
        Entry::new(Section::Messages, snd::command(), snd::run),
        Entry::new(Section::Messages, cal::command(), cal::run),
        Entry::new(Section::Messages, mon::command(), mon::run),
        Entry::new(Section::Messages, spawn::command(), spawn::run),
        Entry::new(Section::Messages, eval::command(), eval::run),
        Entry::new(Section::Messages, restart::command(), restart::run),
        Entry::new(Section::Network, nodes::command(), nodes::run).chaining(),
        Entry::new(Section::Network, ports::command(), ports::run).chaining(),
        Entry::new(Section::Network, trace::command(), trace::run),
        Entry::new(Section::Network, db::command(), db::run),
        Entry::new(Section::Network, logs::command(), logs::run),
        Entry::new(Section::Network, tap::command(), tap::run),
        Entry::new(Section::Network, top::command(), top::run),
        Entry::new(Section::Network, observe::command(), observe::run),
        Entry::new(Section::Network, shell::command(), |session, matches| {
            shell::run(session, matches, entries())
        }),
    ];
    all.extend(settings::entries());
    let chained = [
        Entry::new(Section::Settings, keys::secret_command(), keys::gensecret),
        Entry::new(Section::Settings, gencert::command(), gencert::run),
        Entry::new(
            Section::Profiles,
            profiles::profile_command(),
            profiles::profile,
        ),
        Entry::new(
            Section::Profiles,
            profiles::delete_command(),
            profiles::delete,
        ),
        Entry::new(Section::Profiles, profiles::show_command(), profiles::show),
    ];
    all.extend(chained.map(Entry::chaining));
    all.push(Entry::new(
        Section::Profiles,
        profiles::config_command(),
        profiles::config,
    ));
    all.push(Entry::new(
        Section::Shell,
        completions::command(),
        |_, matches| completions::run(matches, &entries()),
    ));
    all
}
