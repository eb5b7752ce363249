//! The protection of nodes that have only a secret, against an attacker in the middle.

use super::*;

const FAR: &str = "192.0.2.7:4040";
const NEAR: &str = "127.0.0.1:4040";

fn node(name: &str, encrypt: Encrypt) -> HandshakeConfig {
    let mut config = config(name, Some("geheim"));
    config.encrypt = encrypt;
    config
}

/// One end of a connection, with its outputs.
struct End {
    handshake: Handshake,
    outcome: Outcome,
}

impl End {
    fn new(config: HandshakeConfig, role: Role, peeraddr: &str) -> Self {
        let mut handshake = begin(config, role, peeraddr);
        handshake.proceed();
        let outcome = Outcome::default();
        Self { handshake, outcome }
    }

    /// Takes the next lines that it sends.
    fn sends(&mut self) -> String {
        let next = drain(&mut self.handshake);
        self.outcome.tls = next.tls.or_else(|| self.outcome.tls.take());
        self.outcome.established = next.established.or_else(|| self.outcome.established.take());
        self.outcome.failed = next.failed.or_else(|| self.outcome.failed.take());
        next.sent
    }

    fn hears(&mut self, text: &str) {
        self.handshake.receive(text.as_bytes());
    }

    /// Sets up TLS with this exporter, if TLS is selected.
    fn secure(&mut self, exported: u8) {
        match self.outcome.tls.as_ref().map(|start| start.keys) {
            Some(Keys::Ephemeral) => self.handshake.bound(Binding::new([exported; 32])),
            Some(Keys::Certificates) => self.handshake.secured(),
            None => {}
        }
    }

    fn keys(&self) -> Option<Keys> {
        self.outcome.tls.as_ref().map(|start| start.keys)
    }

    fn is_in(&self) -> bool {
        self.outcome.established.is_some()
    }

    fn failure(&self) -> String {
        let failed = self.outcome.failed.as_ref();
        failed.map(ToString::to_string).unwrap_or_default()
    }
}

/// Two ends with an attacker in between, which changes greetings, passes on everything else, and has a TLS session with
/// each end.
fn through(a: &mut End, b: &mut End, change: fn(&str) -> String, exported: [u8; 2]) {
    let (to_b, to_a) = (a.sends(), b.sends());
    b.hears(&change(&to_b));
    a.hears(&change(&to_a));
    for _ in 0..3 {
        let (to_b, to_a) = (a.sends(), b.sends());
        a.secure(exported[0]);
        b.secure(exported[1]);
        b.hears(&to_b);
        a.hears(&to_a);
    }
    a.sends();
    b.sends();
}

/// Two ends without an attacker in between.
fn directly(a: &mut End, b: &mut End) {
    through(a, b, str::to_owned, [7, 7]);
}

fn dialing(encrypt: Encrypt, peeraddr: &str) -> End {
    End::new(node("a", encrypt), Role::Dialed, peeraddr)
}

fn listening(encrypt: Encrypt, peeraddr: &str) -> End {
    End::new(node("bb", encrypt), Role::Accepted, peeraddr)
}

fn without(line: &str, key: &str) -> String {
    let (first, rest) = line.split_once('\n').unwrap();
    let fields: Vec<&str> = first
        .split(';')
        .filter(|field| !field.starts_with(key))
        .collect();
    assert_ne!(fields.join(";"), first, "{key} is there");
    format!("{}\n{rest}", fields.join(";"))
}

const WRONG: &str = "authentication failure/shared secret mismatch";

#[test]
fn each_setting_meets_each_other() {
    use Encrypt::{Always, Auto, Never};
    let (yes, no) = (Some(Some(Keys::Ephemeral)), Some(None));
    // The ends are on different machines, or on loopback. `None` means that no connection is made.
    let cases = [
        (Auto, Auto, yes, no),
        (Auto, Always, yes, yes),
        (Auto, Never, no, no),
        (Always, Always, yes, yes),
        (Always, Never, None, None),
        (Never, Never, no, no),
    ];
    for (one, other, far, near) in cases {
        for (ours, theirs) in [(one, other), (other, one)] {
            for (peeraddr, expected) in [(FAR, far), (NEAR, near)] {
                let mut a = dialing(ours, peeraddr);
                let mut b = listening(theirs, peeraddr);
                directly(&mut a, &mut b);
                let title = format!("{ours:?} and {theirs:?} at {peeraddr}");
                match expected {
                    Some(keys) => {
                        assert!(a.is_in() && b.is_in(), "{title}: {}", a.failure());
                        assert_eq!([a.keys(), b.keys()], [keys; 2], "{title}");
                    }
                    None => {
                        let refuses = if ours == Always { &a } else { &b };
                        assert!(
                            refuses.failure().starts_with("no encryption with "),
                            "{title}"
                        );
                        assert!(!a.is_in() && !b.is_in(), "{title}");
                    }
                }
            }
        }
    }
}

