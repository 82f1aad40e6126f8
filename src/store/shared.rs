//! What the committer, the readers and the handles share.

use super::{
    StoreError,
    database::{self, Database, Place},
    directory::Directory,
    ledger::Tally,
    queue::Queue,
    read::{Read, profile, read},
    spool::Spool,
    turnstile::Turnstile,
};
use crate::{
    config::{Config, EmbeddingsConfig},
    memory::{Resident, Residents, Rules, Undelivered, Unembedded, UserKey, extract::Gathering},
};
use sea_orm::{DbErr, RuntimeErr, SqlxError};
use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// After so many failed reads in a row the committer looks whether the store is down.
const SUSPICIOUS: u32 = 3;
/// So often a server that starts asks its database for a connection, a second or two each time.
const ATTEMPTS: usize = 10;
const DAY_MS: i64 = 86_400_000;
const SECRET: &str = "secret";
/// So often a reader catches up with commits that came while they read.
const AGAIN: usize = 4;

/// See the file's head.
pub struct Shared {
    /// Commands, waiting and half done.
    pub queue: Queue,
    /// Where the database is.
    pub place: Place,
    /// What a profile may hold.
    pub rules: Rules,
    /// What goes to the remote memory instead of being settled here, where there is one.
    pub undelivered: Option<Arc<Undelivered>>,
    /// Whose turns wait to be read by the extraction model.
    pub gathering: Gathering,
    /// What memory cost and is not in the ledger yet.
    pub tally: Tally,
    /// Whose memories may lack vectors, where an embedding model is configured.
    pub unembedded: Option<Unembedded>,
    /// SQLite: up to this size the file is written anew after an erase.
    pub rewrite_bytes: u64,
    /// How long turns are kept; `None`: for ever.
    pub keep_ms: Option<i64>,
    /// Kept up to date by every commit.
    pub residents: Arc<Residents>,
    /// The store does not answer.
    pub down: AtomicBool,
    /// The spool took not all that was to go there.
    pub full: AtomicBool,
    /// Keys hashes.
    pub secret: [u8; 32],
    /// `store.ack_timeout_ms`
    pub ack_timeout: Duration,
    /// `store.group`
    pub group: usize,
    /// The last transaction failed, and its connection with it.
    pub failed: AtomicBool,
    /// Reads fail.
    pub suspicion: Notify,
    /// Opened when the committer has replayed what was left, and closed never.
    pub ready: Gate,
    /// Opened when the committer has ended.
    pub ended: Gate,
    readers: u32,
    failed_reads: AtomicU32,
    /// Turns that reads of users have brought.
    pub turns_read: AtomicU64,
    /// Readers of users who are not here.
    turnstile: Turnstile,
    database: Mutex<Arc<Database>>,
    spool: Mutex<Spool>,
    directory: Mutex<Option<Directory>>,
    /// Makes the committer crash so many times.
    #[cfg(test)]
    pub crashes: AtomicU32,
}

/// A store about to open.
pub struct Opening {
    directory: Directory,
    spool: Spool,
    place: Place,
    residents: Arc<Residents>,
    rules: Rules,
    gathering: Gathering,
    unembedded: Option<Unembedded>,
    keep_ms: Option<i64>,
    config: crate::config::StoreConfig,
}

impl Opening {
    /// A PostgreSQL that does not answer yet may be starting beside us.
    async fn connect(&self) -> Result<Database, DbErr> {
        for _ in 1..ATTEMPTS {
            match Database::open(&self.place, self.config.readers).await {
                Err(DbErr::Conn(RuntimeErr::SqlxError(e)))
                    if matches!(*e, SqlxError::PoolTimedOut) =>
                {
                    tracing::info!("the database does not answer yet");
                }
                done => return done,
            }
        }
        Database::open(&self.place, self.config.readers).await
    }

