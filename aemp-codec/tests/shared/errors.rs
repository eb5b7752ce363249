//! Parts of the tests of errors of all formats.

use aemp_codec::{Format, Limits};

/// The error that reading all of the packet ends with, without its beginning.
pub(crate) fn error(format: &Format, packet: &[u8]) -> String {
    let limits = Limits::default().with_max_depth(4);
    let result = format.reader(packet, limits).and_then(|mut reader| {
        let values = reader.rest();
        let mut again = format.reader(packet, limits)?;
        while again.skip()? {}
        values
    });
    let error = result.expect_err("it is malformed");
    assert!(error.is_malformed(), "{error}");

    // A reader that passes over the values refuses the same.
    let passed = format
        .reader(packet, limits)
        .and_then(|reader| reader.finish());
    assert_eq!(passed.expect_err("it is malformed"), error);
    let text = error.to_string();
    let text = text.strip_prefix("malformed packet at byte ");
    text.expect("the usual text").to_owned()
}
