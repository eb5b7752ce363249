//! Look-ups at a name server on loopback.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use hickory_resolver::{
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::{
        op::{Message, ResponseCode},
        rr::{Name, Record as Resource},
    },
};
use tokio::{net::UdpSocket, time::timeout};

use super::*;
use crate::Node;

const NAME: &str = "_aemp._tcp.example.test";

/// The answer of the server to all queries, by NAME.
#[derive(Clone, Debug)]
enum Says {
    Records(Vec<SRV>),
    NoSuchName,
    Nothing,
}

fn records(records: &[(u16, u16, u16, &str)]) -> Says {
    let each = records.iter().map(|(priority, weight, port, target)| {
        SRV::new(*priority, *weight, *port, Name::from_ascii(target).unwrap())
    });
    Says::Records(each.collect())
}

/// A name server, and a resolver that asks only this one.
struct Server {
    resolver: TokioResolver,
    says: Arc<Mutex<Says>>,
}

impl Server {
    async fn start(says: Says) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let says = Arc::new(Mutex::new(says));
        tokio::spawn(serve(socket, Arc::clone(&says)));
        let resolver = resolver(at);
        Self { resolver, says }
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    async fn ask(&self) -> Result<Vec<String>, String> {
        let mut random = Random::predictable(1);
        let answer = ask(&self.resolver, NAME, &mut random);
        timeout(Duration::from_secs(20), answer).await.unwrap()
    }
}

fn resolver(at: SocketAddr) -> TokioResolver {
    let mut connection = ConnectionConfig::udp();
    connection.port = at.port();
    let server = NameServerConfig::new(at.ip(), true, vec![connection]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    (options.cache_size, options.attempts) = (0, 1);
    options.timeout = Duration::from_secs(1);
    builder.build().unwrap()
}

async fn serve(socket: UdpSocket, says: Arc<Mutex<Says>>) {
    let mut buffer = [0; 1500];
    loop {
        let (size, from) = socket.recv_from(&mut buffer).await.unwrap();
        let asked = Message::from_vec(&buffer[..size]).unwrap();
        let says = says.lock().unwrap().clone();
        if let Some(answer) = answer(&asked, says) {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

fn answer(asked: &Message, says: Says) -> Option<Vec<u8>> {
    let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
    let query = asked.queries[0].clone();
    let name = query.name().clone();
    answer.add_query(query);
    match says {
        Says::Records(records) if name.to_ascii().trim_end_matches('.') == NAME => {
            let records = records.into_iter();
            answer.add_answers(
                records.map(|srv| Resource::from_rdata(name.clone(), 300, RData::SRV(srv))),
            );
        }
        Says::Records(_) | Says::NoSuchName => {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        Says::Nothing => return None,
    }
    Some(answer.to_vec().unwrap())
}

#[tokio::test]
async fn targets_come_with_their_ports_by_priority() {
    let server = Server::start(records(&[
        (30, 0, 3, "c.example.test."),
        (10, 0, 1, "a.example.test."),
        (20, 9, 2, "127.0.0.1."),
    ]))
    .await;
    let found = server.ask().await.unwrap();
    assert_eq!(
        found,
        ["a.example.test:1", "127.0.0.1:2", "c.example.test:3"]
    );
}

#[tokio::test]
async fn missing_names_and_records_are_reported() {
    let server = Server::start(Says::NoSuchName).await;
    assert_eq!(server.ask().await.unwrap_err(), "there is no such name");
    server.say(records(&[]));
    assert_eq!(server.ask().await.unwrap_err(), "it has no SRV records");
    // "Decidedly not available" (RFC 2782) is an answer, so earlier ones no longer count.
    server.say(records(&[(0, 0, 0, ".")]));
    assert_eq!(server.ask().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let server = Server::start(Says::Nothing).await;
    let error = server.ask().await.unwrap_err();
    assert!(error.contains("timed out"), "{error}");
}

/// A node with a seed that is looked up at this server.
async fn seeking(server: &Server) -> Node {
    let resolver = server.resolver.clone();
    let source = move || {
        let resolver = resolver.clone();
        async move {
            let found = ask(&resolver, NAME, &mut Random::predictable(1)).await;
            found.map_err(io::Error::other)
        }
    };
    let builder = Node::builder().node_id("seeking").secret("secret");
    let builder = builder.connect_interval(Duration::from_millis(300));
    builder.seed_source("srv:x", source).start().await.unwrap()
}

#[tokio::test]
async fn a_node_asks_anew_until_it_has_joined() {
    let server = Server::start(Says::NoSuchName).await;
    let node = seeking(&server).await;
    let wait = Duration::from_secs(60);
    let error = timeout(wait, node.joined()).await.unwrap().unwrap_err();
    let error = error.to_string();
    assert!(error.ends_with("srv:x: there is no such name"), "{error}");

    let other = Node::builder().node_id("other").secret("secret");
    let other = other.bind("127.0.0.1:0").start().await.unwrap();
    let address: SocketAddr = other.listeners()[0].parse().unwrap();
    server.say(records(&[
        (5, 0, 1, "127.0.0.1."),
        (9, 0, address.port(), "127.0.0.1."),
    ]));
    timeout(wait, node.until_up("other")).await.unwrap();
    node.stop().await;
    other.stop().await;
}
