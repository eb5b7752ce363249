//! A hundred thousand users with an account each, in an sqlite database. The account of an active user is a port: it is
//! loaded when it starts, saved when it stops, and stops when it has had nothing to do for a while. A directory knows
//! those that live. In the end the node is drained while payments go on, and the sum of all acknowledged payments is
//! compared with the sum in the database. The number of users may be given as an argument.

use std::{
    collections::HashMap, env, error::Error, fs, iter, process, sync::mpsc, thread, time::Duration,
};

use aemp::{CallError, Cx, Node, port};
use rusqlite::Connection;
use tokio::{sync::oneshot, task::JoinSet, time::sleep};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// An account that has had nothing to do for this time is saved, and leaves the memory.
const IDLE: Duration = Duration::from_millis(50);
const CLIENTS: usize = 64;
const PUT: &str = "INSERT OR REPLACE INTO accounts VALUES (?, ?)";
const GET: &str = "SELECT coalesce((SELECT cents FROM accounts WHERE user = ?), 0)";

struct Account {
    user: i64,
    cents: i64,
    store: Store,
}

#[port]
impl Account {
    #[start]
    async fn load(&mut self, cx: &mut Cx<'_>) -> Outcome {
        self.cents = self.store.ask(self.user, None).await?;
        cx.idle_after(IDLE);
        Ok(())
    }

    #[stop(within = 30)]
    async fn save(&mut self) -> Outcome {
        self.store.ask(self.user, Some(self.cents)).await.map(drop)
    }

    #[rcv]
    fn pay(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }
}

/// The accounts in memory. One that stops is among them until it has been saved, because monitors fire after its
/// `save`. So the next incarnation never loads a file that the last one has still to write.
struct Directory {
    accounts: HashMap<i64, AccountRef>,
    store: Store,
}

#[port]
impl Directory {
    #[rcv]
    fn open(&mut self, cx: &mut Cx<'_>, user: i64) -> AccountRef {
        if let Some(account) = self.accounts.get(&user) {
            return account.clone();
        }
        let (store, me) = (self.store.clone(), cx.me::<DirectoryRef>());
        let account = cx.node().port(Account {
            user,
            cents: 0,
            store,
        });
        let gone = account.monitor(move |_| drop(me.map(|me| me.gone(user))));
        gone.detach();
        self.accounts.insert(user, account.clone());
        account
    }

    #[rcv]
    fn gone(&mut self, user: i64) {
        self.accounts.remove(&user);
    }

    #[rcv]
    fn count(&self) -> usize {
        self.accounts.len()
    }
}

/// Pays, and waits until it is done. An account answers everything that comes before its stop. So a call that fails with
/// its normal end has not been handled, and may be repeated when the account has been saved.
async fn pay(directory: &DirectoryRef, user: i64, cents: i64) -> Result<i64, CallError> {
    loop {
        let account = directory.open(user).await?;
        match account.pay(cents).await {
            Err(CallError::Died(reason)) if reason.is_normal() => drop(account.closed().await),
            done => return done,
        }
    }
}

/// The thread of the database. All that waits for it is done in one transaction, which many accounts share.
#[derive(Clone)]
struct Store(mpsc::Sender<Job>);

/// Saves the cents, if there are any, and reads them.
struct Job {
    user: i64,
    save: Option<i64>,
    done: oneshot::Sender<i64>,
}

impl Store {
    /// Returns when it is committed.
    async fn ask(&self, user: i64, save: Option<i64>) -> Outcome<i64> {
        let (done, is_done) = oneshot::channel();
        self.0.send(Job { user, save, done })?;
        Ok(is_done.await?)
    }
}

fn serve(mut db: Connection, jobs: &mpsc::Receiver<Job>) -> rusqlite::Result<()> {
    while let Ok(first) = jobs.recv() {
        let transaction = db.transaction()?;
        let mut answers = Vec::new();
        for job in iter::once(first).chain(jobs.try_iter()).take(10_000) {
            if let Some(cents) = job.save {
                let mut put = transaction.prepare_cached(PUT)?;
                put.execute([job.user, cents])?;
            }
            let mut get = transaction.prepare_cached(GET)?;
            answers.push((job.done, get.query_row([job.user], |row| row.get(0))?));
        }
        transaction.commit()?;
        for (done, cents) in answers {
            let _ = done.send(cents);
        }
    }
    Ok(())
}

/// Pays to the users until the node takes no more payments. Returns the sum of those that were acknowledged.
async fn client(directory: DirectoryRef, users: impl Iterator<Item = i64>, pause: Duration) -> i64 {
    let mut acknowledged = 0;
    for user in users {
        if pay(&directory, user, 10).await.is_err() {
            break;
        }
        acknowledged += 10;
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
    acknowledged
}

#[tokio::main]
async fn main() -> Outcome {
    let users: i64 = env::args().nth(1).map_or(Ok(100_000), |n| n.parse())?;
    let file = env::temp_dir().join(format!("aemp-sessions-{}.db", process::id()));
    let db = Connection::open(&file)?;
    db.execute_batch("CREATE TABLE accounts (user INTEGER PRIMARY KEY, cents INTEGER)")?;
    let (jobs, waiting) = mpsc::channel();
    let database = thread::spawn(move || serve(db, &waiting));
    let node = Node::local()?;
    let directory = node.port(Directory {
        accounts: HashMap::new(),
        store: Store(jobs),
    });

    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let users = (number as i64..users).step_by(CLIENTS);
        clients.spawn(client(directory.clone(), users, Duration::ZERO));
    }
    let first: i64 = clients.join_all().await.iter().sum();
    println!("{users} users have paid, {first} cents in all");
    while directory.count().await? > 0 {
        sleep(IDLE).await;
    }
    println!("all accounts have left the memory");

    // The next payment to a user comes when the account is about to leave.
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let users = (number as i64..).map(move |user| user % users);
        let pause = IDLE - Duration::from_millis(2) + Duration::from_micros(100) * number as u32;
        clients.spawn(client(directory.clone(), users, pause));
    }
    sleep(20 * IDLE).await;
    node.stop_within(Duration::from_secs(60)).await;
    let paid = first + clients.join_all().await.iter().sum::<i64>();
    drop((node, directory));
    database.join().map_err(|_| "the database has failed")??;
    let sum = "SELECT sum(cents) FROM accounts";
    let sum: i64 = Connection::open(&file)?.query_row(sum, [], |row| row.get(0))?;
    fs::remove_file(&file)?;
    println!("drained: {paid} cents acknowledged, {sum} cents in the database");
    if sum != paid {
        return Err("payments are lost".into());
    }
    Ok(())
}
