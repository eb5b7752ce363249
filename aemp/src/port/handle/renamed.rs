//! AEMP's names for methods of typed handles and contexts, kept for programs written before these had Rust names.

use aemp_codec::{PortId, Value};

use super::Handle;
use crate::{Cx, Message, Monitor, Reason};

#[doc(hidden)]
impl<M: Message> Handle<M> {
    #[deprecated(note = "`kill`; the untyped layer has `Node::kil`")]
    pub fn kil(&self, reason: impl Into<Reason>) {
        self.kill(reason);
    }

    #[deprecated(note = "`monitor`; the untyped layer has `Node::mon`")]
    pub fn mon(&self, callback: impl FnOnce(&Reason) + Send + 'static) -> Monitor {
        self.monitor(callback)
    }

    #[deprecated(note = "`link`; the untyped layer has `Node::mon_kil`")]
    pub fn mon_kil<N: Message>(&self, other: &Handle<N>) -> Monitor {
        self.link(other)
    }

    #[deprecated(note = "`monitor_send`; the untyped layer has `Node::mon_snd`")]
    pub fn mon_snd(&self, to: &PortId, message: Vec<Value>) -> Monitor {
        self.monitor_send(to, message)
    }

    #[deprecated(note = "`monitor_guard`, whose guard ends it")]
    pub fn mon_guard(&self, values: impl Send + 'static) {
        self.monitor_guard(values).detach();
    }
}

#[doc(hidden)]
impl Cx<'_> {
    #[deprecated(note = "`kill`")]
    pub fn kil(&mut self, reason: impl Into<Reason>) {
        self.kill(reason);
    }

    #[deprecated(note = "`link`")]
    pub fn mon_self<M: Message>(&self, other: &Handle<M>) -> Monitor {
        self.link(other)
    }

    #[deprecated(note = "`link_id`")]
    pub fn mon_self_id(&self, other: &PortId) -> Monitor {
        self.link_id(other)
    }

    #[deprecated(note = "`monitor_guard`, whose guard ends it")]
    pub fn mon_guard(&self, values: impl Send + 'static) {
        self.monitor_guard(values).detach();
    }
}
