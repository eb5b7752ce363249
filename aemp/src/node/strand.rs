//! A strand: a queue of foreign code that runs in order on a task of its own. A slow job delays only its strand.

use std::{collections::VecDeque, sync::Arc};

use tokio::task::coop::consume_budget;

use super::{Node, WeakNode, life::Counted};
use crate::{guard, lock::Lock};

type Job = Box<dyn FnOnce() + Send>;

/// Jobs that run one after the other. A task exists only while there are jobs.
#[derive(Default)]
pub(crate) struct Strand(Lock<Waiting>);

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// True if there is a task that runs the jobs.
    at_work: bool,
}

impl Strand {
    /// Runs `job` after all earlier jobs.
    pub(crate) fn run(self: &Arc<Self>, node: &Node, job: impl FnOnce() + Send + 'static) {
        self.push(node, usize::MAX, Box::new(job));
    }

    /// As `run`, unless `most` jobs are waiting already. Returns true if the job will run.
    pub(crate) fn try_run(
        self: &Arc<Self>,
        node: &Node,
        most: usize,
        job: impl FnOnce() + Send + 'static,
    ) -> bool {
        self.push(node, most, Box::new(job))
    }

    fn push(self: &Arc<Self>, node: &Node, most: usize, job: Job) -> bool {
        let mut waiting = self.0.lock();
        if waiting.jobs.len() >= most {
            drop(waiting);
            guard::discard(job);
            return false;
        }
        waiting.jobs.push_back(job);
        if std::mem::replace(&mut waiting.at_work, true) {
            return true;
        }
        drop(waiting);
        let worker = Worker {
            strand: Arc::clone(self),
            node: node.downgrade(),
            _counted: node.life().jobs.count(),
        };
        // The task does not keep the node alive; a job may.
        node.scheduler().spawn(async move {
            while worker.run_one() {
                consume_budget().await;
            }
        });
        true
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = self.0.lock();
        let next = waiting.jobs.pop_front();
        waiting.at_work = next.is_some();
        next
    }
}

impl Node {
    /// Runs foreign code on a separate task; at once, if the runtime is gone.
    pub(crate) fn aside(&self, job: impl FnOnce() + Send + 'static) {
        Arc::<Strand>::default().run(self, job);
    }
}

/// The task of a strand.
struct Worker {
    strand: Arc<Strand>,
    node: WeakNode,
    _counted: Counted,
}

impl Worker {
    fn run_one(&self) -> bool {
        let job = self.strand.next();
        job.map(guard::shielded).is_some()
    }
}

impl Drop for Worker {
    /// If the runtime is gone, the rest of the jobs run here, because their effects are waited for.
    fn drop(&mut self) {
        let vanished = self
            .node
            .upgrade()
            .is_some_and(|node| node.life().has_vanished());
        while let Some(job) = self.strand.next() {
            if vanished {
                guard::discard(job);
            } else {
                guard::shielded(job);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn jobs_run_in_order_and_a_panic_is_only_one_of_them() {
        let (node, strand) = (Node::local().unwrap(), Arc::<Strand>::default());
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..100 {
            let tell = tell.clone();
            strand.run(&node, move || {
                assert_ne!(number, 50);
                tell.send(number).unwrap();
            });
        }
        drop(tell);
        let mut numbers = Vec::new();
        while let Some(number) = told.recv().await {
            numbers.push(number);
        }
        assert_eq!(numbers, (0..100).filter(|n| *n != 50).collect::<Vec<_>>());
    }

    #[test]
    fn waiting_calls_run_even_if_the_runtime_ends() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (strand, (tell, told)) = (Arc::<Strand>::default(), channel());
        runtime.block_on(async {
            let node = Node::local().unwrap();
            for number in 0..3 {
                let tell = tell.clone();
                strand.run(&node, move || tell.send(number).unwrap());
            }
            assert!(!strand.try_run(&node, 3, || unreachable!("there are three")));
        });
        drop((runtime, tell));
        assert_eq!(told.iter().collect::<Vec<_>>(), [0, 1, 2]);
    }
}
