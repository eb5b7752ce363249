//! Sources of addresses of seeds.

#[cfg(feature = "srv")]
mod srv;

use std::{collections::HashMap, fmt, io, pin::Pin, sync::Arc};

use super::machine;
use crate::guard::{self, Foreign};

/// Finds the addresses of nodes, for [`NodeBuilder::seed_source`](crate::NodeBuilder::seed_source): in a file, from a
/// cloud service, or from a cluster manager.
///
/// Functions that return a future are sources:
///
/// ```
/// use aemp::SeedSource;
///
/// async fn from_file() -> std::io::Result<Vec<String>> {
///     let text = std::fs::read_to_string("/run/seeds")?;
///     Ok(text.lines().map(str::to_owned).collect())
/// }
/// let builder = aemp::Node::builder().seed_source("my seeds", from_file);
/// ```
#[doc(alias = "discovery")]
pub trait SeedSource: Send + Sync + 'static {
    /// Returns the present addresses of nodes, `host:port` each.
    ///
    /// It is called for each round of attempts, on a task of its own, and not twice at the same time. An answer that
    /// takes longer than `monitor_timeout` is dropped. After that, and after an error, the last answer stays valid.
    ///
    /// # Errors
    ///
    /// An error is logged, and shown by [`Node::joined`](crate::Node::joined).
    fn look_up(&self) -> Pin<Box<dyn Future<Output = io::Result<Vec<String>>> + Send + '_>>;
}

impl<F, A> SeedSource for F
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = io::Result<Vec<String>>> + Send + 'static,
{
    fn look_up(&self) -> Pin<Box<dyn Future<Output = io::Result<Vec<String>>> + Send + '_>> {
        Box::pin(self())
    }
}

/// A source of the user. It is foreign code, and so is its drop.
#[derive(Clone)]
pub(crate) struct Custom(Option<Arc<dyn SeedSource>>);

impl Custom {
    pub(crate) fn new(source: impl SeedSource) -> Self {
        Self(Some(Arc::new(source)))
    }

    async fn look_up(&self) -> Result<Vec<String>, String> {
        let Some(source) = self.0.clone() else {
            return Ok(Vec::new());
        };
        let asked = Foreign::new(async move {
            let found = source.look_up().await;
            found.map_err(|error| error.to_string())
        });
        asked.await.unwrap_or_else(|reason| Err(reason.to_string()))
    }
}

impl Drop for Custom {
    fn drop(&mut self) {
        guard::discard(self.0.take());
    }
}

/// The sources of seeds that are not addresses, by name.
pub(crate) type Sources = HashMap<String, Source>;

/// The source of a seed's addresses.
#[derive(Clone)]
pub(crate) enum Source {
    Custom(Custom),
    Command(String),
    /// The SRV records of this name.
    #[cfg(feature = "srv")]
    Srv(String),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Custom(_) => "Custom",
            Self::Command(_) => "Command",
            #[cfg(feature = "srv")]
            Self::Srv(_) => "Srv",
        })
    }
}

impl Source {
    /// The present addresses (`host:port`), or the reason why they are unknown.
    pub(super) async fn look_up(&self) -> Result<Vec<String>, String> {
        match self {
            Self::Custom(custom) => custom.look_up().await,
            Self::Command(command) => machine::run(command)
                .await
                .map_err(|error| error.to_string()),
            #[cfg(feature = "srv")]
            Self::Srv(name) => srv::look_up(name).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_that_panics_has_an_error() {
        async fn bad() -> io::Result<Vec<String>> {
            panic!("oh")
        }
        let error = Custom::new(bad).look_up().await.unwrap_err();
        assert!(error.contains("oh"), "{error}");
    }
}
