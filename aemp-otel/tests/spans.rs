//! Spans within one process, with an exporter in memory.

use std::time::Duration;

use aemp::{Cx, Node, Reason, port};
use opentelemetry::{
    Context, KeyValue,
    trace::{Status, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SdkTracer, SdkTracerProvider, SpanData,
};

struct Traced {
    exporter: InMemorySpanExporter,
    tracer: SdkTracer,
    node: Node,
    provider: SdkTracerProvider,
}

fn traced(sampler: Sampler) -> Traced {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .with_sampler(sampler)
        .build();
    let tracer = provider.tracer("test");
    let own = aemp_otel::tracer(tracer.clone());
    let node = Node::builder().tracer(own).start_local().unwrap();
    Traced {
        exporter,
        tracer,
        node,
        provider,
    }
}

impl Traced {
    /// Waits until the spans of these names have ended.
    async fn spans(&self, names: &[&str]) -> Vec<SpanData> {
        let patient = async {
            loop {
                let spans = self.exporter.get_finished_spans().unwrap();
                let ended = |name: &&str| spans.iter().any(|span| span.name == *name);
                if names.iter().all(ended) {
                    return spans;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let patient = tokio::time::timeout(Duration::from_secs(20), patient);
        patient.await.expect("they have not ended")
    }
}

fn only<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    let mut named = spans.iter().filter(|span| span.name == name);
    let found = named.next().unwrap_or_else(|| panic!("{name}: {spans:#?}"));
    assert!(named.next().is_none());
    found
}

fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<&'a opentelemetry::Value> {
    let mut all = span.attributes.iter();
    let found = all.find(|attribute| attribute.key.as_str() == key)?;
    Some(&found.value)
}

struct Inner;

#[port]
impl Inner {
    #[rcv]
    fn get(&self) -> u32 {
        1
    }

    #[rcv]
    fn tell(&self) {}

    #[rcv(try)]
    fn fail(&self) -> Result<(), Reason> {
        Err(Reason::die("as asked"))
    }

    #[rcv]
    fn panic(&self) -> u32 {
        panic!("as asked")
    }
}

struct Outer {
    inner: InnerRef,
    tracer: SdkTracer,
}

#[port]
impl Outer {
    /// A span of the handler's own is between that of the handler and that of the called one.
    #[rcv]
    async fn work(&mut self) -> u32 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let own = self.tracer.start("step");
        let step = Context::current_with_span(own);
        let call = {
            let _step = step.clone().attach();
            self.inner.tell();
            self.inner.get()
        };
        let got = opentelemetry::context::FutureExt::with_context(call, step.clone()).await;
        step.span().end();
        got.unwrap_or_default()
    }

    #[rcv]
    fn strike(&mut self, cx: &mut Cx<'_>) {
        let inner = cx.node().port(Inner);
        inner.kill("struck");
    }
}

fn outer(traced: &Traced) -> OuterRef {
    let inner = traced.node.port(Inner);
    let tracer = traced.tracer.clone();
    traced.node.port(Outer { inner, tracer })
}

#[tokio::test]
async fn spans_of_the_program_find_their_places() {
    let traced = traced(Sampler::AlwaysOn);
    assert_eq!(outer(&traced).work().await.unwrap(), 1);
    let spans = traced
        .spans(&["process Outer.work", "process Inner.tell"])
        .await;
    let work = only(&spans, "process Outer.work");
    let step = only(&spans, "step");
    let get = only(&spans, "process Inner.get");
    let tell = only(&spans, "process Inner.tell");
    assert_eq!(step.parent_span_id, work.span_context.span_id());
    assert_eq!(get.parent_span_id, step.span_context.span_id());
    assert_eq!(get.span_context.trace_id(), work.span_context.trace_id());
    assert_ne!(tell.span_context.trace_id(), work.span_context.trace_id());
    assert_eq!(
        tell.links.iter().next().map(|link| &link.span_context),
        Some(&step.span_context)
    );
    assert!(!get.parent_span_is_remote);
    assert_eq!(
        attribute(get, "messaging.destination.template"),
        Some(&"Inner.get".into())
    );
}

#[tokio::test]
async fn the_sampler_of_the_provider_counts() {
    let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
    let traced = traced(sampler);
    let outer = outer(&traced);
    assert_eq!(outer.work().await.unwrap(), 1);
    assert_eq!(outer.work().await.unwrap(), 1);
    assert!(traced.exporter.get_finished_spans().unwrap().is_empty());
}

#[tokio::test]
async fn failures_are_errors_and_kills_are_events() {
    let traced = traced(Sampler::AlwaysOn);
    let inner = traced.node.port(Inner);
    inner.fail().forget();
    inner.closed().await;
    let panics = traced.node.port(Inner);
    assert!(panics.panic().await.is_err());
    outer(&traced).strike();
    let names = [
        "process Inner.fail",
        "process Inner.panic",
        "process Outer.strike",
    ];
    let spans = traced.spans(&names).await;
    let fail = only(&spans, "process Inner.fail");
    assert_eq!(attribute(fail, "error.type"), Some(&"die".into()));
    assert_eq!(fail.status, Status::error("die as asked"));
    let panic = only(&spans, "process Inner.panic");
    assert_eq!(attribute(panic, "error.type"), Some(&"panic".into()));
    let strike = only(&spans, "process Outer.strike");
    assert_eq!(strike.status, Status::Unset);
    let kill = strike.events.iter().next().unwrap();
    assert_eq!(kill.name, "aemp.kill");
    assert!(
        kill.attributes
            .contains(&KeyValue::new("aemp.reason", "struck"))
    );
}

/// The provider may be gone before the node.
#[tokio::test]
async fn a_provider_that_is_shut_down_makes_no_spans() {
    let traced = traced(Sampler::AlwaysOn);
    traced.provider.shutdown().unwrap();
    assert_eq!(traced.node.port(Inner).get().await.unwrap(), 1);
    assert!(traced.exporter.get_finished_spans().unwrap().is_empty());
}
