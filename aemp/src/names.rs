//! Names of ports: those of one node, and those of the network. [`handbook::names`](crate::handbook::names) has the
//! semantics and the limits.
//!
//! | you want | use |
//! | --- | --- |
//! | a port of this node by a name | [`Node::register`], [`Node::whereis`], [`Node::until_registered`] |
//! | a name that one port of the network has | [`Node::claim`], [`Claim`], [`Terms`] |
//! | the port that has it, on any node | [`Node::look_up`], [`Node::wait_for`] |
//! | a handle that follows the name from port to port | [`Node::follow`] |
//! | one instance of a port in the network | [`Node::singleton`], [`Singleton`] |

mod claim;
mod local;
mod look_up;
mod machine;
mod singleton;
mod table;
mod task;
mod terms;
mod view;

pub(crate) use self::local::Registered;
pub use self::{
    claim::{Claim, ClaimEnd, ClaimError, ClaimState},
    local::{RegisterError, WhereisError},
    singleton::Singleton,
    terms::Terms,
};
#[expect(unused_imports, reason = "named by the documentation above")]
use crate::Node;
#[doc(no_inline)]
pub use crate::supervisor::Follow;
