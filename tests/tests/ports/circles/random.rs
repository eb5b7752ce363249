//! Arbitrary programs of ports that call each other: every program ends, and each refused call was part of a circle.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aemp::{CallError, Local, port};
use proptest::prelude::*;
use tokio::time::{sleep, timeout};

use crate::{node, one_thread};

const PORTS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Sleep(u64),
    /// Calls a port, and waits for it alone.
    Call(usize, Vec<Self>),
    /// The same with a time limit.
    Limited(usize, u64, Vec<Self>),
    /// Calls a port, and waits for it or for a timer.
    Race(usize, u64, Vec<Self>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let sleep = (0u64..3000).prop_map(Step::Sleep);
    let step = sleep.prop_recursive(4, 24, 3, |step| {
        let steps = proptest::collection::vec(step, 0..3);
        let call = (0..PORTS, steps.clone()).prop_map(|(to, steps)| Step::Call(to, steps));
        let limited = (0..PORTS, 0u64..5000, steps.clone())
            .prop_map(|(to, ms, steps)| Step::Limited(to, ms, steps));
        let race =
            (0..PORTS, 0u64..5000, steps).prop_map(|(to, ms, steps)| Step::Race(to, ms, steps));
        prop_oneof![6 => call, 1 => limited, 1 => race]
    });
    proptest::collection::vec(step, 1..4)
}

#[derive(Default)]
struct World {
    ports: OnceLock<Vec<WalkerRef>>,
    /// The port that each port waits for, if it waits for nothing else.
    waits: Mutex<[Option<usize>; PORTS]>,
    refused: AtomicUsize,
}

impl World {
    /// True if the port waits, over others, for itself.
    fn is_in_circle(&self, port: usize) -> bool {
        let waits = self.waits.lock().unwrap();
        let mut at = waits[port];
        for _ in 0..PORTS {
            match at {
                Some(next) if next == port => return true,
                Some(next) => at = waits[next],
                None => return false,
            }
        }
        false
    }
}

struct Walker {
    number: usize,
    world: Arc<World>,
}

#[port(local)]
impl Walker {
    #[rcv]
    async fn walk(&mut self, steps: Local<Vec<Step>>) -> u64 {
        for step in steps.0 {
            self.take(step).await;
        }
        1
    }
}

impl Walker {
    async fn take(&self, step: Step) {
        let ports = self.world.ports.get().unwrap();
        match step {
            Step::Sleep(ms) => sleep(Duration::from_millis(ms)).await,
            Step::Call(to, steps) => {
                self.world.waits.lock().unwrap()[self.number] = Some(to);
                let answer = ports[to].walk(Local(steps)).await;
                match answer {
                    Ok(_) => {}
                    Err(CallError::Circle(text)) => {
                        assert!(self.world.is_in_circle(self.number), "{text}");
                        self.world.refused.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => panic!("{error}"),
                }
                self.world.waits.lock().unwrap()[self.number] = None;
            }
            Step::Limited(to, ms, steps) => {
                let call = ports[to].walk(Local(steps));
                let answer = call.timeout(Duration::from_millis(ms)).await;
                assert!(matches!(answer, Ok(_) | Err(CallError::Timeout)));
            }
            Step::Race(to, ms, steps) => {
                let call = ports[to].walk(Local(steps)).into_future();
                let answer = timeout(Duration::from_millis(ms), call).await;
                assert!(answer.is_err() || answer.unwrap().is_ok());
            }
        }
    }
}

async fn run(programs: Vec<(usize, Vec<Step>)>) -> usize {
    let (node, world) = (node(), Arc::new(World::default()));
    let port = |number| {
        let world = Arc::clone(&world);
        node.port(Walker { number, world })
    };
    let ports: Vec<WalkerRef> = (0..PORTS).map(port).collect();
    assert!(world.ports.set(ports.clone()).is_ok());
    let calls = programs.into_iter().map(|(to, steps)| {
        let call = ports[to].walk(Local(steps));
        tokio::spawn(call.into_future())
    });
    for call in calls.collect::<Vec<_>>() {
        let ended = timeout(Duration::from_secs(1_000_000), call).await;
        assert_eq!(ended.expect("it hangs").unwrap().unwrap(), 1);
    }
    let refused = world.refused.load(Ordering::Relaxed);
    node.stop().await;
    refused
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_program_ends(programs in proptest::collection::vec((0..PORTS, steps()), 1..6)) {
        let runtime = one_thread();
        runtime.block_on(async {
            tokio::time::pause();
            run(programs).await
        });
    }
}

#[test]
fn some_calls_are_refused() {
    // Two ports that call each other, and each itself.
    let to = |port, steps| Step::Call(port, steps);
    let programs = vec![
        (0, vec![Step::Sleep(5), to(1, vec![to(0, vec![])])]),
        (1, vec![Step::Sleep(5), to(0, vec![to(1, vec![])])]),
        (
            2,
            vec![to(2, vec![]), to(3, vec![to(2, vec![]), to(3, vec![])])],
        ),
    ];
    let refused = one_thread().block_on(async {
        tokio::time::pause();
        run(programs).await
    });
    assert!(refused >= 4, "{refused}");
}
