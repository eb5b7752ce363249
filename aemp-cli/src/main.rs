//! The `aemp` command.

fn main() {
    aemp_cli::main()
}
