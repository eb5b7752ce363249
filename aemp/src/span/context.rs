//! The context of a span.

use std::{fmt, sync::Arc};

use super::parse::{self, ContextError};

/// The identity of a span in its trace, as of [W3C Trace Context](https://www.w3.org/TR/trace-context/): 25 bytes, and
/// an optional text. Cheap to clone.
///
/// ```
/// use aemp::span::SpanContext;
///
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let context: SpanContext = text.parse()?;
/// assert!(context.is_sampled());
/// assert_eq!(context.to_string(), text);
/// # Ok::<_, aemp::span::ContextError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SpanContext {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
    state: Option<Arc<str>>,
}

impl SpanContext {
    /// The flag of a sampled span.
    pub const SAMPLED: u8 = 1;
    /// The longest [`state`](Self::state), in bytes.
    pub const LONGEST_STATE: usize = 512;

    /// A context of these IDs. `None` if all bytes of an ID are zero, which no span has.
    #[must_use]
    pub fn new(trace: [u8; 16], span: [u8; 8], flags: u8) -> Option<Self> {
        (trace != [0; 16] && span != [0; 8]).then_some(Self {
            trace,
            span,
            flags,
            state: None,
        })
    }

    /// A context of 25 bytes: the ID of the trace, that of the span, and the flags.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 25]) -> Option<Self> {
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        trace.copy_from_slice(&bytes[..16]);
        span.copy_from_slice(&bytes[16..24]);
        Self::new(trace, span, bytes[24])
    }

    /// Its 25 bytes, without the state.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 25] {
        let mut bytes = [0; 25];
        bytes[..16].copy_from_slice(&self.trace);
        bytes[16..24].copy_from_slice(&self.span);
        bytes[24] = self.flags;
        bytes
    }

    /// Adds data of tracing systems, in the form of a `tracestate`. An empty text is none.
    ///
    /// # Errors
    ///
    /// [`ContextError::State`] if it is longer than [`LONGEST_STATE`](Self::LONGEST_STATE), or not a list of keys and values
    /// in printable ASCII.
    pub fn with_state(mut self, state: &str) -> Result<Self, ContextError> {
        self.state = match state {
            "" => None,
            state if parse::is_state(state) => Some(state.into()),
            _ => return Err(ContextError::State),
        };
        Ok(self)
    }

    /// The ID of the trace.
    #[must_use]
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace
    }

    /// The ID of the span.
    #[must_use]
    pub fn span_id(&self) -> [u8; 8] {
        self.span
    }

    /// The flags, of which [`SAMPLED`](Self::SAMPLED) is one.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// True if the span is recorded somewhere. Only such contexts travel to other nodes; of others the decision does.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }

    /// The data of tracing systems (`tracestate`); mostly empty.
    #[must_use]
    pub fn state(&self) -> &str {
        self.state.as_deref().unwrap_or_default()
    }
}

/// The form of the header `traceparent`.
impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", self.flags)
    }
}

impl fmt::Debug for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanContext({self}")?;
        match self.state() {
            "" => f.write_str(")"),
            state => write!(f, ", {state})"),
        }
    }
}
