//! `aemp eval`: code for nodes that are written in Perl.

use aemp::{CallError, Value};
use clap::{ArgMatches, Command};

use super::cal::print_values;
use crate::{
    Exit,
    args::{many, one, rest, word},
    client::Client,
    failure::{Failure, Outcome},
    session::Session,
    words,
};

pub(crate) fn command() -> Command {
    Command::new("eval")
        .about("Evaluate an expression on a Perl node")
        .long_about(
            "Joins all EXPR words with blanks, evaluates the result as Perl code on the node, and prints the values: \
             JSON, separated by commas. If the code fails, its error goes to standard error and the exit status is \
             255.\n\nRust nodes refuse to evaluate code. A Perl node in secure mode does not answer. With --json: one \
             JSON array. Options stand before the first EXPR. Everything after the first EXPR is part of the code.",
        )
        .after_help("Example: the process ID of a node\n  aemp eval green/1 '$$'")
        .arg(one("NODE", "The node"))
        .arg(many("EXPR", "The code").num_args(1..).required(true))
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let node = words::node_or_name(word(matches, "NODE"))?;
    let expr: Vec<_> = rest(matches, "EXPR")
        .into_iter()
        .map(String::as_str)
        .collect();
    let expr = expr.join(" ");
    session.with_client(async |client| {
        let node = client.node_of(&node).await?;
        let results = evaluate(client, node.as_str(), &expr).await?;
        print_values(client.output, &results)?;
        Ok(Exit::Done)
    })
}

/// The values of an expression on a node.
pub(super) async fn evaluate(
    client: &Client<'_>,
    node: &str,
    expr: &str,
) -> Result<Vec<Value>, Failure> {
    // A call with a time limit does not notice that the node is unreachable, so the node is monitored.
    let death = client.death(&words::node(node)?.into());
    let answer = tokio::select! {
        answer = client.node.eval_on(node, expr, client.left()) => answer,
        reason = death => Err(CallError::Died(reason)),
    };
    let mut answer = answer.map_err(|error| match error {
        CallError::Timeout => Failure::failed(format_args!(
            "no answer of {node} within {} (a Perl node in secure mode gives none)",
            client.limit()
        )),
        CallError::Died(reason) => Failure::failed(format_args!("{node}: {reason}")),
        error => Failure::failed(format_args!("{node}: {error}")),
    })?;
    let error = if answer.is_empty() {
        Value::Null
    } else {
        answer.remove(0)
    };
    match error.text() {
        Some(text) if text.is_empty() => Ok(answer),
        Some(text) => Err(Failure::eval(format_args!("{node}: {}", text.trim_end()))),
        None => Err(Failure::eval(format_args!("{node}: {error}"))),
    }
}
