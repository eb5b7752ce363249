//! See `tests/src/fuzz/node.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    aemp_tests::fuzz::run("node", input);
});
