//! Limits of packets.

/// Limits of packets: size, depth, and number of values.
///
/// ```
/// use aemp_codec::Limits;
///
/// let limits = Limits::default().with_max_packet(1 << 20);
/// assert_eq!((limits.max_packet, limits.max_depth), (1 << 20, 512));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest packet, in bytes; 64 MiB unless set.
    pub max_packet: usize,
    /// The deepest nesting; 512 unless set, as in Perl. The packet itself is the first level.
    pub max_depth: usize,
    /// The greatest number of values that are made of a packet when it is read; 1,048,576 unless set.
    ///
    /// A value of a few bytes takes a hundred and more in memory, so the size of a packet alone bounds little. Each
    /// text, key, list, map, and everything that becomes a [`Value`](crate::Value) counts as one, as often as
    /// references in the packet lead to it. A number does not count if a number is requested: a list of numbers takes
    /// about as much memory as its packet. A [`Codec`](crate::Codec) that reads packets as values has to keep this limit itself.
    pub max_values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_packet: 64 << 20,
            max_depth: 512,
            max_values: 1 << 20,
        }
    }
}

impl Limits {
    /// The same limits with this size of a packet.
    #[must_use]
    pub fn with_max_packet(self, max_packet: usize) -> Self {
        Self { max_packet, ..self }
    }

    /// The same limits with this depth.
    #[must_use]
    pub fn with_max_depth(self, max_depth: usize) -> Self {
        Self { max_depth, ..self }
    }

    /// The same limits with this number of values.
    ///
    /// ```
    /// # #[cfg(feature = "json")] {
    /// use aemp_codec::{Format, Limits};
    ///
    /// let limits = Limits::default().with_max_values(3);
    /// let mut packet = Format::Json.reader(br#"["port",[1,2],[3,4]]"#, limits).unwrap();
    /// assert_eq!(packet.text().unwrap().unwrap(), "port");
    /// assert_eq!(packet.value().unwrap().unwrap().to_string(), "[1,2]");
    /// let error = packet.value().unwrap_err();
    /// assert!(error.to_string().ends_with("more than 3 values in a packet (max_packet_values)"));
    /// # }
    /// ```
    #[must_use]
    pub fn with_max_values(self, max_values: usize) -> Self {
        Self { max_values, ..self }
    }
}
