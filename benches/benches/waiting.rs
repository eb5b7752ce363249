//! Ports whose handlers wait, beside a bare tokio task and two other actor frameworks.

fn main() -> std::process::ExitCode {
    aemp_benches::waiting::main()
}
