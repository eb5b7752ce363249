//! Options of sockets.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::net::NetConfig;

/// Sets TCP_NODELAY, unless delay is wanted, and the system's keepalives. These detect the death of peers that promise
/// no keepalives.
pub(in crate::net) fn prepare(stream: &TcpStream, config: &NetConfig) {
    // None of these options is needed for correctness, so failures are ignored.
    let _ = stream.set_nodelay(config.nodelay);
    let timeout = config.monitor_timeout;
    let socket = SockRef::from(stream);
    let third = (timeout / 3).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new().with_time(third);
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
    let keepalive = keepalive.with_interval(third);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_user_timeout(Some(timeout));
}

/// True if the other end is a process of this machine.
pub(in crate::net) fn is_near(stream: &TcpStream) -> bool {
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
        return false;
    };
    peer.ip() == local.ip() || peer.ip().is_loopback()
}

/// Sets the size of the buffer for bytes that the other end has not got. A failure costs time alone.
pub(in crate::net) fn hold(stream: &TcpStream, bytes: usize) {
    let _ = SockRef::from(stream).set_send_buffer_size(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use aemp_proto::{handshake::auth::Method, limits::NodeLimits};

    #[tokio::test]
    async fn delay_is_as_wanted() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        for nodelay in [true, false] {
            let config = NetConfig {
                secret: None,
                seeds: Vec::new(),
                sources: crate::net::Sources::new(),
                advertise: Vec::new(),
                addresses: Vec::new(),
                monitor_timeout: Duration::from_secs(30),
                connect_interval: Duration::from_secs(2),
                auth_offer: Method::OFFERED.to_vec(),
                auth_accept: Method::ACCEPTED.to_vec(),
                formats: Vec::new(),
                nodelay,
                limits: NodeLimits::default(),
                global: false,
                require_tls: false,
                relay: true,
                encrypt: crate::config::Encrypt::default(),
                #[cfg(feature = "tls")]
                tls: crate::net::TlsConfig::default(),
            };
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
            let stream = stream.unwrap();
            prepare(&stream, &config);
            assert_eq!(stream.nodelay().unwrap(), nodelay);
        }
    }

    #[tokio::test]
    async fn a_buffer_is_bounded_on_one_machine() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let stream = stream.unwrap();
        assert!(is_near(&stream));
        hold(&stream, 64 << 10);
        let small = SockRef::from(&stream).send_buffer_size().unwrap();
        assert!((64 << 10..=128 << 10).contains(&small), "{small}");
        hold(&stream, 4 << 20);
        assert!(SockRef::from(&stream).send_buffer_size().unwrap() > small);
    }
}
