//! Attacks by strangers.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Target, origin, peer::connect};

/// Waits until the victim hangs up.
async fn hung_up(stream: &mut TcpStream) {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

/// Connections that say nothing, and some that are gone at once.
pub(super) async fn half_open(target: Target, number: u32) -> io::Result<()> {
    let mut silent = Vec::new();
    for turn in 0.. {
        let stream = connect(&target, origin(number)).await?;
        target.did(1);
        if turn % 2 == 0 {
            // The victim gets a reset.
            let _ = stream.set_zero_linger();
        } else {
            silent.push(stream);
        }
        if silent.len() > 1000 {
            silent.clear();
        }
    }
    Ok(())
}

/// A greeting that never ends, a byte at a time.
pub(super) async fn drip(target: Target, number: u32) -> io::Result<()> {
    let mut stream = connect(&target, origin(number % 4)).await?;
    for byte in "aemp;1;slow;hmac_sha3_512;json;x="
        .bytes()
        .chain(std::iter::repeat(b'x'))
    {
        stream.write_all(&[byte]).await?;
        target.did(1);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A first line without an end, as fast as possible.
pub(super) async fn endless_line(target: Target, number: u32) -> io::Result<()> {
    let mut stream = connect(&target, origin(number % 4)).await?;
    let line = vec![b'x'; 64 << 10];
    loop {
        stream.write_all(&line).await?;
        target.did(1);
    }
}

/// The beginning of a TLS client's hello, and then random octets.
pub(super) async fn hello_tls(target: Target, number: u32) -> io::Result<()> {
    let mut stream = connect(&target, origin(number % 4)).await?;
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let greeting = b"aemp;1;tls;tls_sha3_512,hmac_sha3_512;json;tls=1.0\n!\n";
    if number.is_multiple_of(2) {
        stream.write_all(greeting).await?;
    }
    stream.write_all(hello).await?;
    stream.write_all(&[number as u8; 4096]).await?;
    target.did(1);
    let _ = tokio::time::timeout(Duration::from_millis(50), hung_up(&mut stream)).await;
    Ok(())
}

/// Proofs that are none: each costs the victim two hashes.
pub(super) async fn wrong_secret(target: Target, number: u32) -> io::Result<()> {
    let mut stream = connect(&target, origin(number % 4)).await?;
    let id = super::fresh_id();
    let lines = format!("aemp;1;{id};hmac_sha3_512;json\nnonce\nhmac_sha3_512;00;json\n");
    stream.write_all(lines.as_bytes()).await?;
    target.did(1);
    let _ = tokio::time::timeout(Duration::from_secs(5), hung_up(&mut stream)).await;
    Ok(())
}

/// So many connections at once, from as many addresses, held until the end.
async fn many(target: Target, most: u32, share: u32, of: u32) -> io::Result<()> {
    let mut held = Vec::new();
    for number in (share..most).step_by(of as usize) {
        match connect(&target, origin(number)).await {
            Ok(stream) => {
                target.did(1);
                held.push(stream);
            }
            // As many as this process may have.
            Err(_) => break,
        }
    }
    tokio::time::sleep_until(target.end).await;
    Ok(())
}

pub(super) async fn ten_thousand(target: Target, share: u32) -> io::Result<()> {
    many(target, 10_000, share, 100).await
}

pub(super) async fn one_thousand(target: Target, share: u32) -> io::Result<()> {
    many(target, 1000, share, 10).await
}
