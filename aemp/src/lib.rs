//! Typed actors for Rust, and a full member of AnyEvent::MP networks.
