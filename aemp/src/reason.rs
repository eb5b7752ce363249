//! The reason of a port's death.

use std::{fmt, ops::Deref, sync::Arc};

use aemp_codec::{DecodeError, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{CallError, SendError, guard};
use aemp_proto::weight;

/// Kinds of reasons that have a meaning for reply ports.
const NO_REPLY: &str = "no_reply";
const NO_ANSWER: &str = "no_answer";
const NOT_UNDERSTOOD: &str = "not_understood";

/// The longest kind, in bytes, that is repeated in the reason made by `Reason::untold`.
const LONGEST_KIND: usize = 100;
/// The longest text, in characters, of a reason that is made here.
const LONGEST_TEXT: usize = 300;
/// The size, in bytes, up to which a reason is [brief](Reason::brief).
const BRIEF: usize = 1 << 10;

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => text[..end].into(),
        None => text,
    }
}

impl CallError {
    /// The error of a call whose reply port was killed.
    pub(crate) fn of_killed(reason: &Reason) -> Self {
        let text = || {
            reason
                .get(1)
                .and_then(Value::text)
                .unwrap_or_default()
                .into_owned()
        };
        match reason.kind() {
            NO_REPLY => Self::NoReply,
            NO_ANSWER => Self::Answer(DecodeError::mismatch(text())),
            NOT_UNDERSTOOD => Self::Refused(text()),
            _ => Self::Died(reason.clone()),
        }
    }
}

/// The reason of a port's death: a list of values, empty for a normal end ([protocol](aemp_proto::protocol::monitors#reasons)).
///
/// Cheap to clone. Elements of any kind travel through the network unchanged.
///
/// ```
/// use aemp::Reason;
///
/// let normal = Reason::normal();
/// assert!(normal.is_normal());
/// assert_eq!((normal.len(), normal.to_string().as_str()), (0, "normal"));
/// let failed = Reason::new(vec!["die".into(), "out of tea".into()]);
/// assert_eq!(failed.to_string(), "die out of tea");
/// assert_eq!(failed[0].as_str(), Some("die"));
/// ```
#[doc(alias = "ExitReason")]
#[doc(alias = "StopReason")]
#[derive(Clone, Default, PartialEq)]
pub struct Reason(Option<Arc<Vec<Value>>>);

impl Reason {
    /// The reason of a normal end: no elements. Links do not pass it on.
    #[must_use]
    pub fn normal() -> Self {
        Self(None)
    }

    /// A reason with any elements. An empty list is the same as [`Reason::normal`].
    #[must_use]
    pub fn new(elements: Vec<Value>) -> Self {
        Self((!elements.is_empty()).then(|| Arc::new(elements)))
    }

    /// `die, TEXT`: a handler failed. Trailing line feeds of the text are dropped, as the reference does.
    #[must_use]
    pub fn die(text: impl fmt::Display) -> Self {
        let text = guard::display(&text);
        Self::new(vec!["die".into(), text.trim_end_matches('\n').into()])
    }

    /// `unhandled_message, TEXT`: no handler accepts this tag. The tag is cut to 30 characters, and characters that
    /// are not printable ASCII become dots ([protocol](aemp_proto::protocol::packets#delivery-to-a-port)).
    #[must_use]
    pub fn unhandled(tag: &str) -> Self {
        let shown: String = tag
            .chars()
            .take(30)
            .map(|c| if matches!(c, ' '..='~') { c } else { '.' })
            .collect();
        let text = format!("no callback found for message '{shown}'");
        Self::new(vec!["unhandled_message".into(), text.into()])
    }

    /// `no_such_port, TEXT, PORTID`: the monitored port does not exist.
    #[must_use]
    pub fn no_such_port(port: &str) -> Self {
        let text = "cannot monitor nonexistent port";
        Self::new(vec!["no_such_port".into(), text.into(), port.into()])
    }

    /// `transport_error, NODE, TEXT`: the connection to the port's node was lost or could not be made.
    #[must_use]
    pub fn transport_error(node: &str, text: &str) -> Self {
        Self::new(vec!["transport_error".into(), node.into(), text.into()])
    }

    /// The reason that kills a reply port when a living port has dropped the reply.
    pub(crate) fn no_reply() -> Self {
        Self::new(vec![NO_REPLY.into(), "the port did not answer".into()])
    }

    /// The reason that kills a reply port when the answer cannot be encoded.
    pub(crate) fn no_answer(error: &SendError) -> Self {
        let text = format!("the answer {}", guard::display(error));
        Self::new(vec![NO_ANSWER.into(), cut(text).into()])
    }

    /// The reason that kills a reply port when the called port does not understand the call.
    pub(crate) fn not_understood(text: &str) -> Self {
        Self::new(vec![NOT_UNDERSTOOD.into(), cut(text.into()).into()])
    }

    /// The replacement of a reason that cannot be encoded: its kind, and the error.
    pub(crate) fn untold(&self, error: &SendError) -> Self {
        let kind = match self.kind() {
            "" => "die",
            kind if kind.len() > LONGEST_KIND => "die",
            kind => kind,
        };
        let text = format!("the reason {}", guard::display(error));
        Self::new(vec![kind.into(), cut(text).into()])
    }

    /// The reason itself if it is small, and otherwise a small one: its kind, and the beginning of its text.
    pub(crate) fn brief(&self) -> Self {
        if self.iter().map(weight).sum::<usize>() <= BRIEF {
            return self.clone();
        }
        let mut text = Beginning(String::new());
        // The end of the room is an error.
        let _ = fmt::write(&mut text, format_args!("{self}"));
        let kind = self.kind();
        let text = match text.0.strip_prefix(kind) {
            Some(rest) if !kind.is_empty() && kind.len() <= LONGEST_KIND => {
                return Self::new(vec![kind.into(), cut(rest.trim_start().into()).into()]);
            }
            _ => text.0,
        };
        Self::new(vec![cut(text).into()])
    }

    /// True if this is a normal end.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        self.0.is_none()
    }

    /// True if a node or a connection was lost, so that the port may live.
    pub(crate) fn is_loss(&self) -> bool {
        self.kind() == "transport_error"
    }

    /// The first element as text: `die`, `transport_error`, ...; empty for a normal end.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.first().and_then(Value::as_str).unwrap_or_default()
    }

    /// The elements, owned.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        self.0.map_or_else(Vec::new, Arc::unwrap_or_clone)
    }
}

impl Deref for Reason {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl fmt::Display for Reason {
    /// Writes the elements joined by blanks, and `normal` for a normal end, which has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_normal() {
            return f.write_str("normal");
        }
        for (i, element) in self.iter().enumerate() {
            let blank = if i == 0 { "" } else { " " };
            match element.text() {
                Some(text) => write!(f, "{blank}{text}")?,
                None => write!(f, "{blank}{element}")?,
            }
        }
        Ok(())
    }
}

/// The beginning of a text of any length.
struct Beginning(String);

impl fmt::Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(text.chars().take(BRIEF));
        match self.0.len() < BRIEF {
            true => Ok(()),
            false => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl std::error::Error for Reason {}

impl Serialize for Reason {
    /// Serializes the list of the elements.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::new)
    }
}

impl From<Vec<Value>> for Reason {
    fn from(elements: Vec<Value>) -> Self {
        Self::new(elements)
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        Self::new(vec![text.into()])
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self::new(vec![text.into()])
    }
}

impl From<()> for Reason {
    fn from((): ()) -> Self {
        Self::normal()
    }
}