    /// Connects and migrates.
    pub async fn open(self) -> Result<Shared, StoreError> {
        let failed = |error| self.place.error(&error);
        let database = self.connect().await.map_err(failed)?;
        database.migrate(&self.place).await.map_err(failed)?;
        let secret = secret(&database).await.map_err(failed)?;
        let undelivered = self.rules.elsewhere.then(Arc::default);
        if !self.place.is_ours() {
            self.residents.are_checked();
        }
        Ok(Shared {
            queue: Queue::default(),
            place: self.place,
            residents: self.residents,
            rules: self.rules,
            undelivered,
            gathering: self.gathering,
            tally: Tally::default(),
            unembedded: self.unembedded,
            keep_ms: self.keep_ms,
            rewrite_bytes: self.config.rewrite_bytes,
            down: AtomicBool::new(!self.spool.is_drained()),
            full: AtomicBool::new(false),
            secret,
            failed: AtomicBool::new(false),
            ack_timeout: Duration::from_millis(self.config.ack_timeout_ms),
            group: self.config.group.clamp(1, super::rows::CHUNK),
            suspicion: Notify::new(),
            ready: Gate::default(),
            ended: Gate::default(),
            readers: self.config.readers,
            failed_reads: AtomicU32::new(0),
            turnstile: Turnstile::default(),
            turns_read: AtomicU64::new(0),
            database: Mutex::new(Arc::new(database)),
            spool: Mutex::new(self.spool),
            directory: Mutex::new(Some(self.directory)),
            #[cfg(test)]
            crashes: AtomicU32::new(0),
        })
    }
}

impl Shared {
    /// Takes the data directory.
    pub fn open(config: &Config, residents: Arc<Residents>) -> Result<Opening, StoreError> {
        let directory = Directory::take(&config.server.data)?;
        let place = Place::of(&config.store, directory.file(database::FILE))?;
        let spool = Spool::open(&directory.file("spool"), config.store.spool_bytes);
        let spool = spool.map_err(|error| {
            StoreError(format!(
                "server.data: the spool in it cannot be read: {error}"
            ))
        })?;
        let (rules, extract) = (Rules::new(&config.memory), &config.memory.extract);
        let clock = rules.clock.clone();
        Ok(Opening {
            directory,
            spool,
            place,
            residents,
            rules,
            gathering: Gathering::new(clock, extract.flush_tokens, extract.idle_s),
            unembedded: unembedded(&config.memory.embeddings),
            keep_ms: match config.memory.keep_turns {
                0 => None,
                days => Some(i64::from(days) * DAY_MS),
            },
            config: config.store.clone(),
        })
    }

    /// The connections in use now.
    pub fn database(&self) -> Arc<Database> {
        lock(&self.database).clone()
    }