/// One end sees a loopback address, the other an address that is not.
#[test]
fn one_end_that_wants_it_is_enough() {
    let (mut a, mut b) = (dialing(Encrypt::Auto, NEAR), listening(Encrypt::Auto, FAR));
    directly(&mut a, &mut b);
    assert!(a.is_in() && b.is_in());
    assert_eq!([a.keys(), b.keys()], [Some(Keys::Ephemeral); 2]);
}

#[test]
fn it_needs_a_secret_and_its_method() {
    let says = |config: HandshakeConfig| {
        let greeting = config.greeting(Role::Dialed, FAR);
        greeting.encrypt()
    };
    assert_eq!(says(node("a", Encrypt::Auto)), Some(Wish::Want));
    for secret in [None, Some("")] {
        let mut config = config("a", secret);
        config.encrypt = Encrypt::Auto;
        assert_eq!(says(config), None, "{secret:?}");
    }
    let mut config = node("a", Encrypt::Auto);
    config.auth_offer = vec![Method::Cleartext];
    assert_eq!(says(config), None);
    let mut config = node("a", Encrypt::Always);
    config.auth_accept = vec![Method::TlsSha3_512];
    assert_eq!(says(config), None);
}

#[test]
fn certificates_come_first() {
    let mut own = [node("a", Encrypt::Always), node("bb", Encrypt::Auto)];
    for config in &mut own {
        config.tls = true;
    }
    let [a, b] = own.clone();
    let (mut a, mut b) = (
        End::new(a, Role::Dialed, FAR),
        End::new(b, Role::Accepted, FAR),
    );
    directly(&mut a, &mut b);
    assert!(a.is_in() && b.is_in());
    assert_eq!(a.keys(), Some(Keys::Certificates));
    // One certificate is as good as none.
    let [a, mut b] = own;
    b.tls = false;
    let (mut a, mut b) = (
        End::new(a, Role::Dialed, FAR),
        End::new(b, Role::Accepted, FAR),
    );
    directly(&mut a, &mut b);
    assert!(a.is_in() && b.is_in());
    assert_eq!(a.keys(), Some(Keys::Ephemeral));
}

/// An attacker that knows the secret must not get in without a certificate where certificates are required.
#[test]
fn required_tls_is_that_of_certificates() {
    let mut config = node("bb", Encrypt::Always);
    (config.tls, config.require_tls) = (true, true);
    let mut b = End::new(config, Role::Accepted, FAR);
    let mut a = dialing(Encrypt::Always, FAR);
    directly(&mut a, &mut b);
    assert!(
        b.failure().contains("require_tls is set"),
        "{}",
        b.failure()
    );
    assert!(!a.is_in() && !b.is_in());
}

#[test]
fn other_implementations_are_refused_where_it_must_be() {
    let greeting = "aemp;1;x;hmac_sha3_512;json;provider=AE-2.01\n~\n";
    let mut end = listening(Encrypt::Always, FAR);
    end.hears(greeting);
    let sent = end.sends();
    assert_eq!(sent.lines().count(), 2, "nothing is proved: {sent}");
    assert!(
        end.failure()
            .starts_with("no encryption with x, and encrypt is \"always\"")
    );
    let mut end = listening(Encrypt::Auto, FAR);
    end.hears(greeting);
    assert!(end.sends().contains("\nhmac_sha3_512;") && end.failure().is_empty());
}

/// An attacker has dialled two listening nodes, or was dialled by two nodes.
#[test]
fn a_relay_between_two_ends_of_one_role_is_detected_in_clear() {
    for (role, text) in [(Role::Accepted, "accepted"), (Role::Dialed, "dialled")] {
        for encrypt in [Encrypt::Never, Encrypt::Auto, Encrypt::Always] {
            let mut a = End::new(node("a", encrypt), role, NEAR);
            let mut b = End::new(node("bb", encrypt), role, NEAR);
            directly(&mut a, &mut b);
            for end in [&a, &b] {
                let expected = format!("both ends of the connection have {text}");
                assert!(end.failure().starts_with(&expected), "{}", end.failure());
                assert!(!end.is_in() && end.keys().is_none());
            }
        }
    }
}

/// The proof covers the roles, so changing or removing one makes it fail.
#[test]
fn a_role_that_is_changed_breaks_the_proof() {
    let changes: [fn(&str) -> String; 2] = [
        |line| without(line, "role="),
        |line| line.replace("role=accepted", "role=dialed"),
    ];
    for change in changes {
        let mut a = End::new(node("a", Encrypt::Never), Role::Accepted, NEAR);
        let mut b = End::new(node("bb", Encrypt::Never), Role::Accepted, NEAR);
        through(&mut a, &mut b, change, [0, 0]);
        for end in [&a, &b] {
            assert!(!end.is_in());
            assert_eq!(end.failure(), WRONG);
        }
    }
}

/// The attacker passes greetings and proofs on unchanged, and has a TLS session with each end.
#[test]
fn a_relay_within_tls_is_detected() {
    let (mut a, mut b) = (dialing(Encrypt::Auto, FAR), listening(Encrypt::Auto, FAR));
    through(&mut a, &mut b, str::to_owned, [1, 2]);
    for end in [&a, &b] {
        assert_eq!(end.keys(), Some(Keys::Ephemeral));
        assert!(!end.is_in());
        assert_eq!(end.failure(), WRONG);
    }
}

