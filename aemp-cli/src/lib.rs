//! The `aemp` command as a library.
