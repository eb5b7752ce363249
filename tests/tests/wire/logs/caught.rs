//! A layer that keeps the lines of other nodes that a node logs.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use aemp::logs::CAUGHT;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

#[derive(Clone, Default)]
pub(super) struct Caught(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Caught {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let (mut fields, metadata) = (Fields::default(), event.metadata());
        if metadata.target() == CAUGHT {
            event.record(&mut fields);
            let of = |name| fields.0[name].as_str();
            let (node, from, text) = (of("node"), of("from"), of("message"));
            let line = format!("{} {node} {from} {text}", metadata.level());
            self.0.lock().unwrap().push(line);
        }
    }
}

impl Caught {
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}
