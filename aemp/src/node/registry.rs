//! Functions that other nodes may run here: init functions found at link time, and those registered by the program.
//!
//! `inventory` finds the former. linkme does not work in crates that forbid `unsafe`.

#[cfg(feature = "net")]
use std::pin::Pin;
use std::{collections::BTreeMap, fmt, sync::Arc};

use aemp_codec::Value;
use serde::{Deserialize, Serialize};

use super::spawn::Spawning;
#[cfg(feature = "net")]
use crate::stream::ByteStream;
use crate::{
    FunctionKind, RegistryError, StartError, logs,
    message::{Args, Origin, Undecoded},
    spelling,
};

/// An init function that [`spawnable`](crate::spawnable) has registered.
#[derive(Clone, Copy)]
pub struct InitFn {
    /// The fully-qualified name by which other nodes spawn it.
    pub name: &'static str,
    /// The signature as written, for display.
    pub signature: &'static str,
    /// The source file.
    pub file: &'static str,
    /// The line in the file, from 1.
    pub line: u32,
    /// Starts a port with the function.
    #[doc(hidden)]
    pub start: fn(Spawning<'_>) -> Result<(), Undecoded>,
}

inventory::collect!(InitFn);

impl fmt::Debug for InitFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} = {} at {}:{}",
            self.name, self.signature, self.file, self.line
        )
    }
}

/// The longest name for which a similar name is looked for.
const LONGEST: usize = 200;

/// One registered init function, as [`Node::init_functions`](crate::Node::init_functions) lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct InitFunction {
    /// The fully-qualified name by which other nodes spawn it.
    pub name: String,
    /// The signature as written, for display; empty for closures.
    pub signature: String,
    /// `file:line` of the source.
    pub position: String,
}

pub(crate) type StartFn = Arc<dyn Fn(Spawning<'_>) -> Result<(), Undecoded> + Send + Sync>;
pub(crate) type Function = Arc<dyn Fn(Origin, Args) + Send + Sync>;
#[cfg(feature = "net")]
pub(crate) type StreamFunction =
    Arc<dyn Fn(Origin, Args, ByteStream) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

#[derive(Clone)]
struct Entry {
    function: InitFunction,
    start: StartFn,
}

/// The functions that one node runs for others, by name.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    init: BTreeMap<String, Entry>,
    functions: BTreeMap<String, Function>,
    #[cfg(feature = "net")]
    streams: BTreeMap<String, StreamFunction>,
    faults: Vec<RegistryError>,
}

impl Registry {
    /// A registry with all init functions that are linked into the program.
    pub(crate) fn linked() -> Self {
        let mut registry = Self::default();
        let mut linked: Vec<&InitFn> = inventory::iter::<InitFn>.into_iter().collect();
        // The link order is arbitrary, and error texts should not depend on it.
        linked.sort_by_key(|init| (init.name, init.file, init.line));
        for init in linked {
            let function = InitFunction {
                name: init.name.into(),
                signature: init.signature.into(),
                position: format!("{}:{}", init.file, init.line),
            };
            registry.add(function, Arc::new(init.start));
        }
        let (function, start) = logs::init();
        registry.add(function, start);
        registry
    }

    pub(crate) fn add(&mut self, function: InitFunction, start: StartFn) {
        if !function.name.contains("::") {
            self.faults.push(RegistryError::Unqualified {
                kind: FunctionKind::Init,
                name: function.name,
                position: Some(function.position),
            });
            return;
        }
        if let Some(first) = self.init.get(&function.name) {
            self.faults.push(RegistryError::Duplicate {
                kind: FunctionKind::Init,
                positions: Some([first.function.position.clone(), function.position]),
                name: function.name,
            });
            return;
        }
        let name = function.name.clone();
        self.init.insert(name, Entry { function, start });
    }

    pub(crate) fn add_function(&mut self, name: &str, function: Function) {
        let replaced = || self.functions.insert(name.into(), function).is_some();
        let fault = fault(FunctionKind::Function, name, replaced);
        self.faults.extend(fault);
    }

    #[cfg(feature = "net")]
    pub(crate) fn add_stream_function(&mut self, name: &str, function: StreamFunction) {
        let replaced = || self.streams.insert(name.into(), function).is_some();
        let fault = fault(FunctionKind::Stream, name, replaced);
        self.faults.extend(fault);
    }

    #[cfg(feature = "net")]
    pub(crate) fn stream_function(&self, name: &str) -> Option<&StreamFunction> {
        self.streams.get(name)
    }

    /// Adds the functions that were registered by hand.
    pub(crate) fn merge(&mut self, other: Self) {
        for (_, entry) in other.init {
            self.add(entry.function, entry.start);
        }
        self.functions.extend(other.functions);
        #[cfg(feature = "net")]
        self.streams.extend(other.streams);
        self.faults.extend(other.faults);
    }

    /// Reports all faults together.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(StartError::Registry(self.faults.clone()))
    }

    pub(crate) fn init(&self, name: &str) -> Option<&StartFn> {
        self.init.get(name).map(|entry| &entry.start)
    }

    /// The names of the functions that other nodes may call.
    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }

    pub(crate) fn list(&self) -> Vec<InitFunction> {
        self.init
            .values()
            .map(|entry| entry.function.clone())
            .collect()
    }

    /// The registered name that is most similar to an unknown one.
    pub(crate) fn nearest(&self, name: &str) -> Option<&str> {
        // Such a long name is hardly mistyped, and comparing it would take long.
        if name.len() > LONGEST {
            return None;
        }
        spelling::nearest(self.init.keys().map(String::as_str), name)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("init", &self.init.keys())
            .field("functions", &self.functions.keys())
            .finish_non_exhaustive()
    }
}

/// The answer to `can`: Perl's true or false ([protocol](aemp_proto::protocol::encoding#numbers-and-texts-are-interchangeable)).
pub(crate) fn perl_bool(yes: bool) -> Value {
    if yes { "1".into() } else { "".into() }
}

/// The error of a function with this name, whose registration may replace another one.
fn fault(kind: FunctionKind, name: &str, replaces: impl FnOnce() -> bool) -> Option<RegistryError> {
    let qualified = name.contains("::");
    let name = name.to_owned();
    if !qualified {
        let position = None;
        return Some(RegistryError::Unqualified {
            kind,
            name,
            position,
        });
    }
    let positions = None;
    replaces().then_some(RegistryError::Duplicate {
        kind,
        name,
        positions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, position: &str) -> InitFunction {
        InitFunction {
            name: name.into(),
            signature: String::new(),
            position: position.into(),
        }
    }

    #[test]
    fn duplicates_name_both_places() {
        let mut registry = Registry::default();
        let start: StartFn = Arc::new(|_| Ok(()));
        registry.add(function("My::start", "a.rs:1"), Arc::clone(&start));
        registry.add(function("My::start", "b.rs:2"), Arc::clone(&start));
        registry.add(function("start", "c.rs:3"), start);
        let error = registry.check().unwrap_err().to_string();
        assert_eq!(
            error,
            "two init functions are named \"My::start\": at a.rs:1 and at b.rs:2; \
             init function \"start\" at c.rs:3: a name that others spawn by must contain `::`"
        );
    }

    #[test]
    fn suggests_the_nearest_name() {
        let mut registry = Registry::default();
        registry.add(function("My::Counter::start", ""), Arc::new(|_| Ok(())));
        assert_eq!(
            registry.nearest("My::Conter::start"),
            Some("My::Counter::start")
        );
        assert_eq!(registry.nearest("Other::thing"), None);
    }
}
