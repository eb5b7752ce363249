//! Callers on other nodes whose calls are kept here to be answered later.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Remote;
use crate::port::reply::FarCaller;

/// How many of those that have gone before their call was handled are remembered.
const REMEMBERED: usize = 1024;

/// The callers of one node, by the names of their reply ports.
#[derive(Default)]
pub(super) struct Callers(Mutex<Known>);

#[derive(Default)]
struct Known {
    held: HashMap<Box<str>, Arc<FarCaller>>,
    /// They may have gone while their call waits in a port's queue.
    gone: HashSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
}

impl Known {
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
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote {
    /// From now on the caller is told to be gone when it is.
    pub(crate) fn hold_caller(&self, name: &str, caller: &Arc<FarCaller>) {
        let mut known = self.callers.lock();
        let gone = known.gone.contains(name);
        if !gone {
            known.held.insert(name.into(), Arc::clone(caller));
        }
        drop(known);
        // Whoever is lost with its connection before this has been told to be by nobody.
        if gone || !self.peer().is_up() {
            caller.leave();
        }
    }

    pub(crate) fn release_caller(&self, name: &str) {
        let _caller = self.callers.lock().held.remove(name);
    }

    /// A call of that node has ended before it was answered.
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

    /// The connection has ended, and with it all calls that came over it; or our own node has.
    pub(super) fn lose_callers(&self) {
        let known = std::mem::take(&mut *self.callers.lock());
        known.held.values().for_each(|caller| caller.leave());
    }

    /// Tells the node that a caller of this one waits no more: as of a port that has died, which a node of this
    /// project takes for what it is, and any other for one that it does not monitor.
    pub(crate) fn tell_caller_gone(&self, name: &str) {
        if self.is_ours() && self.peer().is_up() {
            self.tell("kil0", name, &[]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_that_have_gone_are_remembered() {
        let mut known = Known::default();
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
