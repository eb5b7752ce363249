//! The distributed database between processes on loopback.

fn main() -> std::process::ExitCode {
    aemp_benches::database::main()
}
