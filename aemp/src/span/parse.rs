//! Reading contexts, which may come from a peer: strict and bounded.

use std::str::FromStr;

use super::SpanContext;

/// The reason why a text is not a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// It has not the form of a `traceparent` of version 00.
    #[error("it is no traceparent of version 00")]
    Parent,
    /// All digits of an ID are zero.
    #[error("an ID of a trace or of a span is zero")]
    Zero,
    /// The `tracestate` is too long, or malformed.
    #[error("the tracestate is malformed, or longer than 512 bytes")]
    State,
}

/// The length of a `traceparent`.
const LENGTH: usize = 55;
/// The greatest number of entries of a `tracestate`.
const MOST_ENTRIES: usize = 32;

/// Reads the header `traceparent`, of version 00 alone.
impl FromStr for SpanContext {
    type Err = ContextError;

    fn from_str(text: &str) -> Result<Self, ContextError> {
        let bytes = text.as_bytes();
        let dashes = [2, 35, 52];
        if bytes.len() != LENGTH
            || !bytes.starts_with(b"00")
            || dashes.iter().any(|at| bytes[*at] != b'-')
        {
            return Err(ContextError::Parent);
        }
        let (mut trace, mut span, mut flags) = ([0; 16], [0; 8], [0; 1]);
        let read = digits(&bytes[3..35], &mut trace)
            .and_then(|()| digits(&bytes[36..52], &mut span))
            .and_then(|()| digits(&bytes[53..], &mut flags));
        read.ok_or(ContextError::Parent)?;
        Self::new(trace, span, flags[0]).ok_or(ContextError::Zero)
    }
}

/// Reads lower-case hexadecimal digits, two for each byte.
fn digits(text: &[u8], into: &mut [u8]) -> Option<()> {
    for (pair, byte) in text.chunks_exact(2).zip(into) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// True for a `tracestate`: entries `key=value` with commas between them.
pub(super) fn is_state(text: &str) -> bool {
    text.len() <= SpanContext::LONGEST_STATE
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && text.split(',').count() <= MOST_ENTRIES
        && text.split(',').all(is_entry)
}

fn is_entry(entry: &str) -> bool {
    let Some((key, value)) = entry.trim_matches(' ').split_once('=') else {
        return false;
    };
    let of_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut bytes = key.bytes();
    bytes.next().is_some_and(of_key)
        && bytes.all(|byte| of_key(byte) || b"_-*/@".contains(&byte))
        && !value.is_empty()
        && !value.contains('=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_context_is_read_as_it_was_written() {
        let context: SpanContext = PARENT.parse().unwrap();
        assert_eq!(context.trace_id()[..2], [0x0a, 0xf7]);
        assert_eq!((context.span_id()[7], context.flags()), (0x31, 1));
        assert_eq!(context.to_string(), PARENT);
        assert_eq!(
            SpanContext::from_bytes(context.to_bytes()).as_ref(),
            Some(&context)
        );
        let with = context.with_state("a=1,b@c=x y").unwrap();
        assert_eq!(with.state(), "a=1,b@c=x y");
        assert_eq!(
            format!("{with:?}"),
            format!("SpanContext({PARENT}, a=1,b@c=x y)")
        );
    }

    #[test]
    fn everything_else_is_refused() {
        let zero = |at: std::ops::Range<usize>| {
            let mut text = PARENT.to_owned();
            text.replace_range(at.clone(), &"0".repeat(at.len()));
            text
        };
        for text in [zero(3..35), zero(36..52)] {
            assert_eq!(text.parse::<SpanContext>(), Err(ContextError::Zero));
        }
        let wrong = [
            String::new(),
            PARENT.to_uppercase(),
            PARENT.replace("00-", "01-"),
            PARENT.replace('-', "_"),
            format!("{PARENT}-00"),
            PARENT[..54].to_owned(),
            PARENT.replacen("0af", "0ä", 1),
        ];
        for text in wrong {
            assert_eq!(
                text.parse::<SpanContext>(),
                Err(ContextError::Parent),
                "{text}"
            );
        }
    }

    #[test]
    fn states_are_bounded() {
        let context: SpanContext = PARENT.parse().unwrap();
        let state = |text: &str| context.clone().with_state(text).is_ok();
        assert!(state("") && state("k=v") && state("k=v, 2=w"));
        let longest = format!("k={}", "v".repeat(SpanContext::LONGEST_STATE - 2));
        assert!(state(&longest) && !state(&format!("{longest}v")));
        let entries = |number| vec!["k=v"; number].join(",");
        assert!(state(&entries(MOST_ENTRIES)) && !state(&entries(MOST_ENTRIES + 1)));
        for text in ["k", "=v", "K=v", "k=", "k=a=b", "k=v,", "k=ä", "k=\n"] {
            assert!(!state(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}", state in ".{0,600}") {
            let context: SpanContext = PARENT.parse().unwrap();
            let _ = context.with_state(&state);
            if let Ok(context) = text.parse::<SpanContext>() {
                prop_assert_eq!(context.to_string(), text);
            }
        }

        #[test]
        fn bytes_survive_the_text(bytes: [u8; 25]) {
            if let Some(context) = SpanContext::from_bytes(bytes) {
                prop_assert_eq!(context.to_string().parse::<SpanContext>().map(|read| read.to_bytes()), Ok(bytes));
            }
        }
    }
}
