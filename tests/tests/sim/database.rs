//! The distributed database: the reports of watches, and the content that all nodes must see in the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aemp::{
    Value,
    sim::{Member, World},
};
use aemp_proto::global::{Answer, Query, QueryId, WatchId, Watched};

/// The families that nodes set keys in.
pub(crate) const FAMILIES: [&str; 3] = ["workers", "services", "colours"];
/// These and those that the nodes themselves use.
const ALL_FAMILIES: [&str; 5] = ["workers", "services", "colours", "'l", "'g"];
/// The longest time of a query without faults.
const ANSWER: Duration = Duration::from_secs(3);

type Contents = BTreeMap<String, Value>;

/// A watch, and its reports so far.
#[derive(Debug)]
struct Watch {
    family: &'static str,
    contents: Option<Contents>,
}

/// The tests' knowledge of watches and queries.
#[derive(Debug, Default)]
pub(crate) struct Database {
    watches: BTreeMap<(Member, WatchId), Watch>,
    /// Queries that have not been answered.
    asked: BTreeSet<(Member, QueryId)>,
    answers: BTreeMap<(Member, QueryId), Contents>,
}

impl Database {
    pub(crate) fn watch(&mut self, world: &mut World, member: Member, family: &'static str) {
        if let Some(id) = world.db_watch(member, family) {
            let contents = None;
            self.watches
                .insert((member, id), Watch { family, contents });
        }
    }

    /// Ends one of a node's watches.
    pub(crate) fn unwatch(&mut self, world: &mut World, member: Member) {
        let mut mine = self.watches.keys().filter(|(at, _)| *at == member);
        if let Some((at, id)) = mine.next().copied() {
            world.db_unwatch(at, id);
            self.watches.remove(&(at, id));
        }
    }

    pub(crate) fn ask(
        &mut self,
        world: &mut World,
        member: Member,
        family: &str,
    ) -> Option<QueryId> {
        let query = world.db_query(member, Query::Family, family)?;
        self.asked.insert((member, query));
        Some(query)
    }

    /// A node's life has ended.
    pub(crate) fn forget(&mut self, member: Member) {
        self.watches.retain(|(at, _), _| *at != member);
        self.asked.retain(|(at, _)| *at != member);
    }

    /// A query is answered once.
    pub(crate) fn answered(
        &mut self,
        at: Member,
        query: QueryId,
        answer: Result<Answer, String>,
    ) -> Result<(), String> {
        if !self.asked.remove(&(at, query)) {
            return Err(format!("{query:?} of {at:?} is answered again"));
        }
        match answer? {
            Answer::Family(pairs) => {
                let contents = pairs
                    .into_iter()
                    .map(|(key, value)| (key.to_string(), value));
                self.answers.insert((at, query), contents.collect());
                Ok(())
            }
            other => Err(format!(
                "{query:?} of {at:?} has asked for a family, not for {other:?}"
            )),
        }
    }

    /// First all, then changes that fit the earlier reports.
    pub(crate) fn watched(&mut self, at: Member, id: WatchId, told: Watched) -> Result<(), String> {
        let Some(watch) = self.watches.get_mut(&(at, id)) else {
            return Err(format!("{id:?} of {at:?} tells {told:?} after its end"));
        };
        let changes = match (told, &mut watch.contents) {
            (Watched::All(pairs), contents @ None) => {
                let all = pairs
                    .into_iter()
                    .map(|(key, value)| (key.to_string(), value));
                *contents = Some(all.collect());
                return Ok(());
            }
            (Watched::Changes(changes), Some(contents)) => (changes, contents),
            (told, _) => return Err(format!("{id:?} of {at:?} tells {told:?} at the wrong time")),
        };
        let (changes, contents) = changes;
        for change in changes.iter() {
            let was = match change.value.clone() {
                Some(value) => contents.insert(change.key.to_string(), value),
                None => contents.remove(&*change.key),
            };
            if change.was != was.is_some() || !change.was && change.value.is_none() {
                return Err(format!(
                    "{id:?} of {at:?}: {change:?}, and there was {was:?}"
                ));
            }
        }
        Ok(())
    }

    /// Asks every running node for every family. When the answers are there, all must agree.
    pub(crate) fn ask_all(&mut self, world: &mut World) -> Vec<(Member, &'static str, QueryId)> {
        let running = world.members().filter(|member| world.is_running(*member));
        let mut asked = Vec::new();
        for member in running.collect::<Vec<_>>() {
            for family in ALL_FAMILIES {
                let query = self.ask(world, member, family);
                asked.extend(query.map(|query| (member, family, query)));
            }
        }
        asked
    }

    /// The time to wait for the answers.
    pub(crate) fn patience() -> Duration {
        ANSWER
    }

    /// Every node sees the union of the entries of the running ones, and so does every watch.
    pub(crate) fn check_end(
        &mut self,
        world: &World,
        asked: &[(Member, &'static str, QueryId)],
    ) -> Result<(), String> {
        if let Some((at, query)) = self.asked.first() {
            return Err(format!("{query:?} of {at:?} has never been answered"));
        }
        let mut seen: BTreeMap<(Member, &str), Contents> = BTreeMap::new();
        for (member, family, query) in asked {
            let contents = self.answers.remove(&(*member, *query));
            let contents =
                contents.ok_or_else(|| format!("{query:?} of {member:?} has no answer"))?;
            is_union(world, family, &contents)
                .map_err(|why| format!("{member:?} sees in {family}: {why}"))?;
            seen.insert((*member, family), contents);
        }
        for ((at, id), watch) in &self.watches {
            let contents = watch.contents.as_ref();
            let contents = contents.ok_or_else(|| format!("{id:?} of {at:?} has told nothing"))?;
            let now = &seen[&(*at, watch.family)];
            if contents != now {
                return Err(format!(
                    "{id:?} of {at:?} has told of {contents:?} in {}, and there is {now:?}",
                    watch.family
                ));
            }
        }
        Ok(())
    }
}

/// True if these are the keys that running nodes have set, each with the value that one of its owners gave it.
fn is_union(world: &World, family: &str, contents: &Contents) -> Result<(), String> {
    let mut union: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for member in world.members() {
        let entries = world.mesh(member).map(|mesh| mesh.db_local(family));
        for (key, value) in entries.unwrap_or_default() {
            union.entry(key.to_string()).or_default().push(value);
        }
    }
    for (key, value) in contents {
        match union.get(key) {
            None => return Err(format!("{key} = {value}, which no node has set")),
            Some(values) if !values.contains(value) => {
                return Err(format!("{key} = {value}, which is none of {values:?}"));
            }
            Some(_) => {}
        }
    }
    match union.keys().find(|key| !contents.contains_key(*key)) {
        Some(key) => Err(format!("{key} is missing of {union:?}")),
        None => Ok(()),
    }
}
