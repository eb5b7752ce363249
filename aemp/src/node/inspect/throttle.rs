//! Expensive answers are given out again until three hundred times their cost has passed. So observers cost a node at most a
//! three-hundredth of a worker for each kind of question, however many there are. A page asks up to three of them, which
//! makes a hundredth.

use std::time::{Duration, Instant};

use crate::Node;

/// An answer that costs less is made anew each time.
const CHEAP: Duration = Duration::from_millis(10);
/// The time for which an expensive answer is given out again, as a multiple of its cost.
const PAUSE: u32 = 300;
/// The number of questions whose answers are kept: observers ask a few, and others have no claim to more.
const MOST: usize = 4;

/// The time that the steps of an answer have taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost(Duration);

impl Cost {
    /// A step, which lasts until the result is dropped.
    pub(super) fn step(&mut self) -> Step<'_> {
        Step {
            cost: self,
            began: Instant::now(),
        }
    }
}

impl Cost {
    /// The time for which the answer is given out again.
    fn pause(self) -> Duration {
        if self.0 < CHEAP {
            Duration::ZERO
        } else {
            self.0 * PAUSE
        }
    }
}

pub(super) struct Step<'a> {
    cost: &'a mut Cost,
    began: Instant,
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.cost.0 += self.began.elapsed();
    }
}

/// The last expensive answers, by their questions.
#[derive(Debug)]
pub(super) struct Kept<Q, A>(Vec<(Q, Instant, A)>);

impl<Q, A> Default for Kept<Q, A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<Q: PartialEq, A: Clone> Kept<Q, A> {
    /// The answer to give out again.
    pub(super) fn get(&mut self, question: &Q) -> Option<A> {
        self.get_at(question, Instant::now())
    }

    fn get_at(&mut self, question: &Q, now: Instant) -> Option<A> {
        self.0.retain(|(_, until, _)| now < *until);
        let found = self.0.iter().find(|(of, ..)| of == question);
        found.map(|(.., answer)| answer.clone())
    }

    /// Keeps an answer for this time at least, and for longer if it was expensive. Simulated nodes have no time.
    pub(super) fn keep(
        &mut self,
        node: &Node,
        question: Q,
        least: Duration,
        cost: Cost,
        answer: &A,
    ) {
        if !node.scheduler().is_timeless() {
            self.keep_at(question, cost.pause().max(least), answer, Instant::now());
        }
    }

    fn keep_at(&mut self, question: Q, pause: Duration, answer: &A, now: Instant) {
        if pause.is_zero() {
            return;
        }
        self.0.truncate(MOST - 1);
        self.0.insert(0, (question, now + pause, answer.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_expensive_answers_are_given_out_again() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        kept.keep_at("cheap", Cost(CHEAP / 2).pause(), &1, now);
        assert_eq!(kept.get_at(&"cheap", now), None);
        kept.keep_at("dear", Cost(CHEAP).pause(), &2, now);
        assert_eq!(kept.get_at(&"dear", now + CHEAP * (PAUSE - 1)), Some(2));
        assert_eq!(kept.get_at(&"cheap", now), None);
        assert_eq!(kept.get_at(&"dear", now + CHEAP * PAUSE), None);
    }

    #[test]
    fn there_are_so_many_answers_and_no_more() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        for question in 0..100 {
            kept.keep_at(question, CHEAP, &question, now);
        }
        assert_eq!(kept.0.len(), MOST);
        assert_eq!(
            (kept.get_at(&99, now), kept.get_at(&0, now)),
            (Some(99), None)
        );
    }

    #[test]
    fn steps_add_up() {
        let mut cost = Cost::default();
        for _ in 0..2 {
            let _step = cost.step();
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(cost.0 >= Duration::from_millis(2));
    }
}
