//! Names and attributes.

use aemp::{
    Reason,
    span::{Event, Handling, Way},
};
use opentelemetry::{KeyValue, trace::SpanKind};

const PROCESS: &str = "process";
/// The greatest number of characters of a text of ports and peers.
const LONGEST: usize = 1000;

/// The type's name without its path and its arguments.
fn short(port_type: &str) -> &str {
    let name = port_type.split('<').next().unwrap_or_default();
    name.rsplit("::").next().unwrap_or_default()
}

/// `TYPE.HANDLER`, which the program bounds, and no sender. Handlers that are closures have no names.
fn template(handling: &Handling<'_>) -> String {
    match handling.handler {
        handler if handler.starts_with('(') => short(handling.port_type).into(),
        handler => format!("{}.{handler}", short(handling.port_type)),
    }
}

pub(crate) fn name(handling: &Handling<'_>) -> String {
    format!("{PROCESS} {}", template(handling))
}

pub(crate) fn kind(way: Way) -> SpanKind {
    match way {
        Way::Called => SpanKind::Server,
        _ => SpanKind::Consumer,
    }
}

fn way(way: Way) -> &'static str {
    match way {
        Way::Called => "call",
        Way::Sent => "send",
        _ => "unknown",
    }
}

/// The attributes that are known at the begin.
pub(crate) fn of(handling: &Handling<'_>) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("messaging.system", "aemp"),
        KeyValue::new("messaging.operation.type", PROCESS),
        KeyValue::new("messaging.operation.name", PROCESS),
        KeyValue::new("messaging.destination.name", handling.port.to_string()),
        KeyValue::new("messaging.destination.template", template(handling)),
        KeyValue::new("aemp.port.type", handling.port_type),
        KeyValue::new("aemp.message.tag", handling.tag.to_string()),
        KeyValue::new("aemp.message.way", way(handling.way)),
        KeyValue::new("aemp.node", handling.node.to_string()),
        KeyValue::new("aemp.queue.time", handling.waited.as_secs_f64()),
    ];
    if let Some(from) = handling.from {
        attributes.push(KeyValue::new("aemp.sender.node", from.to_string()));
    }
    attributes
}

pub(crate) fn event_name(event: &Event) -> String {
    format!("aemp.{}", event.name())
}

/// The attributes of an event.
pub(crate) fn of_event(event: &Event) -> Vec<KeyValue> {
    match event {
        Event::Kill { port, reason } | Event::Monitor { port, reason } => vec![
            KeyValue::new("aemp.port", port.to_string()),
            KeyValue::new("aemp.reason", shown(reason)),
        ],
        Event::Restart {
            supervisor,
            children,
        } => vec![
            KeyValue::new("aemp.port", supervisor.to_string()),
            KeyValue::new(
                "aemp.children",
                i64::try_from(*children).unwrap_or(i64::MAX),
            ),
        ],
        Event::Connect { node, .. } => vec![KeyValue::new("aemp.node", node.to_string())],
        Event::Disconnect { node, text } => vec![
            KeyValue::new("aemp.node", node.to_string()),
            KeyValue::new("aemp.reason", cut(text.clone())),
        ],
        _ => Vec::new(),
    }
}

/// The text of a reason. Ports and peers choose it, so it is cut.
pub(crate) fn shown(reason: &Reason) -> String {
    cut(reason.to_string())
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
    }
    text
}

/// The kinds of reasons that are attributes. Others are texts of ports and peers.
const KINDS: [&str; 5] = [
    "die",
    "unhandled_message",
    "no_such_port",
    "transport_error",
    "shutdown",
];

/// The value of `error.type`.
pub(crate) fn error_type(reason: &Reason) -> &'static str {
    let known = KINDS.into_iter().find(|kind| *kind == reason.kind());
    known.unwrap_or("_OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_cut() {
        assert_eq!(shown(&Reason::die("ä")), "die ä");
        assert_eq!(
            shown(&Reason::die("ä".repeat(5000))).chars().count(),
            LONGEST
        );
    }

    #[test]
    fn types_are_short() {
        assert_eq!(short("my::shop::Cart<alloc::string::String>"), "Cart");
        assert_eq!(short("Cart"), "Cart");
    }
}
