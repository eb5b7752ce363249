//! The requests between slaves and global nodes ([protocol](crate::protocol::global)).

use std::{fmt, sync::Arc};

use aemp_codec::{Map, NodeId, Value};
use thiserror::Error;

use super::names::{GLOBALS, LISTENERS, LONGEST_NAME};

/// The entries of one family: keys and values.
pub type Pairs = Vec<(Arc<str>, Value)>;

/// A request whose name begins with `g_`.
#[derive(Clone, Debug, PartialEq)]
pub enum GlobalRequest {
    /// `g_slave`: become global; with a database, the sender's master as well.
    Slave(Option<Database>),
    /// `g_global`: the sender is a global node.
    Global,
    /// `g_set`: all entries that the sender, a global node, answers for.
    Set(Database),
    /// `g_upd`: changes of the sender's entries.
    Update(Update),
    /// `g_find`: a request for the addresses of a node.
    Find(NodeId),
    /// `g_found`: the addresses of a node; `None` if it is unknown. Nodes of this project add the relay of a node
    /// without addresses.
    Found(NodeId, Option<Vec<String>>, Option<NodeId>),
    /// `g_db_family`, `g_db_keys`, `g_db_values`: a request for the content of a family.
    Query {
        /// The part of the family.
        kind: Query,
        /// The family.
        family: Arc<str>,
        /// The first element of the answer.
        id: Value,
    },
    /// `g_reply`: the answer to a query.
    Answer {
        /// The number of the query.
        id: u64,
        /// The answer.
        answer: Value,
    },
    /// `g_mon1`: the sender watches a family.
    Monitor(Arc<str>),
    /// `g_mon0`: the sender no longer watches a family.
    Unmonitor(Arc<str>),
    /// `g_chg1`: the content of a watched family.
    All(Arc<str>, Pairs),
    /// `g_chg2`: changes of a watched family.
    Changes(Update),
}

/// The part of a family that a query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    /// The keys and values.
    Family,
    /// The keys.
    Keys,
    /// The values.
    Values,
}

impl Query {
    /// The name of the request.
    #[must_use]
    pub fn request(self) -> &'static str {
        match self {
            Self::Family => "g_db_family",
            Self::Keys => "g_db_keys",
            Self::Values => "g_db_values",
        }
    }
}

/// Families and their entries.
pub type Database = Vec<(Arc<str>, Pairs)>;

/// Changes of one family.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// The family.
    pub family: Arc<str>,
    /// The keys that are set, with their values.
    pub set: Pairs,
    /// The keys that are deleted.
    pub del: Vec<Arc<str>>,
}

/// The reason why a request between slaves and global nodes has no effect.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GlobalRequestError {
    /// There is no such request.
    #[error("{0}: no such request")]
    Unknown(String),
    /// An argument is missing, or has the wrong kind.
    #[error("{request}: the {argument} must be {expected}, and is {found}")]
    Argument {
        /// The name of the request.
        request: String,
        /// The name of the argument.
        argument: &'static str,
        /// The expected kind.
        expected: &'static str,
        /// The kind that was found.
        found: String,
    },
}

/// A request, and its parts that were left out because they could not be understood.
pub type Parsed = (GlobalRequest, Odd);

/// The parts of a request that could not be understood. Their number is not limited, so only the first is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Odd {
    /// The number of such parts.
    pub count: usize,
    /// A description of the first.
    pub first: String,
}

impl Odd {
    fn add(&mut self, text: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = text();
        }
        self.count += 1;
    }

    /// A text about these parts; `None` if there are none.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self.count {
            0 => None,
            1 => Some(format!("{}: left out", self.first)),
            count => Some(format!(
                "{}: left out, and {} more like that",
                self.first,
                count - 1
            )),
        }
    }
}

impl GlobalRequest {
    /// Parses a request.
    ///
    /// Scalars stand for their text where a name is expected, and missing arguments for null. Parts of a database that
    /// cannot be understood are left out and counted, and the first is described.
    ///
    /// # Errors
    ///
    /// Returns a [`GlobalRequestError`] with the request and its mistake.
    pub fn parse(request: &str, args: Vec<Value>) -> Result<Parsed, GlobalRequestError> {
        let mut arguments = Arguments {
            request,
            args: args.into_iter(),
            odd: Odd::default(),
        };
        let parsed = arguments.request()?;
        Ok((parsed, arguments.odd))
    }
}

impl GlobalRequest {
    /// Splits the request into pieces of `entries` entries, which have the same effect one after the other. A request
    /// that must be handled as a whole is one piece.
    #[must_use]
    pub fn pieces(self, entries: usize) -> Vec<Self> {
        match self {
            Self::Update(update) => update.pieces(entries).map(Self::Update).collect(),
            Self::Changes(update) => update.pieces(entries).map(Self::Changes).collect(),
            Self::Set(database) => in_pieces(database, entries).map(Self::Set).collect(),
            Self::Slave(Some(database)) => in_pieces(database, entries)
                .map(|database| Self::Slave(Some(database)))
                .collect(),
            other => vec![other],
        }
    }
}

