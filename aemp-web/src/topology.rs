//! The nodes of the network and their connections, as a graph, and their places in a picture.

pub mod graph;
pub mod layout;
