//! The specification of the wire protocol, for implementers in any language.
//!
//! [names]: self::names
//! [handshake]: self::handshake
//! [packets]: self::packets
//! [encoding]: self::encoding
//! [requests]: self::requests
//! [monitors]: self::monitors
//! [connections]: self::connections
//! [global]: self::global
//! [services]: self::services
//! [topics]: self::topics
//! [configuration]: self::configuration
//! [extensions]: self::extensions
//! [behaviour]: self::behaviour
//! [relays]: self::relays
//! [streamed]: self::streamed
//!
#![doc = include_str!("../docs/protocol/README.md")]

// The pages link to each other by file names, so that they can be read in the repository. In here, the definitions in front of a page
// come first and count: its links lead to modules.
macro_rules! pages {
    ($($(#[doc = $summary:literal])+ $page:ident: $file:literal,)+) => {$(
        $(#[doc = $summary])+
        ///
        /// [names]: crate::protocol::names
        /// [handshake]: crate::protocol::handshake
        /// [packets]: crate::protocol::packets
        /// [encoding]: crate::protocol::encoding
        /// [requests]: crate::protocol::requests
        /// [monitors]: crate::protocol::monitors
        /// [connections]: crate::protocol::connections
        /// [global]: crate::protocol::global
        /// [services]: crate::protocol::services
        /// [topics]: crate::protocol::topics
        /// [configuration]: crate::protocol::configuration
        /// [extensions]: crate::protocol::extensions
        /// [behaviour]: crate::protocol::behaviour
        /// [relays]: crate::protocol::relays
        /// [streamed]: crate::protocol::streamed
        ///
        #[doc = include_str!(concat!("../docs/protocol/", $file))]
        pub mod $page {}
    )+};
}

pages! {
    /// Node IDs, port IDs, names of ports.
    names: "names.md",
    /// One connection from its greeting to the proof of a common secret.
    handshake: "handshake.md",
    /// Framing formats, packets, delivery to ports, malformed packets.
    packets: "packets.md",
    /// Perl values in JSON and CBOR, and the values that Perl accepts.
    encoding: "encoding.md",
    /// Requests to the node port, spawning.
    requests: "requests.md",
    /// Monitors, links, reasons, the delivery guarantee.
    monitors: "monitors.md",
    /// Connecting on demand, addresses, loss, keepalive.
    connections: "connections.md",
    /// Seeds, masters, global nodes, the distributed database.
    global: "global.md",
    /// Data connections and the log catcher.
    services: "services.md",
    /// Publish and subscribe, and presence: conventions of this project.
    topics: "topics.md",
    /// The configuration file and the command line.
    configuration: "configuration.md",
    /// The extensions of nodes of this project.
    extensions: "extensions.md",
    /// Connections through a third node, between nodes that cannot dial each other.
    relays: "relays.md",
    /// Streams of items between two ports.
    streamed: "streamed.md",
    /// The behaviour of real nodes of the reference, their faults included.
    behaviour: "behaviour.md",
}
