//! Two processes over loopback TCP, in each format, beside the same packets without any framework.

fn main() -> std::process::ExitCode {
    aemp_benches::remote::main()
}
