//! Ports within one process, beside a bare tokio task and four other actor frameworks.

fn main() -> std::process::ExitCode {
    aemp_benches::local::main()
}
