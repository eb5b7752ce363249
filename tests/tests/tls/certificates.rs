//! Certificates for tests, and nodes that have them.

use aemp::{Node, NodeBuilder};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    SanType, date_time_ymd,
};

use crate::common::soon;

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(crate) fn authority(name: &str) -> Authority {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// One text for all, as `aemp gencert` makes it.
pub(crate) fn shared() -> String {
    let ca = authority("AnyEvent::MP");
    ca.pem() + &ca.key().serialize_pem()
}

/// Certificate and key of a node.
pub(crate) fn issued(by: &Authority, params: &CertificateParams) -> String {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, by).unwrap().pem() + &key.serialize_pem()
}

/// For the node of that ID.
pub(crate) fn for_node(id: &str) -> CertificateParams {
    let mut params = params("a node");
    let uri = format!("aemp:{id}");
    params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into().unwrap())];
    params
}

/// That ends soon enough to be over, or begins too late.
pub(crate) fn dated(mut params: CertificateParams, from: i32, to: i32) -> CertificateParams {
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

/// A node with a certificate and without a secret.
pub(crate) fn builder(id: &str, cert: &str) -> NodeBuilder {
    let builder = Node::builder().node_id(id).bind("127.0.0.1:0");
    builder.framing_format(["json"]).cert(cert)
}

pub(crate) async fn start(builder: NodeBuilder) -> Node {
    builder.start().await.unwrap()
}

pub(crate) fn address(node: &Node) -> String {
    node.listeners().remove(0)
}

/// Starts two nodes, the second of which has the first as seed, and waits until they are connected.
pub(crate) async fn pair(a: NodeBuilder, b: NodeBuilder) -> [Node; 2] {
    let a = start(a).await;
    let b = start(b.seed(address(&a))).await;
    soon(b.until_up(a.id().as_str())).await;
    soon(a.until_up(b.id().as_str())).await;
    [a, b]
}

/// Version and cipher suite of the connection to another node.
pub(crate) async fn tls(node: &Node, other: &str) -> Option<String> {
    let inspected = node.inspect(node.id().as_str());
    let connections = soon(inspected.connections()).await.unwrap();
    let mut connections = connections.connections.into_iter();
    let found = connections.find(|connection| connection.node == other);
    found.expect("they are connected").tls
}
