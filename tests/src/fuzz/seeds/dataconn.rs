//! Data connections of this project and of the reference, with streams that end and streams that do not.

use aemp_proto::stream::{END, TAKEN, header};

use super::Seeds;

/// The kind of our node: it accepts, or it opens the stream.
const ACCEPTS: u8 = 0;
const OPENS: u8 = 1;

pub(super) fn connections() -> Seeds {
    let keys = "provider=fuzz;peeraddr=192.0.2.2:4040;role=";
    let opener =
        |keys: &str| format!("aemp-dataconn;1;them;hmac_sha3_512,cleartext;json,cbor;{keys}");
    let ours = opener(&format!("{keys}dialed;dataconn_id=s1@them;ends=1"));
    let listener =
        format!("aemp;1;them;hmac_sha3_512;json;{keys}accepted;mproto=1;gproto=1;arbiter=1");
    let frames = [&header(5)[..], b"hello", &header(1), b"!", &END].concat();
    let taken = [&TAKEN[..], &frames].concat();
    let seeds = [
        ("whole", ACCEPTS, ours.clone(), frames.clone()),
        ("cut", ACCEPTS, ours.clone(), frames[..7].into()),
        ("too_long", ACCEPTS, ours.clone(), [0xFF; 8].into()),
        (
            "more_behind",
            ACCEPTS,
            ours,
            [&frames[..], b"more"].concat(),
        ),
        (
            "raw",
            ACCEPTS,
            opener("dataconn_id=1@them"),
            b"raw octets".into(),
        ),
        ("nameless", ACCEPTS, opener(""), frames.clone()),
        (
            "escaped",
            ACCEPTS,
            opener("dataconn_id=%25%3b;ends=1"),
            frames.clone(),
        ),
        (
            "ends_twice",
            ACCEPTS,
            opener("ends=1;ends=2;dataconn_id=1"),
            frames.clone(),
        ),
        ("taken", OPENS, listener.clone(), taken),
        ("not_taken", OPENS, listener.clone(), frames.clone()),
        ("closed", OPENS, listener, Vec::new()),
        (
            "reference",
            OPENS,
            "aemp;1;them;hmac_sha3_512;json;gproto=1".into(),
            b"raw".into(),
        ),
        (
            "both_open",
            OPENS,
            opener("dataconn_id=1@them;ends=1;role=accepted"),
            frames.clone(),
        ),
        (
            "packets",
            ACCEPTS,
            "aemp;1;them;hmac_sha3_512;json".into(),
            b"[\"\"]".into(),
        ),
        (
            "encrypted",
            ACCEPTS | 0x80,
            opener("role=dialed;encrypt=want;dataconn_id=x;ends=1"),
            frames,
        ),
    ];
    let seed = |(name, kind, line, octets): (&str, u8, String, Vec<u8>)| {
        let lines = format!("{line}\nother nonce\nhmac_sha3_512;*;json\n");
        let seed = [&[kind, 5], lines.as_bytes(), &octets].concat();
        (name.into(), seed)
    };
    seeds.into_iter().map(seed).collect()
}
