//! Two processes over loopback TCP, beside JSON written and parsed by hand.

fn main() -> std::process::ExitCode {
    aemp_benches::remote::main()
}
