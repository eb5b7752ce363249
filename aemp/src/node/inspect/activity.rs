//! The answers about the activity of a node: counts, and waits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The counts of a node: messages, calls, times, deaths. Counters only grow, from the node's start on.
///
/// # Semantics
///
/// A program with the feature `metrics` counts at all times. Others count messages and calls while an observer asks, and for fifteen seconds
/// after a question; the first answer has none. Deaths and restarts are counted at all times.
///
/// # Limits
///
/// 256 types of ports and 23 handlers of each have counts of their own, and the rest is added up. Untyped ports have one count
/// for all their tags. Of concurrent handlers only the start is timed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Counts {
    /// The time since the node's start, in seconds.
    pub uptime: f64,
    /// False if the node has begun to count messages and calls with this question.
    pub counting: bool,
    /// The upper bounds of the classes of [`Times`], in seconds.
    pub bounds: Vec<f64>,
    /// The number of handlers that have been counted.
    pub total: u64,
    /// Port types, by name: all with deaths, and those of the listed handlers.
    pub types: Vec<TypeCounts>,
    /// The number of restarts by the node's supervisors.
    pub restarts: u64,
    /// The number of handlers that have kept a worker for some milliseconds.
    pub slow: u64,
    /// The number of times that [limits](crate::limits) were reached, by setting.
    pub limits: BTreeMap<String, u64>,
    /// The executor's present work; `None` from a node of an older version.
    pub executor: Option<ExecutorInfo>,
}

/// The present work of a node's executor.
///
/// # Limits
///
/// A handler is listed when it has kept its thread for two to four milliseconds, and 64 of them at most. A node whose workers are all blocked gives no answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ExecutorInfo {
    /// The number of worker threads of the node's runtime.
    pub workers: u64,
    /// The number of them that run a handler of a port.
    pub busy: u64,
    /// The number of threads that run handlers of blocking ports.
    pub blocking: u64,
    /// The number of ports with messages that wait for a worker.
    pub ready: u64,
    /// The handlers that keep a thread, the longest first.
    pub running: Vec<RunningInfo>,
}

/// A handler that keeps a thread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RunningInfo {
    /// The ID of its port; empty for a port that is dying, and for the decoding of a message.
    pub port: String,
    /// The type of the port.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the handler.
    pub handler: String,
    /// True if its port is a [blocking](crate::Blocking) one, which has a thread of its own.
    pub blocking: bool,
    /// The time for which it has been running, in seconds.
    pub time: f64,
}

/// The counts of one port type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TypeCounts {
    /// The type of the ports' state, without the arguments of a generic type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number of ports that have died, by the kind of the reason.
    pub died: BTreeMap<String, u64>,
    /// The handlers with the most messages and calls.
    pub handlers: Vec<HandlerCounts>,
}

/// The counts of one handler.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct HandlerCounts {
    /// The name of the handler, which is its tag unless the program says otherwise.
    pub name: String,
    /// The number of messages that the node's ports have begun to handle.
    pub handled: u64,
    /// The calls among them that were [not handled](crate::handbook::calls#work-without-a-waiting-caller), because no caller waited any more.
    pub unwanted: u64,
    /// The times of the handler.
    pub times: Times,
    /// The calls of this handler that the node itself has made, to its own ports and to others.
    pub calls: CallCounts,
}

/// The calls of one handler by one node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CallCounts {
    /// The number of calls that have ended, by outcome: `answered`, or one of the [failures](crate::CallError), or `dropped`.
    pub ended: BTreeMap<String, u64>,
    /// The number of them that were made to other nodes.
    pub remote: u64,
    /// The times of the calls.
    pub times: Times,
}

/// A histogram of times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Times {
    /// The sum of all times, in seconds.
    pub sum: f64,
    /// The numbers of times in each class of [`Counts::bounds`], and last the number of those above all bounds. Zeros at the end
    /// are left out.
    pub classes: Vec<u64>,
}

/// The async handlers of a node that wait for calls.
///
/// # Semantics
///
/// Each waiting handler is polled once, to see its waits. So this costs something, and is asked for only by an open page.
///
/// # Limits
///
/// Handlers of `#[rcv(concurrent)]`, processes, blocking ports and init functions are not seen, and no waits for anything but
/// calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Waits {
    /// The number of ports whose handler waits.
    pub total: u64,
    /// Those that wait for calls, as far as they were asked.
    pub waits: Vec<WaitInfo>,
}

/// A handler that waits for a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WaitInfo {
    /// The ID of its port.
    pub port: String,
    /// The type of the port.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the handler.
    pub handler: String,
    /// The number of the handler's run, which no other of this process has.
    pub run: u64,
    /// The IDs of the called ports.
    pub calls: Vec<String>,
}