impl Update {
    /// Splits an update. All entries that are set come before the keys that are deleted. There is at least one piece.
    fn pieces(self, entries: usize) -> impl Iterator<Item = Self> {
        let Self { family, set, del } = self;
        let is_empty = set.is_empty() && del.is_empty();
        let name = Arc::clone(&family);
        let set = chunks(set, entries).map(move |set| Self {
            family: Arc::clone(&name),
            set,
            del: Vec::new(),
        });
        let name = Arc::clone(&family);
        let del = chunks(del, entries).map(move |del| Self {
            family: Arc::clone(&name),
            set: Pairs::new(),
            del,
        });
        let empty = is_empty.then(|| Self {
            family,
            ..Self::default()
        });
        set.chain(del).chain(empty)
    }
}

fn chunks<T>(all: Vec<T>, most: usize) -> impl Iterator<Item = Vec<T>> {
    let mut all = all.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<T> = all.by_ref().take(most).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Splits a database into parts with at most this many entries. Small families share a part. There is at least one
/// part.
fn in_pieces(database: Database, most: usize) -> impl Iterator<Item = Database> {
    let (mut pieces, mut last, mut room) = (Vec::new(), Database::new(), most);
    for (family, entries) in database {
        for chunk in chunks(entries, most) {
            // A family counts as one entry.
            let size = chunk.len() + 1;
            if size > room && !last.is_empty() {
                pieces.push(std::mem::take(&mut last));
                room = most;
            }
            room = room.saturating_sub(size);
            last.push((Arc::clone(&family), chunk));
        }
    }
    pieces.push(last);
    pieces.into_iter()
}

struct Arguments<'a> {
    request: &'a str,
    args: std::vec::IntoIter<Value>,
    odd: Odd,
}

