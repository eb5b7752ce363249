//! An exporter that writes spans as OTLP in JSON, a line for each batch, as OpenTelemetry's collector reads them from files.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    KeyValue, Value,
    trace::{SpanId, SpanKind, Status},
};
use opentelemetry_sdk::{
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};
use serde_json::{Value as Json, json};

#[derive(Debug)]
pub(crate) struct JsonFile {
    service: String,
    file: Mutex<File>,
}

impl JsonFile {
    pub(crate) fn create(service: &str, path: &Path) -> io::Result<Self> {
        Ok(Self {
            service: service.into(),
            file: Mutex::new(File::create(path)?),
        })
    }
}

impl SpanExporter for JsonFile {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans: Vec<Json> = batch.iter().map(span).collect();
        let service = [KeyValue::new("service.name", self.service.clone())];
        let line = json!({"resourceSpans": [{
            "resource": {"attributes": attributes(&service)},
            "scopeSpans": [{"scope": {"name": "traced"}, "spans": spans}],
        }]});
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = writeln!(file, "{line}").and_then(|()| file.flush());
        written.map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
    }
}

fn span(span: &SpanData) -> Json {
    let context = &span.span_context;
    let parent = match span.parent_span_id {
        SpanId::INVALID => String::new(),
        parent => parent.to_string(),
    };
    let links: Vec<Json> = (span.links.iter().map(|link| &link.span_context))
        .map(|to| {
            json!({
                "traceId": to.trace_id().to_string(),
                "spanId": to.span_id().to_string(),
                "traceState": to.trace_state().header(),
            })
        })
        .collect();
    let events: Vec<Json> = (span.events.iter())
        .map(|event| {
            json!({
                "name": event.name,
                "timeUnixNano": nanos(event.timestamp),
                "attributes": attributes(&event.attributes),
            })
        })
        .collect();
    json!({
        "traceId": context.trace_id().to_string(),
        "spanId": context.span_id().to_string(),
        "traceState": context.trace_state().header(),
        "parentSpanId": parent,
        "name": span.name,
        "kind": kind(&span.span_kind),
        "startTimeUnixNano": nanos(span.start_time),
        "endTimeUnixNano": nanos(span.end_time),
        "attributes": attributes(&span.attributes),
        "links": links,
        "events": events,
        "status": status(&span.status),
    })
}

fn attributes(attributes: &[KeyValue]) -> Vec<Json> {
    let one = |attribute: &KeyValue| {
        let value = match &attribute.value {
            Value::Bool(value) => json!({"boolValue": value}),
            // 64 bits are text in the JSON of protobuf.
            Value::I64(value) => json!({"intValue": value.to_string()}),
            Value::F64(value) => json!({"doubleValue": value}),
            other => json!({"stringValue": other.as_str()}),
        };
        json!({"key": attribute.key.as_str(), "value": value})
    };
    attributes.iter().map(one).collect()
}

fn nanos(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().to_string()
}

fn kind(kind: &SpanKind) -> u8 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn status(status: &Status) -> Json {
    match status {
        Status::Unset => json!({}),
        Status::Ok => json!({"code": 1}),
        Status::Error { description } => json!({"code": 2, "message": description}),
    }
}
