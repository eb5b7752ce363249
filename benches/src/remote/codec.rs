//! The formats of the measurements.

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Json,
    Cbor,
    Postcard,
}

pub(crate) const CODECS: [Codec; 3] = [Codec::Json, Codec::Cbor, Codec::Postcard];

impl Codec {
    /// The name for `--codec`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Cbor => "cbor",
            Self::Postcard => "postcard",
        }
    }

    /// The name under which nodes of `aemp` negotiate it.
    pub(crate) fn format(self) -> &'static str {
        match self {
            Self::Postcard => "postcard/1",
            other => other.name(),
        }
    }

    /// True if the format has byte strings. Otherwise text is measured in their place.
    pub(crate) fn has_bytes(self) -> bool {
        self != Self::Json
    }
}
