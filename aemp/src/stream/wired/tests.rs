//! Streams over a bad network in virtual time: reads and writes of all sizes, which are given up and repeated, small
//! windows, pieces, cuts at any byte, and ends that are dropped at any time.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::*;
use crate::{
    sim::{Chance, Conditions, Hub, Network},
    stream::ByteStream,
};

/// The number of random schedules.
const SCHEDULES: u64 = 300;

const MS: Duration = Duration::from_millis(1);

/// The byte at this place of each direction.
fn byte(place: usize) -> u8 {
    (place % 251) as u8
}

/// The plan of one end.
#[derive(Clone, Debug)]
struct Plan {
    /// The number of bytes that it writes before it ends its side.
    total: usize,
    /// The largest read and write.
    largest: usize,
    /// The time after which the end is dropped, wherever it is.
    dropped: Option<Duration>,
    /// True if reads and writes are given up at random, and tried again.
    impatient: bool,
    chance: Chance,
}

impl Plan {
    fn new(chance: &mut Chance) -> Self {
        let largest = [7, 5000, 300_000][chance.index(3)].min(1 + chance.index(300_000));
        let sizes = [0, 1, 300, 70_000, 600_000];
        let size: usize = sizes[chance.index(sizes.len())];
        Self {
            total: size.min(300 * largest),
            largest,
            dropped: chance
                .happens(0.3)
                .then(|| chance.between(Duration::ZERO, 200 * MS)),
            impatient: chance.happens(0.3),
            chance: chance.split(),
        }
    }

    /// A wait that is given up early, or not.
    async fn patiently<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        let patience = match self.impatient && self.chance.happens(0.5) {
            true => self.chance.between(Duration::ZERO, 3 * MS),
            false => Duration::from_secs(3600),
        };
        timeout(patience, wait).await.ok()
    }

    async fn write(mut self, mut to: WriteHalf<ByteStream>) -> io::Result<()> {
        let mut written = 0;
        while written < self.total {
            let size = 1 + self.chance.index(self.largest);
            let size = size.min(self.total - written);
            let bytes: Vec<_> = (written..written + size).map(byte).collect();
            if let Some(wrote) = self.patiently(to.write(&bytes)).await {
                written += wrote?;
            }
            if self.chance.happens(0.1) {
                let flushed = self.patiently(to.flush()).await;
                flushed.unwrap_or(Ok(()))?;
            }
        }
        loop {
            if let Some(ended) = self.patiently(to.shutdown()).await {
                return ended;
            }
        }
    }

    /// Reads to the end, and returns the number of bytes.
    async fn read(mut self, mut from: ReadHalf<ByteStream>) -> Result<usize, (usize, io::Error)> {
        let mut place = 0;
        loop {
            let mut buffer = vec![0; 1 + self.chance.index(self.largest)];
            let Some(read) = self.patiently(from.read(&mut buffer)).await else {
                continue;
            };
            let read = read.map_err(|error| (place, error))?;
            if read == 0 {
                return Ok(place);
            }
            let expected: Vec<_> = (place..place + read).map(byte).collect();
            assert!(buffer[..read] == expected, "behind {place}");
            place += read;
        }
    }
}

/// One end with its tasks.
struct Running {
    writing: JoinHandle<io::Result<()>>,
    reading: JoinHandle<Result<usize, (usize, io::Error)>>,
}

impl Running {
    fn new(plan: &Plan, wired: Wired) -> Self {
        let (from, to) = split(ByteStream::wired(wired));
        let running = Self {
            writing: tokio::spawn(plan.clone().write(to)),
            reading: tokio::spawn(plan.clone().read(from)),
        };
        if let Some(after) = plan.dropped {
            let aborts = [
                running.writing.abort_handle(),
                running.reading.abort_handle(),
            ];
            tokio::spawn(async move {
                sleep(after).await;
                aborts.iter().for_each(tokio::task::AbortHandle::abort);
            });
        }
        running
    }

    /// The results of both tasks. A task that was dropped has none.
    async fn end(self) -> (Option<io::Result<()>>, Option<Result<usize, io::Error>>) {
        let (writing, reading) = (self.writing.await, self.reading.await);
        for panic in [writing.as_ref().err(), reading.as_ref().err()] {
            assert!(panic.is_none_or(tokio::task::JoinError::is_cancelled));
        }
        let reading = reading.ok().map(|read| read.map_err(|(_, error)| error));
        (writing.ok(), reading)
    }
}

async fn connected(chance: &mut Chance, conditions: Conditions) -> [Stream; 2] {
    let mut network = Network::new(chance.next_u64());
    let (a, b) = (network.add_host("a"), network.add_host("b"));
    let hub = Hub::new(network);
    tokio::spawn(hub.clone().run());
    let listener = hub.listen(b, 4040).unwrap();
    let dialed = hub.connect(a, "b:4040").await.unwrap();
    let accepted = listener.accept().await;
    hub.with(|network| network.set_conditions(conditions));
    [dialed, accepted].map(Stream::simulated)
}

