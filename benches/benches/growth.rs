//! The cost of a message as the number of ports, senders, connections, queued messages and monitors grows.

fn main() -> std::process::ExitCode {
    aemp_benches::growth::main()
}