impl Arguments<'_> {
    fn request(&mut self) -> Result<GlobalRequest, GlobalRequestError> {
        Ok(match self.request {
            "g_slave" => GlobalRequest::Slave(self.optional_database()?),
            "g_global" => GlobalRequest::Global,
            "g_set" => GlobalRequest::Set(self.optional_database()?.unwrap_or_default()),
            "g_upd" => GlobalRequest::Update(self.update()?),
            "g_find" => GlobalRequest::Find(self.node()?),
            "g_found" => GlobalRequest::Found(self.node()?, self.addresses()?, self.relay()),
            "g_db_family" => self.query(Query::Family)?,
            "g_db_keys" => self.query(Query::Keys)?,
            "g_db_values" => self.query(Query::Values)?,
            "g_reply" => GlobalRequest::Answer {
                id: self.id()?,
                answer: self.next(),
            },
            "g_mon1" => GlobalRequest::Monitor(self.family()?),
            "g_mon0" => GlobalRequest::Unmonitor(self.family()?),
            "g_chg1" => {
                let family = self.family()?;
                let entries = self.entries(&family, "contents")?;
                GlobalRequest::All(family, entries)
            }
            "g_chg2" => GlobalRequest::Changes(self.update()?),
            other => return Err(GlobalRequestError::Unknown(other.into())),
        })
    }

    fn next(&mut self) -> Value {
        self.args.next().unwrap_or_default()
    }

    fn wrong(
        &self,
        argument: &'static str,
        expected: &'static str,
        found: &Value,
    ) -> GlobalRequestError {
        GlobalRequestError::Argument {
            request: self.request.into(),
            argument,
            expected,
            found: describe(found),
        }
    }

    fn family(&mut self) -> Result<Arc<str>, GlobalRequestError> {
        let value = self.next();
        match value.text() {
            Some(text) if text.len() > LONGEST_NAME => {
                Err(self.wrong("family", "a name of at most 255 bytes", &value))
            }
            Some(text) if !text.is_empty() => Ok(text.as_ref().into()),
            _ => Err(self.wrong("family", "a name", &value)),
        }
    }

    fn node(&mut self) -> Result<NodeId, GlobalRequestError> {
        let value = self.next();
        let node = value.text().and_then(|text| NodeId::new(text).ok());
        node.ok_or_else(|| self.wrong("node", "a node ID", &value))
    }

    fn id(&mut self) -> Result<u64, GlobalRequestError> {
        let value = self.next();
        let id = value.text().and_then(|text| text.parse().ok());
        id.ok_or_else(|| self.wrong("query", "a number that this node has given", &value))
    }

    fn query(&mut self, kind: Query) -> Result<GlobalRequest, GlobalRequestError> {
        let (family, id) = (self.family()?, self.next());
        Ok(GlobalRequest::Query { kind, family, id })
    }

    fn addresses(&mut self) -> Result<Option<Vec<String>>, GlobalRequestError> {
        let value = self.next();
        if value.is_null() {
            return Ok(None);
        }
        let found = addresses(&value);
        let found = found.ok_or_else(|| self.wrong("addresses", "a list of texts", &value))?;
        Ok(Some(found))
    }

    /// Reads the relay of a node, if there is one.
    fn relay(&mut self) -> Option<NodeId> {
        NodeId::new(self.next().text()?).ok()
    }

    fn update(&mut self) -> Result<Update, GlobalRequestError> {
        let family = self.family()?;
        Ok(Update {
            set: self.entries(&family, "set keys")?,
            del: self.keys()?,
            family,
        })
    }

    fn entries(
        &mut self,
        family: &str,
        argument: &'static str,
    ) -> Result<Pairs, GlobalRequestError> {
        match self.next() {
            Value::Null => Ok(Pairs::new()),
            Value::Map(map) => Ok(self.pairs(map, longest_key(family), || argument.into())),
            other => Err(self.wrong(argument, "a map or null", &other)),
        }
    }

    /// Returns the entries without the empty key, which is invalid, and without keys that are too long.
    fn pairs(&mut self, map: Map, longest: usize, text: impl Fn() -> String) -> Pairs {
        let mut pairs = Pairs::with_capacity(map.len());
        for (key, value) in map {
            if key.is_empty() {
                self.odd.add(|| format!("the {} have an empty key", text()));
            } else if key.len() > longest {
                let length = key.len();
                self.odd
                    .add(|| format!("the {} have a key of {length} bytes", text()));
            } else {
                pairs.push((key.into(), value));
            }
        }
        pairs
    }

    fn keys(&mut self) -> Result<Vec<Arc<str>>, GlobalRequestError> {
        let list = match self.next() {
            Value::Null => return Ok(Vec::new()),
            Value::Array(list) => list,
            other => return Err(self.wrong("deleted keys", "a list or null", &other)),
        };
        let mut keys = Vec::with_capacity(list.len());
        for key in &list {
            match key.text() {
                Some(text) => keys.push(text.as_ref().into()),
                None => self
                    .odd
                    .add(|| format!("one of the deleted keys is {}", describe(key))),
            }
        }
        Ok(keys)
    }

    fn optional_database(&mut self) -> Result<Option<Database>, GlobalRequestError> {
        let Some(value) = self.args.next() else {
            return Ok(None);
        };
        let map = match value {
            Value::Null => Map::new(),
            Value::Map(map) => map,
            other => return Err(self.wrong("database", "a map", &other)),
        };
        let mut database = Database::with_capacity(map.len());
        for (family, entries) in map {
            match entries {
                _ if family.len() > LONGEST_NAME => self
                    .odd
                    .add(|| format!("a family's name is {} bytes long", family.len())),
                Value::Map(entries) if !family.is_empty() => {
                    let text = || format!("entries of family {family:?}");
                    let pairs = self.pairs(entries, longest_key(&family), text);
                    database.push((family.into(), pairs));
                }
                other => self
                    .odd
                    .add(|| format!("family {family:?} is {}", describe(&other))),
            }
        }
        Ok(Some(database))
    }
}

/// The longest key of a family. The protocol's own families have node IDs as keys.
fn longest_key(family: &str) -> usize {
    match family {
        GLOBALS | LISTENERS => LONGEST_NAME,
        _ => usize::MAX,
    }
}

/// The addresses in an entry of the family `'l`: a list of texts.
pub(super) fn addresses(value: &Value) -> Option<Vec<String>> {
    let list = value.as_array()?.iter();
    list.map(|address| address.text().map(Into::into)).collect()
}

/// Describes a value for a log.
pub(super) fn describe(value: &Value) -> String {
    const MOST: usize = 40;

    struct Short<'a>(&'a Value);

    impl fmt::Display for Short<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                Value::Null => f.write_str("missing"),
                Value::Array(list) => write!(f, "a list of {}", list.len()),
                Value::Map(map) => write!(f, "a map of {}", map.len()),
                Value::Str(text) if text.len() > MOST => {
                    let text: String = text.chars().take(MOST).collect();
                    write!(f, "{text:?}...")
                }
                Value::Bytes(octets) if octets.len() > MOST => {
                    write!(f, "{} octets", octets.len())
                }
                scalar => {
                    let text: String = scalar.to_string().chars().take(MOST).collect();
                    f.write_str(&text)
                }
            }
        }
    }

    Short(value).to_string()
}

#[cfg(test)]
mod tests;
