//! Contexts of this project, and those of OpenTelemetry.

use aemp::span::SpanContext;
use opentelemetry::trace::{SpanContext as OtelContext, SpanId, TraceFlags, TraceId, TraceState};

/// The context as one of OpenTelemetry. A state that it does not understand is left out.
pub(crate) fn to_otel(context: &SpanContext, remote: bool) -> OtelContext {
    let entries = context.state().split(',').filter_map(|entry| {
        let (key, value) = entry.trim_matches(' ').split_once('=')?;
        Some((key, value))
    });
    OtelContext::new(
        TraceId::from_bytes(context.trace_id()),
        SpanId::from_bytes(context.span_id()),
        TraceFlags::new(context.flags()),
        remote,
        TraceState::from_key_value(entries).unwrap_or(TraceState::NONE),
    )
}

/// The context of OpenTelemetry as one of this project. `None` if it has no IDs.
pub(crate) fn from_otel(context: &OtelContext) -> Option<SpanContext> {
    let own = SpanContext::new(
        context.trace_id().to_bytes(),
        context.span_id().to_bytes(),
        context.trace_flags().to_u8(),
    )?;
    match context.trace_state().header() {
        state if state.is_empty() => Some(own),
        state => Some(own.clone().with_state(&state).unwrap_or(own)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_survive_the_way_to_opentelemetry() {
        let context = SpanContext::new([1; 16], [2; 8], 1).unwrap();
        for state in ["", "k=v", "a=1,b@c=2"] {
            let context = context.clone().with_state(state).unwrap();
            for remote in [true, false] {
                let otel = to_otel(&context, remote);
                assert!(otel.is_valid() && otel.is_sampled() && otel.is_remote() == remote);
                assert_eq!(from_otel(&otel).as_ref(), Some(&context));
            }
        }
        // It has a vendor of more than 14 characters, which OpenTelemetry refuses.
        let odd = context.with_state("a@a-vendor-with-a-long-name=1").unwrap();
        let otel = to_otel(&odd, true);
        assert_eq!(otel.trace_state().header(), "");
        assert_eq!(from_otel(&OtelContext::empty_context()), None);
    }
}
