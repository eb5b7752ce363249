//! Init functions of every program that is an `aemp` command.

use std::time::Duration;

use aemp::{Args, Cx, Origin, PortId, Value, port, spawnable};

use crate::watchdog;

/// Sets an entry of the database for `aemp db set --on`.
pub(crate) const DB_SET: &str = "Aemp::db_set";

/// Deletes entries of the database for `aemp db del --on`.
pub(crate) const DB_DEL: &str = "Aemp::db_del";

/// Starts the process of a node again for `aemp restart`.
pub(crate) const RESTART: &str = "Aemp::restart";

/// The time that the ports of a node have to handle their queues before it stops.
const DRAIN: Duration = Duration::from_secs(10);

/// The time that a node has to answer before this one restarts without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The family in which echo ports are registered.
const ECHO_FAMILY: &str = "aemp_echo";

/// A port that answers with the message that it gets.
struct Echo;

#[port]
impl Echo {
    #[rcv(default)]
    fn message(&mut self, cx: &mut Cx<'_>, tag: &str, mut args: Args) {
        let reply = args.pop().and_then(|to| PortId::parse(&to.text()?).ok());
        if let Some(reply) = reply {
            let mut message = vec![Value::from(tag)];
            message.extend(args);
            cx.node().snd(&reply, message);
        }
    }
}

/// A port that answers every call with the message itself, to test the way to a node, and its speed.
#[spawnable(name = "Aemp::echo")]
fn echo(cx: &mut Cx<'_>) -> Result<Echo, aemp::db::DbError> {
    cx.node().db_reg(ECHO_FAMILY, &cx.id(), ())?;
    Ok(Echo)
}

/// Ends this process in order, if another one starts it again.
///
/// Its end is the answer to the node that asks. That node sends a monitor right behind the spawn, and answers in order:
/// with its answer, the monitor is here.
#[spawnable(name = "Aemp::restart")]
async fn restart(cx: &mut Cx<'_>) -> Result<Echo, &'static str> {
    watchdog::check()?;
    if let Some(Origin::Node(asker)) = cx.origin()
        && let Ok(time) = cx.node().cal_to_func(asker.as_str(), "time", Vec::new())
    {
        // A node that does not answer hears nothing, but it has asked.
        let _ = tokio::time::timeout(PATIENCE, time).await;
    }
    watchdog::ask()?;
    cx.kill(());
    Ok(Echo)
}

/// Stops this node in order, and with it the process of `aemp run`.
#[spawnable(name = "Aemp::stop")]
fn stop(cx: &mut Cx<'_>) -> Echo {
    let node = cx.node().clone();
    tokio::spawn(async move { node.stop_within(DRAIN).await });
    cx.kill(());
    Echo
}

/// Sets an entry on this node on behalf of the calling node. It is deleted when that node is lost.
#[spawnable(name = "Aemp::db_set")]
fn db_set(
    cx: &mut Cx<'_>,
    family: String,
    key: String,
    value: Value,
) -> Result<Echo, aemp::db::DbError> {
    let by = cx.origin();
    cx.node().db_set_for(by, &family, &key, value)?;
    cx.kill(());
    Ok(Echo)
}

/// Deletes entries of this node.
#[spawnable(name = "Aemp::db_del")]
fn db_del(cx: &mut Cx<'_>, family: String, #[rest] keys: Args) -> Result<Echo, aemp::db::DbError> {
    let keys = keys.iter().filter_map(|key| Some(key.text()?.into_owned()));
    cx.node().db_del(&family, keys)?;
    cx.kill(());
    Ok(Echo)
}
