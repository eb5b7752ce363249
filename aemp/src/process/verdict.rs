//! The answers of predicates.

use crate::message::Args;

/// The answer of a predicate of [`Inbox::get_cond`](crate::Inbox::get_cond) for a message.
///
/// - `bool`: `true` takes the message, which is the result of the receive.
/// - `Option<T>`: `Some` takes the message. The value is the result of the receive, and the message is dropped.
///
/// The trait is sealed: other crates cannot implement it.
#[diagnostic::on_unimplemented(
    message = "a predicate does not answer with `{Self}`",
    label = "return a `bool`, or an `Option` of the value that the receive is to return"
)]
pub trait Verdict: sealed::Verdict {
    /// The result of the receive.
    type Output;
    /// The value that is kept until the message has been removed.
    #[doc(hidden)]
    type Kept;

    /// `Some` if the message is taken.
    #[doc(hidden)]
    fn kept(self) -> Option<Self::Kept>;

    /// The result of the receive.
    #[doc(hidden)]
    fn output(kept: Self::Kept, message: Args) -> Self::Output;
}

pub(super) mod sealed {
    /// The types that implement [`Verdict`](super::Verdict).
    #[expect(unnameable_types, reason = "seals the trait")]
    pub trait Verdict {}

    impl Verdict for bool {}
    impl<T> Verdict for Option<T> {}
}

impl Verdict for bool {
    type Output = Args;
    type Kept = ();

    fn kept(self) -> Option<()> {
        self.then_some(())
    }

    fn output((): (), message: Args) -> Args {
        message
    }
}

impl<T> Verdict for Option<T> {
    type Output = T;
    type Kept = T;

    fn kept(self) -> Self {
        self
    }

    fn output(kept: T, _message: Args) -> T {
        kept
    }
}
