//! Attacks by peers that know the secret.

use std::{fmt::Write as _, io, time::Duration};

use tokio::{io::AsyncWriteExt, net::tcp::OwnedWriteHalf};

use super::{Target, origin, peer::Peer};

/// Packets that are sent at once.
const BATCH: u64 = 500;

/// Numbers that look like chance, and are the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        // Knuth's multiplier and Steele's mixing.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) ^ (self.0 >> 11)
    }
}

/// Bytes that are no packets.
pub(super) async fn garbage(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    let mut noise = Noise(peer.id.len() as u64 + u64::from(number) + target_seed(&target));
    let mut write = peer.listen();
    let bytes: Vec<u8> = (0..4096).map(|_| noise.next() as u8).collect();
    // Sometimes within a packet.
    if noise.next().is_multiple_of(2) {
        write.write_all(br#"["","snd","victim#"#).await?;
    }
    write.write_all(&bytes).await?;
    target.did(1);
    // The victim hangs up, or believes that it is within a string.
    let _ = tokio::time::timeout(Duration::from_millis(20), write.write_all(&bytes)).await;
    Ok(())
}

fn target_seed(target: &Target) -> u64 {
    target.done.load(std::sync::atomic::Ordering::Relaxed)
}

/// Packets without a request that a node could carry out.
pub(super) async fn nonsense(target: Target, number: u32) -> io::Result<()> {
    let mut write = Peer::login(&target, origin(number)).await?.listen();
    let mut noise = Noise(u64::from(number));
    loop {
        let mut batch = String::new();
        for _ in 0..BATCH {
            batch.push_str(NONSENSE[noise.next() as usize % NONSENSE.len()]);
        }
        write.write_all(batch.as_bytes()).await?;
        target.did(BATCH);
    }
}

const NONSENSE: &[&str] = &[
    "[]",
    r#"[""]"#,
    r#"[null,1,2]"#,
    r#"[["",""],{"a":[1,2,[3]]}]"#,
    r#"[{"":""}]"#,
    r#"["","mon1"]"#,
    r#"["","mon1",{"a":1}]"#,
    r#"["","mon0",["x"]]"#,
    r#"["","kil0"]"#,
    r#"["","kil1",""]"#,
    r#"["","kil1",[[[[]]]]]"#,
    r#"["","snd"]"#,
    r#"["","snd","","x"]"#,
    r##"["","snd","#","x"]"##,
    r#"["","can"]"#,
    r#"["","time",17]"#,
    r#"["","eval","1 while 1"]"#,
    r#"["","inspect","everything"]"#,
    r#"["","inspect",{"most":-1},"x#y"]"#,
    r#"["","AnyEvent::MP::_spawn"]"#,
    r#"["","AnyEvent::MP::_spawn","p","No::such::function",1]"#,
    r#"["","CORE::system","rm -rf /"]"#,
    r#"["","g_upd"]"#,
    r#"["","g_upd",[],{},17]"#,
    r#"["","g_set",[1,2,3]]"#,
    r#"["","g_reply","x"]"#,
    r#"["","g_chg1","family",{"a":1}]"#,
    r#"["","g_found","victim",["1.2.3.4:5"]]"#,
    r#"["","g_find",{}]"#,
    r#"["","g_db_family",null,null]"#,
    r#"["no","such","port",1e308,-0.0,"\u0000"]"#,
    r#"[-1.5e-7,true,false]"#,
];

/// Sends the same batch again and again.
async fn flood(target: &Target, write: &mut OwnedWriteHalf, batch: &str) -> io::Result<()> {
    loop {
        write.write_all(batch.as_bytes()).await?;
        target.did(BATCH);
    }
}

/// Makes a port of the attacker's at the victim.
pub(super) async fn prey(write: &mut OwnedWriteHalf, port: &str) -> io::Result<()> {
    let spawn = format!(r#"["","AnyEvent::MP::_spawn","{port}","Soak::prey"]"#);
    write.write_all(spawn.as_bytes()).await
}

/// One port that handles its messages.
pub(super) async fn messages(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    let port = format!("{}/prey", peer.id);
    let mut write = peer.listen();
    prey(&mut write, &port).await?;
    let batch = format!(r#"["{port}","quick","0123456789abcdef"]"#).repeat(BATCH as usize);
    flood(&target, &mut write, &batch).await
}

/// Ports that do not exist.
pub(super) async fn missing_ports(target: Target, number: u32) -> io::Result<()> {
    let mut write = Peer::login(&target, origin(number)).await?.listen();
    let packets = (0..BATCH).map(|n| format!(r#"["Nobody{n}","hello",{n},"0123456789abcdef"]"#));
    let batch: String = packets.collect();
    flood(&target, &mut write, &batch).await
}

/// Sends batches that are never the same.
pub(super) async fn flow(
    target: &Target,
    write: &mut OwnedWriteHalf,
    packet: impl Fn(&mut String, u64),
) -> io::Result<()> {
    let mut number = 0;
    loop {
        let mut batch = String::new();
        for _ in 0..BATCH {
            packet(&mut batch, number);
            number += 1;
        }
        write.write_all(batch.as_bytes()).await?;
        target.did(BATCH);
    }
}

/// Ports without end.
pub(super) async fn spawns(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    let id = peer.id.clone();
    flow(&target, &mut peer.listen(), |batch, n| {
        let _ = write!(
            batch,
            r#"["","AnyEvent::MP::_spawn","{id}/{n}","Soak::prey"]"#
        );
    })
    .await
}

/// Monitors of ports that there are, and of those that there are not.
pub(super) async fn monitors(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    let port = format!("{}/prey", peer.id);
    let mut write = peer.listen();
    prey(&mut write, &port).await?;
    flow(&target, &mut write, |batch, n| {
        let _ = write!(batch, r#"["","mon1","{port}"]["","mon1","Nobody{n}"]"#);
    })
    .await
}

/// Entries of the database without end.
pub(super) async fn database(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    let id = peer.id.clone();
    let mut write = peer.listen();
    write.write_all(br#"["","g_slave",{}]"#).await?;
    flow(&target, &mut write, |batch, n| {
        let _ = write!(
            batch,
            r#"["","g_upd","evil",{{"{id}/{n}":"0123456789abcdef"}}]"#
        );
    })
    .await
}

/// Relays to nodes that do not exist.
pub(super) async fn relays(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    let id = peer.id.clone();
    flow(&target, &mut peer.listen(), |batch, n| {
        let _ = write!(batch, r##"["","snd","{id}/{n}#x","0123456789abcdef"]"##);
    })
    .await
}

/// Questions about everything.
pub(super) async fn inspect(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    let id = peer.id.clone();
    flow(&target, &mut peer.listen(), |batch, n| {
        let what = ["node", "connections", "ports", "families", "functions"][(n % 5) as usize];
        let _ = write!(
            batch,
            r##"["","inspect",["{what}",{{"most":10000}}],"{id}#x",{n}]"##
        );
    })
    .await
}

/// Has itself sent more than it ever reads.
pub(super) async fn deaf(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number)).await?;
    let id = peer.id.clone();
    let (mut write, _unread) = peer.deaf();
    let text = "x".repeat(1000);
    flow(&target, &mut write, |batch, n| {
        let _ = write!(
            batch,
            r##"["","snd","{id}#x",{n},"{text}"]["","time","{id}#x"]"##
        );
    })
    .await
}

/// Nodes that come and go.
pub(super) async fn storm(target: Target, number: u32) -> io::Result<()> {
    let peer = Peer::login(&target, origin(number + target_seed(&target) as u32)).await?;
    target.did(1);
    drop(peer);
    Ok(())
}
