//! Jobs, pools, topics and names within one process, beside ractor's factory and registry, and kameo's `ActorPool`, `PubSub` and
//! registry.
//!
//! `cargo bench -p aemp-benches --features work --bench work`; `--smoke` shows only that everything runs.

fn main() -> std::process::ExitCode {
    aemp_benches::work::main()
}