    /// The spool.
    pub fn spool(&self) -> MutexGuard<'_, Spool> {
        lock(&self.spool)
    }

    /// The connections to write with, made anew where the last transaction failed.
    pub async fn writable(&self) -> Result<Arc<Database>, DbErr> {
        let database = self.database();
        if !self.failed.load(SeqCst) {
            return Ok(database);
        }
        let new = database.with_new_writer(&self.place).await?;
        self.failed.store(false, SeqCst);
        Ok(self.replace(new, false))
    }

    /// All connections to a server made anew: one that hangs would hang on after the server is
    /// back.
    pub async fn reconnect(&self) -> Result<Arc<Database>, DbErr> {
        if self.place.is_ours() {
            return self.writable().await;
        }
        let new = Database::open(&self.place, self.readers).await?;
        self.failed.store(false, SeqCst);
        Ok(self.replace(new, true))
    }

    fn replace(&self, new: Database, readers: bool) -> Arc<Database> {
        let new = Arc::new(new);
        let old = std::mem::replace(&mut *lock(&self.database), new.clone());
        tokio::spawn(async move {
            let _ = tokio::time::timeout(Duration::from_secs(1), old.close(readers)).await;
        });
        new
    }

    /// Reads a user.
    pub async fn read(&self, user: &UserKey) -> Result<Arc<Resident>, StoreError> {
        if self.down.load(SeqCst) {
            return Err(StoreError("the store is down".into()));
        }
        let first = match self.residents.get(user) {
            None => {
                let turn = tokio::time::timeout(self.ack_timeout, self.turnstile.enter(user));
                // Who is read all that while: one more would only take longer.
                let late = |_| StoreError("somebody else reads that user".into());
                Some(turn.await.map_err(late)?)
            }
            Some(_) => None,
        };
        let mut generation = self.residents.generation(user);
        let mut here = self.residents.marked(user);
        if let (Some(_), Some((_, resident)), true) = (&first, &here, self.place.is_ours()) {
            return Ok(resident.clone());
        }
        let (database, unembedded) = (self.database(), self.unembedded.as_ref());
        let (most, limit) = (self.residents.most_of_one(), self.ack_timeout);
        let (mut anew, mut again) = (false, AGAIN);
        loop {
            let known = here.as_ref();
            let read = read(&database, user, known, &self.rules, unembedded, most, limit).await;
            let read = read.map_err(|error| self.failed_read(self.place.error(&error)))?;
            self.failed_reads.store(0, SeqCst);
            let (mark, resident) = match (read, here) {
                (Read::Unchanged, Some(same)) => same,
                (Read::Unchanged, None) => return Ok(Arc::default()),
                (Read::New(mark, resident, turns), _) => {
                    self.turns_read.fetch_add(turns as u64, SeqCst);
                    anew = true;
                    (mark, Arc::new(resident))
                }
            };
            if !anew || again == 0 || self.down.load(SeqCst) {
                return Ok(resident);
            }
            let read = resident.clone();
            if self.residents.insert(user, generation, mark, read) {
                return Ok(resident);
            }
            // Something was committed meanwhile. What came since is read in no time.
            again -= 1;
            generation = self.residents.generation(user);
            here = Some((mark, resident));
        }
    }

    /// Reads who the user is, without what they said.
    pub async fn profile(&self, user: &UserKey) -> Result<Arc<Resident>, StoreError> {
        if self.down.load(SeqCst) {
            return Err(StoreError("the store is down".into()));
        }
        let database = self.database();
        let reading = profile(&database, user, &self.rules);
        match tokio::time::timeout(self.ack_timeout, reading).await {
            Ok(Ok(resident)) => Ok(Arc::new(resident)),
            Ok(Err(error)) => Err(self.failed_read(self.place.error(&error))),
            Err(_) => Err(self.failed_read(StoreError("the store does not answer".into()))),
        }
    }

    /// An erased user: of what lies here nothing is to be done any more.
    pub fn forget(&self, user: &UserKey) {
        self.residents.remove(user);
        self.gathering.forget(user);
        self.tally.forget(user);
        if let Some(undelivered) = &self.undelivered {
            undelivered.forget(user);
        }
    }

    fn failed_read(&self, error: StoreError) -> StoreError {
        tracing::debug!(%error, "a read failed");
        if self.failed_reads.fetch_add(1, SeqCst) + 1 >= SUSPICIOUS {
            self.failed_reads.store(0, SeqCst);
            self.suspicion.notify_one();
        }
        error
    }

    /// Gives the data directory back.
    pub fn leave(&self) {
        drop(lock(&self.directory).take());
    }

    #[cfg(test)]
    pub fn explode(&self) {
        let left = self.crashes.load(SeqCst);
        if left > 0 {
            self.crashes.store(left - 1, SeqCst);
            panic!("as the test wants it");
        }
    }
}

fn unembedded(config: &EmbeddingsConfig) -> Option<Unembedded> {
    let EmbeddingsConfig {
        model, dimensions, ..
    } = config;
    (!model.is_empty()).then(|| Unembedded::new(model, *dimensions))
}

/// Opens once; whoever waits goes on.
#[derive(Default)]
pub struct Gate(Mutex<bool>, Condvar);

impl Gate {
    /// Opens it.
    pub fn open(&self) {
        *lock(&self.0) = true;
        self.1.notify_all();
    }

    /// Waits until it is open, or the time is over.
    pub fn wait(&self, most: Duration) {
        let open = lock(&self.0);
        let waited = self.1.wait_timeout_while(open, most, |open| !*open);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// The lock, whoever panicked under it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Made by whichever replica comes first.
async fn secret(database: &Database) -> Result<[u8; 32], DbErr> {
    let failed = |what: &str| DbErr::Custom(what.to_owned());
    let mut offered = [0; 32];
    getrandom::fill(&mut offered).map_err(|_| failed("no random numbers to be had"))?;
    let offered = blake3::Hash::from_bytes(offered).to_hex().to_string();
    let hex = database.shared(SECRET, offered).await?;
    let hash = blake3::Hash::from_hex(hex);
    Ok(*hash
        .map_err(|_| failed("the secret in sundynix_meta is damaged"))?
        .as_bytes())
}
