//! The first line of a greeting ([protocol](crate::protocol::handshake#greeting-line-1)).

use std::{fmt, time::Duration};

use super::{
    HandshakeError,
    channel::{Role, Wish},
};

/// The protocol of data connections ([protocol](crate::protocol::services#data-connections)).
pub const DATA_PROTOCOL: &str = "aemp-dataconn";

/// The content of a node's first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The name of the protocol: `aemp`, or `aemp-NAME` for another protocol over the same listeners.
    pub protocol: String,
    /// The version of the protocol; `1`.
    pub version: String,
    /// The node's ID, which may be invalid.
    pub node: String,
    /// The authentication methods that the node accepts, its favourite first.
    pub auth: Vec<String>,
    /// The formats that the node understands, its favourite first.
    pub formats: Vec<String>,
    /// All other keys and their values, in the order of the line.
    pub keys: Vec<(String, Option<String>)>,
}

impl Greeting {
    /// Parses a line. Unknown keys are kept, and missing fields are empty.
    ///
    /// # Errors
    ///
    /// Returns an error if the line is not UTF-8.
    pub fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let text = std::str::from_utf8(line)
            .map_err(|_| HandshakeError::unparsable("aemp", &String::from_utf8_lossy(line)))?;
        let mut fields = text.split(';');
        let mut field = || fields.next().unwrap_or_default();
        let (protocol, version, node, auth, formats) =
            (field(), field(), field(), field(), field());
        Ok(Self {
            protocol: protocol.into(),
            version: version.into(),
            node: node.into(),
            auth: list(auth),
            formats: list(formats),
            keys: fields.map(key_value).collect(),
        })
    }

    /// Returns the value of a key; empty for a key without a value.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<&str> {
        let (_, value) = self.keys.iter().find(|(name, _)| name == key)?;
        Some(value.as_deref().unwrap_or_default())
    }

    /// The longest pause between two sends that the node promises (key `keepalive`, in seconds). Nonsensical values
    /// count as none.
    #[must_use]
    pub fn keepalive(&self) -> Option<Duration> {
        const DAY: f64 = 86_400.0;
        let seconds: f64 = self.key("keepalive")?.parse().ok()?;
        (seconds > 0.0 && seconds <= DAY).then(|| Duration::from_secs_f64(seconds))
    }

    /// True if the node is able and willing to use TLS (key `tls`, of which only the major version 1 counts).
    #[must_use]
    pub fn tls(&self) -> bool {
        let major = self
            .key("tls")
            .and_then(|version| version.split('.').next());
        major == Some("1")
    }

    /// True if the node holds its authentication line back when it has to choose between two connections (key
    /// `arbiter`).
    #[must_use]
    pub fn arbitrates(&self) -> bool {
        self.key("arbiter") == Some("1")
    }

    /// The end of the connection that the node says it is (key `role`). Other implementations do not say it.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        let role = self.key("role")?;
        let mut roles = [Role::Dialed, Role::Accepted].into_iter();
        roles.find(|known| known.name() == role)
    }

    /// The node's wish for encryption without a certificate, if it is able to encrypt (key `encrypt`).
    #[must_use]
    pub fn encrypt(&self) -> Option<Wish> {
        let wish = self.key("encrypt")?;
        let mut wishes = [Wish::Can, Wish::Want].into_iter();
        wishes.find(|known| known.name() == wish)
    }

    /// The ID of the stream, if the greeting is of a data connection (key `dataconn_id`). Empty if the key is missing.
    #[must_use]
    pub fn stream_id(&self) -> Option<&str> {
        (self.protocol == DATA_PROTOCOL).then(|| self.key("dataconn_id").unwrap_or_default())
    }

    /// True if the node marks the end of its side of a stream (key `ends`).
    #[must_use]
    pub fn marks_ends(&self) -> bool {
        self.key("ends") == Some("1")
    }

    /// True if the end that sends this greeting may go on with the end that sends the other one. A listener answers
    /// the greeting of a data connection with its ordinary one.
    pub(super) fn fits(&self, other: &Self) -> bool {
        let (aemp, data) = ("aemp", DATA_PROTOCOL);
        match (self.protocol.as_str(), other.protocol.as_str()) {
            (ours, theirs) if ours == aemp && theirs == data => self.role() != Some(Role::Dialed),
            // Our own greeting that comes back is found out by its second line.
            (ours, theirs) => ours == theirs || (ours == data && theirs == aemp),
        }
    }

    /// True if the node reads the time limits of calls in the names of their reply ports (key `deadline`).
    pub fn reads_deadlines(&self) -> bool {
        self.key("deadline") == Some("1")
    }

    /// True if the node answers requests for the room of its ports (key `credit`).
    #[must_use]
    pub fn gives_credit(&self) -> bool {
        self.key("credit") == Some("1")
    }

    /// True if the node takes contexts of spans with messages (key `trace`).
    #[must_use]
    pub fn traces(&self) -> bool {
        self.key("trace") == Some("1")
    }

    /// True if the node knows relayed connections (key `relay`).
    #[must_use]
    pub fn relays(&self) -> bool {
        self.key("relay") == Some("1")
    }
}

/// Writes the line, without its end.
impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            protocol,
            version,
            node,
            auth,
            formats,
            keys,
        } = self;
        let (auth, formats) = (auth.join(","), formats.join(","));
        write!(f, "{protocol};{version};{node};{auth};{formats}")?;
        for (key, value) in keys {
            write!(f, ";{key}")?;
            if let Some(value) = value {
                write!(f, "={}", escape(value))?;
            }
        }
        Ok(())
    }
}

