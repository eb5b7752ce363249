//! The life of actors: restarts, children of a supervisor, hooks, beside two other frameworks.

fn main() -> std::process::ExitCode {
    aemp_benches::life::main()
}
