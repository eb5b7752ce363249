//! The service that logs the lines of other nodes here, as the reference's catcher does.

use std::sync::Arc;

use aemp_codec::{PortId, Value};

use super::{CATCH, LogLevel};
use crate::{Args, Cx, InitFunction, Spawning, Undecoded, lock::Lock, node::registry::StartFn};

/// The port of the service. A node has at most one: a later service takes its place, as in the reference.
#[derive(Debug, Default)]
pub(crate) struct Service(Lock<Option<PortId>>);

impl Service {
    fn replace(&self, port: Option<PortId>) -> Option<PortId> {
        let mut service = self.0.lock();
        std::mem::replace(&mut service, port)
    }
}

/// The init function [`CATCH`]. Without a level it ends the service.
pub(crate) fn init() -> (InitFunction, StartFn) {
    let function = InitFunction {
        name: CATCH.into(),
        signature: "fn catch(level: Option<LogLevel>)".into(),
        position: format!("{}:{}", file!(), line!()),
    };
    let start = |mut spawning: Spawning<'_>| {
        let args = spawning.rest()?;
        let level = level(&args)?;
        spawning.start(move |cx| start(cx, level));
        Ok(())
    };
    (function, Arc::new(start))
}

fn level(args: &Args) -> Result<Option<LogLevel>, Undecoded> {
    match args.first() {
        None | Some(Value::Null) => Ok(None),
        Some(level) => match LogLevel::of_value(level) {
            Some(level) => Ok(Some(level)),
            None => Err(Undecoded::Arguments(format!(
                "{CATCH}: {level} is no level"
            ))),
        },
    }
}

/// Starts the service in its new port.
fn start(cx: &mut Cx<'_>, level: Option<LogLevel>) {
    let port = level.map(|_| cx.id());
    if let Some(last) = cx.node().log_service().replace(port) {
        cx.node().kil(&last, ());
    }
    let Some(level) = level else {
        return cx.kill(());
    };
    let mut lines = cx.node().catch_logs(level);
    cx.spawn(async move {
        while let Some(line) = lines.next().await {
            line.log();
        }
    });
}
