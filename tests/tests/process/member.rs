//! A member of a network in a process of its own, and its reports on the others.

use std::{collections::BTreeMap, process::Command, time::Instant};

use crate::child::Child;

/// Keys and values of the family `members`: nodes and their processes.
pub(crate) type Seen = BTreeMap<String, u32>;

pub(crate) struct Member {
    pub(crate) child: Child,
    /// The content of its watch.
    holds: Seen,
    /// Members of which its watch has told that they are gone.
    pub(crate) lost: Vec<String>,
}

impl Member {
    /// Starts one; in a network namespace, if there is a name of one.
    pub(crate) fn start(
        namespace: Option<&str>,
        [id, bind, timeout, role]: [&str; 4],
        seeds: &[String],
    ) -> Self {
        let program = env!("CARGO_BIN_EXE_aemp-test-member");
        let mut command = match namespace {
            None => Command::new(program),
            Some(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name, program]);
                command
            }
        };
        command.args([id, bind, timeout, role]).args(seeds);
        Self {
            child: Child::run(command),
            holds: Seen::new(),
            lost: Vec::new(),
        }
    }

    /// Gives an order. Returns the answer without its first word.
    fn ask(&mut self, order: &str, answer: &str, deadline: Instant) -> Result<String, String> {
        self.child.order(order);
        loop {
            let line = self.child.line(deadline);
            let line = line.ok_or_else(|| format!("no answer to {order:?}"))?;
            let (first, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match first {
                "holds" => self.holds = pairs(rest)?,
                "lost" => self.lost.extend(rest.split(' ').map(Into::into)),
                first if first == answer => return Ok(rest.into()),
                _ => return Err(format!("{order:?} was answered by {line:?}")),
            }
        }
    }

    /// The master of the member; `None` for a global node.
    pub(crate) fn master(&mut self, deadline: Instant) -> Option<String> {
        let role = self.ask("role", "role", deadline).expect("an answer");
        role.strip_prefix("slave ").map(Into::into)
    }

    /// Checks that its watch, a query, the pool and calls show exactly the expected members. The error describes the
    /// first difference.
    pub(crate) fn check(&mut self, expected: &Seen, deadline: Instant) -> Result<(), String> {
        let asked = pairs(&self.ask("ask", "asked", deadline)?)?;
        same("a query", &asked, expected)?;
        // By now all that its watch has told is read as well.
        same("the watch", &self.holds, expected)?;
        let worked = pairs(&self.ask("work", "worked", deadline)?)?;
        if !worked.keys().eq(expected.keys()) || worked.values().sum::<u32>() != 10 {
            return Err(format!("the pool's work was done by {worked:?}"));
        }
        for (node, process) in expected {
            let reached = self.ask(&format!("reach {node}"), "reached", deadline)?;
            if reached != format!("{node}={process}") {
                return Err(format!("a call of {node}'s worker: {reached}"));
            }
        }
        Ok(())
    }
}

fn same(what: &str, seen: &Seen, expected: &Seen) -> Result<(), String> {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what} shows {seen:?} instead of {expected:?}"))
}

fn pairs(text: &str) -> Result<Seen, String> {
    let pairs = text.split(' ').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        Some((key.to_owned(), value.parse().ok()?))
    };
    let pairs: Option<Seen> = pairs.map(pair).collect();
    pairs.ok_or_else(|| format!("{text:?} is no list of members"))
}