#[test]
fn stripping_encryption_breaks_the_proof() {
    let (mut a, mut b) = (dialing(Encrypt::Auto, FAR), listening(Encrypt::Auto, FAR));
    through(&mut a, &mut b, |line| without(line, "encrypt="), [0, 0]);
    for end in [&a, &b] {
        assert_eq!(end.keys(), None, "it has come to an exchange in clear");
        assert!(!end.is_in());
        assert_eq!(end.failure(), WRONG);
    }
    // Weakening a wish does not even lead to TLS, because each end knows its own wish.
    let weaken = |line: &str| line.replace("encrypt=want", "encrypt=can");
    let (mut a, mut b) = (dialing(Encrypt::Auto, FAR), listening(Encrypt::Auto, FAR));
    through(&mut a, &mut b, weaken, [3, 3]);
    for end in [&a, &b] {
        assert_eq!((end.keys(), end.is_in()), (Some(Keys::Ephemeral), false));
        assert_eq!(end.failure(), WRONG);
    }
}

/// The attacker makes one end expect clear text, and the other TLS.
#[test]
fn a_proof_in_clear_is_invalid_within_tls() {
    let (mut a, mut b) = (dialing(Encrypt::Auto, NEAR), listening(Encrypt::Auto, FAR));
    let (to_b, to_a) = (a.sends(), b.sends());
    // The end on loopback says `can`. The attacker removes the key for that end alone.
    a.hears(&without(&to_a, "encrypt="));
    b.hears(&to_b);
    let proof = a.sends();
    b.sends();
    b.secure(5);
    b.hears(&proof);
    b.sends();
    assert_eq!(b.keys(), Some(Keys::Ephemeral));
    assert_eq!(b.failure(), WRONG);
}

/// With ephemeral keys, only the proof that covers the channel counts, among all accepted methods.
#[test]
fn within_tls_of_a_secret_no_other_method_counts() {
    for line in [
        "cleartext;67656865696d;json\n",
        "tls_anon;;json\n",
        "tls_sha3_512;00;json\n",
    ] {
        let mut b = listening(Encrypt::Always, FAR);
        b.hears("aemp;1;x;tls_sha3_512,hmac_sha3_512;json;encrypt=can\n~\n");
        b.sends();
        b.secure(9);
        b.hears(line);
        let sent = b.sends();
        assert!(sent.starts_with("hmac_sha3_512;"), "{sent}");
        assert!(
            b.failure().contains("unsupported rcv auth method"),
            "{line}: {}",
            b.failure()
        );
    }
}

#[test]
fn peers_without_the_secret_are_refused() {
    let mut stranger = config("a", Some("geraten"));
    stranger.encrypt = Encrypt::Always;
    let mut a = End::new(stranger, Role::Dialed, FAR);
    let mut b = listening(Encrypt::Auto, FAR);
    directly(&mut a, &mut b);
    assert_eq!([a.failure(), b.failure()], [WRONG, WRONG]);
}

/// TLS must have the keys that the greetings select.
#[test]
fn the_wrong_keys_end_the_handshake() {
    let greet = |keys: &str, config: HandshakeConfig| {
        let mut end = End::new(config, Role::Accepted, FAR);
        end.hears(&format!(
            "aemp;1;x;tls_sha3_512,hmac_sha3_512;json;{keys}\n~\n"
        ));
        end.sends();
        end
    };
    let mut end = greet("encrypt=want", node("bb", Encrypt::Auto));
    end.handshake.secured();
    assert_eq!(
        (end.sends().as_str(), end.failure().as_str()),
        ("", "TLS: made with other keys")
    );
    let mut config = node("bb", Encrypt::Auto);
    config.tls = true;
    let mut end = greet("tls=1.0", config);
    end.handshake.bound(Binding::new([0; 32]));
    assert_eq!(
        (end.sends().as_str(), end.failure().as_str()),
        ("", "TLS: made with other keys")
    );
}

#[test]
fn the_proof_is_the_references_with_one_line_more() {
    let (mut a, mut b) = (dialing(Encrypt::Auto, FAR), listening(Encrypt::Auto, FAR));
    let (to_b, to_a) = (a.sends(), b.sends());
    a.hears(&to_a);
    a.sends();
    a.secure(0xab);
    let line = a.sends();
    let proof = line.split(';').nth(1).unwrap();
    let bytes = |text: &str| text.trim_end().as_bytes().to_vec();
    let text = [bytes(&to_b), bytes(&to_a), "ab".repeat(32).into_bytes()].join(b"\n".as_slice());
    let secret = Secret::new("geheim");
    // The reference's proof ends with the fourth line. Here, the binding follows it.
    let (first, rest) = split(&text);
    let (second, rest) = split(rest);
    let (third, rest) = split(rest);
    let expected = Method::HmacSha3_512
        .proof(Some(&secret), [first, second], [third, rest])
        .unwrap();
    assert_eq!(proof, expected.as_str());
}

fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| byte == b'\n').unwrap();
    (&text[..end], &text[end + 1..])
}
