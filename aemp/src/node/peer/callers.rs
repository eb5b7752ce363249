//! Callers on other nodes whose calls are kept here to be answered later.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, MutexGuard},
};

use super::Peer;
use crate::{lock::Lock, port::reply::FarCaller};

/// The number of remembered callers that have left before their call was handled.
const REMEMBERED: usize = 1024;

/// The callers of one node, by the names of their reply ports.
#[derive(Default)]
pub(super) struct Callers(Lock<ByPort>);

#[derive(Default)]
struct ByPort {
    held: HashMap<Box<str>, Arc<FarCaller>>,
    /// Callers that have left while their call may still wait in a port's queue.
    gone: HashSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
}

impl ByPort {
    fn remember(&mut self, name: &str) {
        let name: Arc<str> = name.into();
        if !self.gone.insert(Arc::clone(&name)) {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }
}

impl Callers {
    fn lock(&self) -> MutexGuard<'_, ByPort> {
        self.0.lock()
    }
}

impl Peer {
    /// Records a caller, so that it hears of the end of its call when its node reports that.
    pub(crate) fn hold_caller(&self, name: &str, caller: &Arc<FarCaller>) {
        let mut known = self.callers.lock();
        let gone = known.gone.contains(name);
        if !gone {
            known.held.insert(name.into(), Arc::clone(caller));
        }
        drop(known);
        // If the connection was lost before the caller was recorded, nothing else would report it.
        if gone || !self.state().is_up() {
            caller.leave();
        }
    }

    pub(crate) fn release_caller(&self, name: &str) {
        let _caller = self.callers.lock().held.remove(name);
    }

    /// Handles the report that a call of the node has ended before it was answered.
    pub(crate) fn caller_gone(&self, name: &str) {
        let mut known = self.callers.lock();
        let caller = known.held.remove(name);
        if caller.is_none() {
            known.remember(name);
        }
        drop(known);
        if let Some(caller) = caller {
            caller.leave();
        }
    }

    /// Marks all callers of the node as gone, when its connection or our own node has ended.
    pub(super) fn lose_callers(&self) {
        let known = std::mem::take(&mut *self.callers.lock());
        known.held.values().for_each(|caller| caller.leave());
    }

    /// Reports to the node that a caller of this node no longer waits. The report has the form of a port's death. A
    /// node of this project understands it; any other ignores it as the death of a port that it does not monitor.
    pub(crate) fn report_caller_gone(&self, name: &str) {
        if self.is_ours() && self.state().is_up() {
            self.report_death("kil0", name, &[]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_that_have_gone_are_remembered() {
        let mut known = ByPort::default();
        for n in 0..3 * REMEMBERED {
            known.remember(&n.to_string());
            known.remember(&n.to_string());
        }
        assert_eq!(
            (known.gone.len(), known.order.len()),
            (REMEMBERED, REMEMBERED)
        );
        let last = (3 * REMEMBERED - 1).to_string();
        assert!(known.gone.contains(last.as_str()) && !known.gone.contains("0"));
    }
}
