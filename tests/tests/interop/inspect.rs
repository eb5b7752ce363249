//! A real AnyEvent::MP node cannot be inspected, and the attempt does it no harm.

use aemp::inspect::InspectError;

use crate::{BOTH, common::soon, pair};

#[tokio::test]
#[cfg_attr(not(perl), ignore = "needs Perl with AnyEvent::MP 2")]
async fn perl_answers_that_it_does_not_know_the_request() {
    for dial in BOTH {
        let Some((node, _perl)) = pair(dial).await else {
            return;
        };
        for _ in 0..2 {
            let error = soon(node.inspect("perl").ports()).await.unwrap_err();
            let InspectError::Unknown { provider, .. } = error else {
                panic!("{dial:?}: {error}")
            };
            assert!(provider.is_some_and(|provider| provider.starts_with("AE-")));
        }
        // The own end's view of the connection is still there.
        let connections = node.inspect("rust").connections().await.unwrap();
        let connection = &connections.connections[0];
        assert_eq!((connections.total, &*connection.node), (1, "perl"));
        assert!(connection.sent.packets > 0 && connection.received.packets > 0);
    }
}
