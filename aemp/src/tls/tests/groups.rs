//! The choice of the key exchange.

use rustls::NamedGroup;

use super::*;

#[cfg(feature = "aws-lc-rs")]
const GROUP: NamedGroup = NamedGroup::X25519MLKEM768;
#[cfg(not(feature = "aws-lc-rs"))]
const GROUP: NamedGroup = NamedGroup::X25519;

fn check(pair: &Pair, group: NamedGroup) {
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.group(), Some(group));
        let described = end.describe().unwrap();
        let told = described.contains("X25519MLKEM768");
        assert_eq!(told, group == NamedGroup::X25519MLKEM768, "{described}");
    }
}

#[test]
fn certificates_have_the_key_exchange_of_the_library() {
    let text = shared("shared");
    let pair = Pair::up(&context(&text, None), &context(&text, None));
    check(&pair, GROUP);
}

#[test]
fn bare_keys_have_the_key_exchange_of_the_library() {
    let (a, b) = (Ephemeral::new().unwrap(), Ephemeral::new().unwrap());
    check(&ephemeral::pair(&a, &b), GROUP);
}

/// The nodes' programs are built with different features.
#[test]
#[cfg(all(feature = "aws-lc-rs", feature = "ring"))]
fn one_end_without_it_is_enough_for_the_old_key_exchange() {
    let text = shared("shared");
    let ring = || {
        let mut context = context(&text, None);
        context.provider = Arc::new(rustls::crypto::ring::default_provider());
        context
    };
    check(
        &Pair::up(&ring(), &context(&text, None)),
        NamedGroup::X25519,
    );
    check(
        &Pair::up(&context(&text, None), &ring()),
        NamedGroup::X25519,
    );
}

/// The choice is made for this node alone.
#[test]
fn the_default_of_the_process_is_left_alone() {
    let text = shared("shared");
    Pair::up(&context(&text, None), &context(&text, None));
    assert!(CryptoProvider::get_default().is_none());
}
