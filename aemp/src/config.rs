//! Configuration: the file that AEMP programs share, its profiles, and the settings of a node.
//!
//! The file is the reference's: `~/.perl-anyevent-mp`, or the file that `$PERL_ANYEVENT_MP_RC` names. It is JSON,
//! with defaults for all nodes at its top level and named profiles below.
//!
//! ```json
//! {
//!    "version" : 1,
//!    "secret" : "between friends",
//!    "seeds" : [ "10.0.0.1:4040" ],
//!    "profile" : {
//!       "worker" : { "nodeid" : "worker/%n/", "services" : [ "My::Worker::start" ] },
//!       "big" : { "parent" : "worker", "services" : [ [ "My::Worker::start", 16 ] ] }
//!    }
//! }
//! ```
//!
//! - [`ConfigFile`] reads, changes and writes it; `aemp set...` does so from the command line.
//! - [`Settings`] are the result for a node, made of the file, the program's arguments and the
//!   [environment](Environment). [`Sources`] gives their order.
//! - [`Seed`] lists the forms of seeds: addresses, names, commands, SRV records.
//! - [`NodeBuilder::profile`](crate::NodeBuilder::profile) starts a node with a profile. **A node reads the file only
//!   if the program asks for it.**
//!
//! The [protocol](aemp_proto::protocol::configuration) describes it as Perl programs expect it.

mod address;
mod edit;
mod environment;
mod error;
mod exposure;
mod file;
mod key;
mod layers;
mod lock;
mod node_id;
mod parse;
mod permit;
mod places;
mod read;
mod save;
mod seed;
mod service;
mod settings;
mod write;

pub use self::{
    address::{Address, AddressError, Host},
    environment::Environment,
    error::{ConfigError, Expected, Place, SyntaxError, ValueError},
    file::ConfigFile,
    key::{KEYS, Key, Kind},
    layers::{Origin, Sources},
    node_id::{expand_node_id, host_name},
    permit::{Permit, PermitError},
    places::Position,
    seed::{Seed, SeedError},
    service::Service,
    settings::{Cert, Settings, effective, origins},
};
pub use aemp_proto::handshake::{
    Encrypt,
    auth::{Method, Secret},
};
