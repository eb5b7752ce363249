//! See `tests/src/fuzz/dataconn.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    aemp_tests::fuzz::run("dataconn", input);
});