fn start(dialed: bool, ends: bool) -> StreamStart {
    let id = "x@a".into();
    StreamStart { id, ends, dialed }
}

/// Runs one schedule.
async fn run(seed: u64) {
    let mut chance = Chance::new(seed);
    let ends = chance.happens(0.8);
    let conditions = Conditions {
        latency: Duration::ZERO..=[MS / 100, 5 * MS][chance.index(2)],
        cut: [0.0, 0.0, 0.01][chance.index(3)],
        pieces: 1 + chance.below(4) as u32,
        window: [20, 5000, 100_000, 1 << 20][chance.index(4)],
        ..Conditions::default()
    };
    let is_cut = conditions.cut > 0.0;
    let plans = [Plan::new(&mut chance), Plan::new(&mut chance)];
    let small = conditions.window < 100;
    let plans = plans.map(|plan| match small {
        true => Plan {
            total: plan.total.min(1000),
            ..plan
        },
        false => plan,
    });
    let [dialed, accepted] = connected(&mut chance, conditions).await;
    let mut a = Wired::new(dialed, Vec::new(), &start(true, ends));
    let mut b = Wired::new(accepted, Vec::new(), &start(false, ends));
    let (began, taken) = tokio::join!(a.begin(), b.begin());
    assert!(is_cut || began.is_ok() && taken.is_ok());
    let running = [Running::new(&plans[0], a), Running::new(&plans[1], b)];
    let [a, b] = running.map(Running::end);
    let results = [a.await, b.await];
    let disturbed = is_cut || plans.iter().any(|plan| plan.dropped.is_some());
    for (writer, reader) in [(0, 1), (1, 0)] {
        let (wrote, read) = (&results[writer].0, &results[reader].1);
        let all = plans[writer].total;
        match read {
            Some(Ok(size)) if ends => assert_eq!(*size, all, "a stream looks whole"),
            Some(Ok(size)) => assert!(*size <= all && (disturbed || *size == all)),
            Some(Err(error)) => assert!(disturbed, "{error}"),
            None => assert!(plans[reader].dropped.is_some()),
        }
        assert!(
            disturbed || matches!(wrote, Some(Ok(()))),
            "writing fails: {wrote:?}"
        );
    }
}

/// A stream is never short without an error, also if it is raw and nothing breaks it, and no task sleeps for ever.
#[test]
fn random_streams_over_a_bad_network() {
    for seed in 0..SCHEDULES {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let schedule = async {
            let limit = Duration::from_secs(3000);
            let ran = timeout(limit, tokio::spawn(run(seed))).await;
            ran.unwrap_or_else(|_| panic!("schedule {seed} hangs"))
                .unwrap_or_else(|error| panic!("schedule {seed} fails: {error}"));
        };
        runtime.block_on(schedule);
    }
}

/// The other end answers and is gone before it has read everything. Its answer arrives all the same.
#[tokio::test(start_paused = true)]
async fn an_answer_is_read_although_the_question_cannot_be_sent() {
    let conditions = Conditions {
        window: 1000,
        ..Conditions::default()
    };
    let [dialed, accepted] = connected(&mut Chance::new(1), conditions).await;
    let mut a = Wired::new(dialed, Vec::new(), &start(true, true));
    let mut b = Wired::new(accepted, Vec::new(), &start(false, true));
    let (began, taken) = tokio::join!(a.begin(), b.begin());
    began.and(taken).unwrap();
    let (mut a, mut b) = (ByteStream::wired(a), ByteStream::wired(b));
    // Some of it is held.
    a.write_all(&[7; 5000]).await.unwrap();
    b.write_all(b"too large").await.unwrap();
    b.shutdown().await.unwrap();
    drop(b);
    sleep(Duration::from_secs(1)).await;
    let mut answer = String::new();
    a.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "too large");
    let error = a.write_all(b"more").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// The octets behind the handshake are the first of the stream.
#[tokio::test(start_paused = true)]
async fn bytes_that_came_with_the_handshake_are_read_first() {
    let [dialed, accepted] = connected(&mut Chance::new(1), Conditions::default()).await;
    let early = [&header(3)[..], b"one", &header(5)[..2]].concat();
    let mut b = Wired::new(accepted, early, &start(false, true));
    b.begin().await.unwrap();
    let mut b = ByteStream::wired(b);
    let mut a = ByteStream::wired(Wired::new(dialed, Vec::new(), &start(true, false)));
    let rest = [&header(5)[2..], b" more", &END].concat();
    a.write_all(&rest).await.unwrap();
    let mut text = String::new();
    b.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "one more");
}