fn list(field: &str) -> Vec<String> {
    field
        .split(',')
        .filter(|name| !name.is_empty())
        .map(Into::into)
        .collect()
}

fn key_value(field: &str) -> (String, Option<String>) {
    match field.split_once('=') {
        Some((key, value)) => (key.into(), Some(unescape(value))),
        None => (field.into(), None),
    }
}

fn escape(value: &str) -> String {
    value.replace('%', "%25").replace(';', "%3b")
}

fn unescape(value: &str) -> String {
    // Unescapes piece by piece, so that an escaped per cent sign does not begin another escape.
    let mut parts = value
        .split("%25")
        .map(|part| part.replace("%3b", ";").replace("%3B", ";"));
    let first = parts.next().unwrap_or_default();
    parts.fold(first, |text, part| text + "%" + &part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_greeting_survives_the_round_trip() {
        let line = "aemp;1;b;tls_sha3_512,hmac_sha3_512,tls_anon,cleartext;cbor,json,storable;\
                    gproto=1;provider=AE-2.01;peeraddr=[::1]:55972;tls=1.0;mproto=1";
        let greeting = Greeting::parse(line.as_bytes()).unwrap();
        assert_eq!(greeting.node, "b");
        assert_eq!(greeting.formats, ["cbor", "json", "storable"]);
        assert_eq!(greeting.key("peeraddr"), Some("[::1]:55972"));
        assert_eq!(greeting.key("nothing"), None);
        assert!(!greeting.arbitrates());
        assert_eq!(greeting.to_string(), line);
    }

    #[test]
    fn values_are_escaped() {
        let line = b"aemp;1;b;;;provider=a%3bb%25c;flag;arbiter=1";
        let greeting = Greeting::parse(line).unwrap();
        assert_eq!(greeting.key("provider"), Some("a;b%c"));
        assert_eq!(greeting.key("flag"), Some(""));
        assert!(greeting.arbitrates() && !greeting.gives_credit());
        assert_eq!(greeting.to_string().as_bytes(), line);
        assert!(
            Greeting::parse(b"aemp;1;b;;;credit=1")
                .unwrap()
                .gives_credit()
        );
        assert!(
            !Greeting::parse(b"aemp;1;b;;;credit=2")
                .unwrap()
                .gives_credit()
        );
        for (keys, traces) in [(";trace=1", true), (";trace=2", false), (";trace", false)] {
            let greeting = Greeting::parse(format!("aemp;1;b;;{keys}").as_bytes()).unwrap();
            assert_eq!(greeting.traces(), traces, "{keys}");
        }
        // An escaped per cent sign never begins another escape.
        let tricky = Greeting::parse(b"aemp;1;b;;;provider=%253b").unwrap();
        assert_eq!(tricky.key("provider"), Some("%3b"));
        assert!(tricky.to_string().ends_with("=%253b"));
    }

    #[test]
    fn missing_fields_are_empty() {
        let greeting = Greeting::parse(b"GET / HTTP/1.1").unwrap();
        assert_eq!(
            (greeting.protocol.as_str(), greeting.version.as_str()),
            ("GET / HTTP/1.1", "")
        );
        assert!(
            greeting.auth.is_empty() && greeting.formats.is_empty() && greeting.keys.is_empty()
        );
        assert!(Greeting::parse(b"aemp;1;\xff").is_err());
    }

    #[test]
    fn only_the_major_version_1_is_tls() {
        let tls = |keys: &str| Greeting::parse(format!("aemp;1;b;;{keys}").as_bytes());
        for keys in [";tls=1.0", ";tls=1", ";tls=1.7", ";x;tls=1.0;y"] {
            assert!(tls(keys).unwrap().tls(), "{keys}");
        }
        for keys in [
            "",
            ";tls",
            ";tls=",
            ";tls=2.0",
            ";tls=0.9",
            ";tls=10",
            ";tls=11.0",
        ] {
            assert!(!tls(keys).unwrap().tls(), "{keys}");
        }
    }

    #[test]
    fn only_known_roles_and_wishes_count() {
        let read = |keys: &str| Greeting::parse(format!("aemp;1;b;;{keys}").as_bytes()).unwrap();
        let greeting = read(";role=dialed;encrypt=want");
        assert_eq!(
            (greeting.role(), greeting.encrypt()),
            (Some(Role::Dialed), Some(Wish::Want))
        );
        let greeting = read(";encrypt=can;role=accepted");
        assert_eq!(
            (greeting.role(), greeting.encrypt()),
            (Some(Role::Accepted), Some(Wish::Can))
        );
        for keys in ["", ";role;encrypt", ";role=Dialed;encrypt=2"] {
            let greeting = read(keys);
            assert_eq!(
                (greeting.role(), greeting.encrypt()),
                (None, None),
                "{keys}"
            );
        }
    }

    #[test]
    fn only_sensible_promises_count() {
        let promise = |value: &str| {
            Greeting::parse(format!("aemp;1;b;;;keepalive={value}").as_bytes())
                .unwrap()
                .keepalive()
        };
        assert_eq!(promise("10"), Some(Duration::from_secs(10)));
        assert_eq!(promise("0.5"), Some(Duration::from_millis(500)));
        for nonsense in ["", "0", "-1", "inf", "NaN", "1e300", "ten"] {
            assert_eq!(promise(nonsense), None, "{nonsense}");
        }
    }
}
