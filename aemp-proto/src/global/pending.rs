//! Questions that the master has still to answer. A new master is asked again.

use std::{collections::BTreeMap, sync::Arc};

use aemp_codec::{NodeId, Value};
use indexmap::IndexMap;

use super::request::{Pairs, Query};

/// A query, as a number. No two queries of a node ever have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// The answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The keys and values.
    Family(Pairs),
    /// The keys.
    Keys(Vec<Arc<str>>),
    /// The values.
    Values(Vec<Value>),
}

impl Answer {
    /// Creates the answer from a family's entries.
    pub(super) fn of<'a>(
        kind: Query,
        entries: impl Iterator<Item = (&'a Arc<str>, &'a Value)>,
    ) -> Self {
        match kind {
            Query::Family => {
                let pairs = entries.map(|(key, value)| (Arc::clone(key), value.clone()));
                Self::Family(pairs.collect())
            }
            Query::Keys => Self::Keys(entries.map(|(key, _)| Arc::clone(key)).collect()),
            Query::Values => Self::Values(entries.map(|(_, value)| value.clone()).collect()),
        }
    }

    /// Parses the answer of a master.
    pub(super) fn parse(kind: Query, answer: Value) -> Result<Self, String> {
        let wrong = |expected: &str, found: &Value| {
            let found: String = found.to_string().chars().take(40).collect();
            Err(format!(
                "{}: the answer must be {expected}, and is {found}",
                kind.request()
            ))
        };
        match (kind, answer) {
            (Query::Family, Value::Map(map)) => {
                let pairs = map.into_iter().map(|(key, value)| (key.into(), value));
                Ok(Self::Family(pairs.collect()))
            }
            (Query::Family, Value::Null) => Ok(Self::Family(Pairs::new())),
            (Query::Keys, Value::Array(list)) => {
                let keys = list.iter().map(|key| Some(key.text()?.as_ref().into()));
                match keys.collect() {
                    Some(keys) => Ok(Self::Keys(keys)),
                    None => wrong("a list of texts", &Value::Array(list)),
                }
            }
            (Query::Values, Value::Array(list)) => Ok(Self::Values(list)),
            (Query::Family, other) => wrong("a map", &other),
            (Query::Keys | Query::Values, other) => wrong("a list", &other),
        }
    }
}

/// A question to a master.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ask {
    Find(NodeId),
    Query(QueryId),
    Monitor(Arc<str>),
}

/// The subject of a query.
type Subject = (Query, Arc<str>);

#[derive(Debug)]
struct Asked {
    /// The place in the order of all questions.
    place: u64,
    /// The subject, if it is a query.
    query: Option<Subject>,
    /// True if it has been sent to the present master.
    sent: bool,
}

/// All open questions, in order.
#[derive(Debug, Default)]
pub(super) struct Pending {
    asks: IndexMap<Ask, Asked>,
    /// The questions that the present master has not been sent, by place.
    unsent: BTreeMap<u64, Ask>,
    next: u64,
    last: u64,
}

impl Pending {
    pub(super) fn find(&mut self, node: &NodeId) {
        self.add(Ask::Find(node.clone()), None);
    }

    pub(super) fn monitor(&mut self, family: &Arc<str>) {
        self.add(Ask::Monitor(Arc::clone(family)), None);
    }

    pub(super) fn next_query(&mut self) -> QueryId {
        self.last += 1;
        QueryId(self.last)
    }

    pub(super) fn query(&mut self, id: QueryId, kind: Query, family: &str) {
        self.add(Ask::Query(id), Some((kind, family.into())));
    }

    fn add(&mut self, ask: Ask, query: Option<Subject>) {
        if !self.asks.contains_key(&ask) {
            let (place, sent) = (self.next, false);
            self.next += 1;
            self.unsent.insert(place, ask.clone());
            self.asks.insert(ask, Asked { place, query, sent });
        }
    }

    /// Removes a question that is answered or cancelled. Returns true if it was sent to the present master; `None` if
    /// it was not there.
    pub(super) fn remove(&mut self, ask: &Ask) -> Option<bool> {
        Some(self.take(ask)?.sent)
    }

    fn take(&mut self, ask: &Ask) -> Option<Asked> {
        let asked = self.asks.swap_remove(ask)?;
        self.unsent.remove(&asked.place);
        Some(asked)
    }

