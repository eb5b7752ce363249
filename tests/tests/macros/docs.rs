//! Documentation, deprecation and direct use of the items under the attributes.

#![deny(missing_docs)]

use aemp::{port, spawnable};

use crate::node;

/// Says hello.
#[derive(Debug, Default)]
pub struct Greeter;

#[port]
impl Greeter {
    /// Greets the caller.
    ///
    /// ```ignore
    /// greeter.greet("you".into());
    /// ```
    #[rcv]
    pub fn greet(&self, name: String) -> String {
        format!("hello {name}")
    }

    /// The old way.
    #[rcv]
    #[deprecated = "use `greet`"]
    pub fn hail(&self) -> String {
        self.greet("all".into())
    }
}

/// Starts one.
#[spawnable]
pub fn greeter() -> Greeter {
    Greeter
}

#[tokio::test]
async fn methods_can_still_be_called() {
    assert_eq!(Greeter.greet("me".into()), "hello me");
    let greeter = node().port(greeter());
    assert_eq!(greeter.greet("you".into()).await.unwrap(), "hello you");
    #[expect(
        deprecated,
        reason = "the handle's method is as deprecated as the handler"
    )]
    let hail = greeter.hail();
    assert_eq!(hail.await.unwrap(), "hello all");
}
