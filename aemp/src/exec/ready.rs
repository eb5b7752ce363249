//! The ports that wait for a drainer: a lane for each connection whose messages made them ready, and one for all other
//! ports.
//!
//! Lanes take turns. So the ports that one peer makes ready by the ten thousand, such as those that it spawns, delay the
//! messages of another peer by some runs and not by all of them. Within a lane, ports keep their order.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use crate::port::any::AnyPort;

/// A ready port. Only the owner of this value may run the port.
pub(crate) type Work = Arc<dyn AnyPort>;

/// A source of ready ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lane(u64);

impl Lane {
    /// Handlers, tasks and timers of this node.
    pub(crate) const HERE: Self = Self(0);

    /// The connection with this number.
    pub(crate) fn of_connection(number: u64) -> Self {
        Self(number.wrapping_add(1))
    }
}

/// The number of ports of one lane that are taken before the next lane has its turn.
const TURN: usize = 8;

/// Values by lane.
#[derive(Debug)]
pub(super) struct Ready<T> {
    /// The lane of this node, which is used most. It is kept when it is empty.
    here: VecDeque<T>,
    /// The lanes of connections, none of them empty.
    connections: HashMap<Lane, VecDeque<T>>,
    /// Each lane that is not empty, once. The first is the next one.
    order: VecDeque<Lane>,
    len: usize,
}

impl<T> Default for Ready<T> {
    fn default() -> Self {
        Self {
            here: VecDeque::new(),
            connections: HashMap::new(),
            order: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T> Ready<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a value to the lane of this node.
    pub(super) fn push(&mut self, value: T) {
        if self.here.is_empty() {
            self.order.push_back(Lane::HERE);
        }
        self.here.push_back(value);
        self.len += 1;
    }

    /// Adds all values to a lane.
    pub(super) fn append(&mut self, lane: Lane, values: &mut VecDeque<T>) {
        if values.is_empty() {
            return;
        }
        self.len += values.len();
        let queue = match lane {
            Lane::HERE => &mut self.here,
            lane => self.connections.entry(lane).or_default(),
        };
        if queue.is_empty() {
            self.order.push_back(lane);
        }
        // An empty queue takes the allocation over.
        match queue.is_empty() {
            true => std::mem::swap(queue, values),
            false => queue.append(values),
        }
    }

    /// Takes up to `most` values, some of each lane in turn.
    pub(super) fn take(&mut self, most: usize, mut give: impl FnMut(T)) {
        let mut left = most.min(self.len);
        self.len -= left;
        while left > 0
            && let Some(lane) = self.order.pop_front()
        {
            let Some(queue) = self.queue(lane) else {
                continue;
            };
            let turn = left.min(TURN).min(queue.len());
            queue.drain(..turn).for_each(&mut give);
            left -= turn;
            match (queue.is_empty(), lane) {
                (false, lane) => self.order.push_back(lane),
                (true, Lane::HERE) => {}
                (true, lane) => drop(self.connections.remove(&lane)),
            }
        }
    }

    /// Takes all values.
    pub(super) fn take_all(&mut self) -> VecDeque<T> {
        let mut all = VecDeque::with_capacity(self.len);
        self.take(usize::MAX, |value| all.push_back(value));
        all
    }

    fn queue(&mut self, lane: Lane) -> Option<&mut VecDeque<T>> {
        match lane {
            Lane::HERE => Some(&mut self.here),
            lane => self.connections.get_mut(&lane),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(ready: &mut Ready<u32>, most: usize) -> Vec<u32> {
        let mut taken = Vec::new();
        ready.take(most, |value| taken.push(value));
        taken
    }

    #[test]
    fn lanes_take_turns() {
        let mut ready = Ready::default();
        let (flood, honest) = (Lane::of_connection(1), Lane::of_connection(2));
        ready.append(flood, &mut (0..1000).collect());
        ready.append(honest, &mut [2000, 2001].into());
        ready.push(3000);
        let first = taken(&mut ready, 20);
        let place = |value| first.iter().position(|taken| *taken == value);
        assert_eq!(
            (place(2000), place(2001), place(3000)),
            (Some(8), Some(9), Some(10))
        );
        // Later values of another lane do not wait for the flood either.
        ready.append(honest, &mut [2002].into());
        assert!(taken(&mut ready, TURN + 1).contains(&2002));
        assert_eq!(ready.len(), 1003 + 1 - 20 - (TURN + 1));
    }

    #[test]
    fn a_lane_keeps_its_order_and_nothing_is_lost() {
        let mut ready = Ready::default();
        let lanes = [
            Lane::HERE,
            Lane::of_connection(0),
            Lane::of_connection(u64::MAX - 1),
        ];
        let mut all = Vec::new();
        for round in 0..50_u32 {
            for (at, lane) in lanes.iter().enumerate() {
                let at = u32::try_from(at).unwrap();
                let mut values = (0..round % 7).map(|n| at * 1000 + round * 10 + n).collect();
                ready.append(*lane, &mut values);
            }
            all.extend(taken(&mut ready, 5));
        }
        all.extend(ready.take_all());
        assert!(ready.is_empty() && ready.connections.is_empty() && ready.order.is_empty());
        for lane in 0..3 {
            let of_lane: Vec<u32> = all
                .iter()
                .copied()
                .filter(|value| value / 1000 == lane)
                .collect();
            assert!(of_lane.is_sorted(), "lane {lane}: {of_lane:?}");
            assert_eq!(of_lane.len(), (0..50).map(|round| round % 7).sum::<usize>());
        }
    }
}
