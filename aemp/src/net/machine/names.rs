//! Look-ups of host names, and connecting to the first of their addresses that answers.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::sleep,
};

/// The time after which the next address is tried as well.
const STAGGER: Duration = Duration::from_millis(250);

/// The socket addresses of `host:port`, from the system's resolver.
pub(in crate::net) async fn addresses(name: &str) -> io::Result<Vec<String>> {
    if name.parse::<SocketAddr>().is_ok() {
        return Ok(vec![name.into()]);
    }
    let found = sockets(name).await?;
    Ok(found.iter().map(ToString::to_string).collect())
}

async fn sockets(name: &str) -> io::Result<Vec<SocketAddr>> {
    let mut sockets = Vec::new();
    for socket in look_up(name).await? {
        if !sockets.contains(&socket) {
            sockets.push(socket);
        }
    }
    Ok(sockets)
}

/// Looks up `host:port`. The system's resolver knows an IPv6 address with the name of its interface without brackets.
pub(super) async fn look_up(name: &str) -> io::Result<Vec<SocketAddr>> {
    let zoned = name
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]:"))
        .filter(|(host, _)| host.contains('%'));
    let numbered = zoned.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    match numbered {
        Some(host_and_port) => Ok(lookup_host(host_and_port).await?.collect()),
        None => Ok(lookup_host(name).await?.collect()),
    }
}

/// Connects to an address of `host:port`. Later addresses are tried in parallel, so one that never answers delays them
/// only a little.
pub(in crate::net) async fn connect(addr: &str) -> io::Result<TcpStream> {
    if let Ok(socket) = addr.parse::<SocketAddr>() {
        return TcpStream::connect(socket).await;
    }
    first_of(sockets(addr).await?).await
}

async fn first_of(sockets: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut sockets = sockets.into_iter();
    let mut attempts = JoinSet::new();
    loop {
        match sockets.next() {
            Some(socket) => drop(attempts.spawn(TcpStream::connect(socket))),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        let more = sockets.len() > 0;
        tokio::select! {
            biased;
            Some(ended) = attempts.join_next() => match ended {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = error,
                Err(error) => failure = io::Error::other(error.to_string()),
            },
            () = sleep(STAGGER), if more => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_that_refuses_does_not_hold_up_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let bad = {
            let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
            gone.local_addr().unwrap()
        };
        let stream = first_of(vec![bad, good]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!(first_of(vec![bad]).await.is_err());
        assert!(first_of(Vec::new()).await.is_err());
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn an_address_that_answers_nothing_does_not_hold_up_the_next() {
        let (swallows, _kept) = swallowing().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let stream = first_of(vec![swallows, good]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    /// A listener whose queue is full: the system drops requests for connections.
    #[cfg(target_os = "linux")]
    async fn swallowing() -> (SocketAddr, impl Sized) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut kept = Vec::new();
        let short = Duration::from_millis(100);
        while let Ok(stream) = tokio::time::timeout(short, TcpStream::connect(addr)).await {
            kept.push(stream.unwrap());
        }
        (addr, (listener, kept))
    }
}
