//! Messages and calls for all members.

use aemp_codec::PortId;
use tokio::task::JoinHandle;

use super::{Pool, PoolError, is_ending};
use crate::{CallError, PortRef};

impl<R: PortRef> Pool<R> {
    /// Does something with each port that takes work, such as sending it a message. Returns the number of ports.
    ///
    /// # Errors
    ///
    /// [`PoolError::Closed`] and [`PoolError::Stopped`].
    pub fn broadcast(&self, mut each: impl FnMut(&R)) -> Result<usize, PoolError> {
        let all = self.each()?;
        all.iter().for_each(|(_, port)| each(port));
        Ok(all.len())
    }

    /// Calls each port that takes work, all at once, and returns their answers.
    ///
    /// ```
    /// use aemp::{Node, port};
    ///
    /// struct Worker(i64);
    ///
    /// #[port]
    /// impl Worker {
    ///     #[rcv] fn done(&self) -> i64 { self.0 }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let workers = [node.port(Worker(3)), node.port(Worker(4))];
    /// for worker in &workers {
    ///     node.db_reg("workers", &worker.id(), ())?;
    /// }
    /// let pool = node.pool::<WorkerRef>("workers")?;
    /// let done = pool.call_all(|worker| worker.done()).await?;
    /// assert_eq!(done.into_iter().filter_map(|(_, done)| done.ok()).sum::<i64>(), 7);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PoolError::Closed`] and [`PoolError::Stopped`]. Each answer may be an error of its own.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the calls.
    pub async fn call_all<C, T>(
        &self,
        call: impl Fn(&R) -> C + Send,
    ) -> Result<Vec<(PortId, Result<T, CallError>)>, PoolError>
    where
        C: IntoFuture<Output = Result<T, CallError>, IntoFuture: Send + 'static>,
        T: Send + 'static,
    {
        let scheduler = self.shared.node.scheduler();
        let begin = |(id, port): (PortId, R)| (id, scheduler.spawn(call(&port).into_future()));
        let mut calls = Calls(self.each()?.into_iter().map(begin).collect());
        drop(call);
        let mut answers = Vec::with_capacity(calls.0.len());
        for (id, call) in &mut calls.0 {
            let answer = match call.await {
                Ok(answer) => answer,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => return Err(PoolError::Stopped),
                },
            };
            answers.push((id.clone(), answer));
        }
        Ok(answers)
    }

    fn each(&self) -> Result<Vec<(PortId, R)>, PoolError> {
        self.shared.crowd.check()?;
        let ids = self.shared.members().ids();
        let port = |id: PortId| {
            let port: R = self.shared.node.handle(&id);
            (!is_ending(&port)).then_some((id, port))
        };
        Ok(ids.into_iter().filter_map(port).collect())
    }
}

/// Calls that are dropped together.
struct Calls<T>(Vec<(PortId, JoinHandle<T>)>);

impl<T> Drop for Calls<T> {
    fn drop(&mut self) {
        self.0.iter().for_each(|(_, call)| call.abort());
    }
}