    /// The families that the present master has been asked to monitor.
    pub(super) fn asked_monitors(&self) -> Vec<Arc<str>> {
        let monitor = |(ask, asked): (&Ask, &Asked)| match ask {
            Ask::Monitor(family) if asked.sent => Some(Arc::clone(family)),
            _ => None,
        };
        self.asks.iter().filter_map(monitor).collect()
    }

    /// Removes a query that is answered or cancelled. Returns its subject.
    pub(super) fn remove_query(&mut self, id: QueryId) -> Option<Subject> {
        self.take(&Ask::Query(id))?.query
    }

    /// Marks all questions as not sent, because there is a new master.
    pub(super) fn ask_again(&mut self) {
        let asks = self.asks.iter_mut();
        self.unsent = asks
            .map(|(ask, asked)| {
                asked.sent = false;
                (asked.place, ask.clone())
            })
            .collect();
    }

    /// Returns the next question for the present master.
    pub(super) fn next_unsent(&mut self) -> Option<(Ask, Option<Subject>)> {
        let (_, ask) = self.unsent.pop_first()?;
        let asked = self.asks.get_mut(&ask)?;
        asked.sent = true;
        Some((ask, asked.query.clone()))
    }

    /// Takes all queries and searches, to answer them without a master.
    pub(super) fn take_all(&mut self) -> Vec<(Ask, Option<Subject>)> {
        self.unsent.clear();
        let asks = std::mem::take(&mut self.asks);
        asks.into_iter()
            .map(|(ask, asked)| (ask, asked.query))
            .collect()
    }

    /// Takes all queries.
    pub(super) fn take_queries(&mut self) -> Vec<(QueryId, Query, Arc<str>)> {
        let ids = self.asks.keys().filter_map(|ask| match ask {
            Ask::Query(id) => Some(*id),
            _ => None,
        });
        let ids: Vec<_> = ids.collect();
        let query = |id| {
            let (kind, family) = self.remove_query(id)?;
            Some((id, kind, family))
        };
        ids.into_iter().filter_map(query).collect()
    }

    /// True if there are questions that the present master has not been sent.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.asks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_asked_once_of_each_master_until_it_is_answered() {
        let mut pending = Pending::default();
        let node = NodeId::new("n").unwrap();
        pending.find(&node);
        pending.find(&node);
        let id = pending.next_query();
        pending.query(id, Query::Keys, "f");
        pending.monitor(&"g".into());
        let mut asked = || {
            std::iter::from_fn(|| pending.next_unsent())
                .map(|(ask, _)| ask)
                .collect::<Vec<_>>()
        };
        let all = [
            Ask::Find(node.clone()),
            Ask::Query(id),
            Ask::Monitor("g".into()),
        ];
        assert_eq!(asked(), all);
        assert!(asked().is_empty());
        assert_eq!(pending.remove(&Ask::Find(node.clone())), Some(true));
        pending.ask_again();
        let mut asked = || {
            std::iter::from_fn(|| pending.next_unsent())
                .map(|(ask, _)| ask)
                .collect::<Vec<_>>()
        };
        assert_eq!(asked(), all[1..]);
        assert_eq!(
            pending.remove_query(id).map(|(kind, _)| kind),
            Some(Query::Keys)
        );
        assert!(pending.remove_query(id).is_none());
        assert_eq!(pending.len(), 1);
    }

    #[test]
    fn answers_have_to_be_of_their_kind() {
        let family = Value::Map([("k", 1)].into_iter().collect());
        let pairs = vec![("k".into(), 1.into())];
        assert_eq!(
            Answer::parse(Query::Family, family.clone()),
            Ok(Answer::Family(pairs))
        );
        assert_eq!(
            Answer::parse(Query::Family, Value::Null),
            Ok(Answer::Family(vec![]))
        );
        let keys = Answer::Keys(vec!["1".into(), "a".into()]);
        let list = Value::Array(vec![1.into(), "a".into()]);
        assert_eq!(Answer::parse(Query::Keys, list), Ok(keys));
        assert_eq!(
            Answer::parse(Query::Keys, family).unwrap_err(),
            "g_db_keys: the answer must be a list, and is {\"k\":1}"
        );
        assert!(Answer::parse(Query::Values, 1.into()).is_err());
    }
}
