//! The store away, in each way it can be: every turn is answered in time, and once it is back
//! every acknowledged one is there, once, in order.

use crate::support::{postgres::Postgres, store::*};
use sea_orm::{ConnectionTrait, Database};
use std::time::{Duration, Instant};
use sundynix::{error::Error, memory::Ack};
use tokio::sync::oneshot;

/// Far more than any wait here needs.
const PATIENCE: Duration = Duration::from_secs(30);

async fn until(what: &str, reached: impl Fn() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Turns sent all along, in order, and how each was acknowledged.
struct Sent(Vec<(String, oneshot::Receiver<Ack>)>);

impl Sent {
    fn send(&mut self, open: &Open, count: usize) {
        for _ in 0..count {
            let n = self.0.len();
            let id = format!("t{n:04}");
            let name = format!("my name is {}", name(n));
            let ack = open.send(turn("ada", &id, &name, "a", BEGAN + n as i64));
            self.0.push((id, ack));
        }
    }

    /// All of them are acknowledged; how many lie in the spool.
    async fn acked(self) -> (usize, usize) {
        let (mut spooled, all) = (0, self.0.len());
        for (id, ack) in self.0 {
            match tokio::time::timeout(PATIENCE, ack)
                .await
                .expect("in time")
                .expect("an answer")
            {
                Ack::Recorded(as_id) => assert_eq!(*as_id, *id),
                Ack::Spooled => spooled += 1,
                Ack::Off => panic!("{id} was lost"),
            }
        }
        (all, spooled)
    }
}

const BEGAN: i64 = 1_700_000_000_000;

/// All turns are there, once and in order, each one's name learnt once.
async fn whole(open: &Open, count: usize) {
    let (hot, cold) = (open.resident("ada").await, open.cold("ada").await);
    assert_eq!(hot, cold);
    assert_eq!(cold.profile.version, count as u64);
    assert_eq!(value(&cold, "name"), Some(name(count - 1)));
    let last: Vec<_> = cold.turns.iter().map(|t| t.id.to_string()).collect();
    let expected: Vec<_> = (count.saturating_sub(32)..count)
        .map(|n| format!("t{n:04}"))
        .collect();
    assert_eq!(last, expected);
    // Whatever is not settled yet is settled with this.
    open.put("ada", "city", Some("Paris")).await;
    let erased = open.erase("ada").await;
    // Each name but the last was superseded, once.
    assert_eq!(
        (erased.turns, erased.history),
        (count as u64, count as u64 - 1)
    );
}

/// Load while the store goes and comes.
async fn gone_and_back(open: &Open, go: impl AsyncFnOnce(), come: impl AsyncFnOnce()) {
    let mut sent = Sent(Vec::new());
    open.resident("ada").await;
    sent.send(open, 100);
    go().await;
    sent.send(open, 100);
    until("the store is missed", || open.store.is_down()).await;
    let refused = open.put_on("ada", "city", Some("x"), None).await;
    assert!(matches!(refused, Err(Error::StoreDown)));
    sent.send(open, 200);
    assert!(
        open.store
            .resident(&sundynix::memory::UserKey::local("ada"))
            .await
            .is_err()
    );
    come().await;
    sent.send(open, 100);
    open.store_is_up().await;
    sent.send(open, 100);
    let (all, spooled) = sent.acked().await;
    assert!(spooled >= 200 && !open.store.spool_full());
    whole(open, all).await;
}

#[tokio::test]
async fn postgresql_is_shut_down_and_started_again() {
    let mut server = Postgres::start(false);
    let mut place = Place::new(server.database());
    place.config.store.ack_timeout_ms = 2_000;
    let open = place.open();
    let server = std::cell::RefCell::new(&mut server);
    let go = async || server.borrow_mut().stop();
    gone_and_back(&open, go, async || server.borrow_mut().restart()).await;
}

#[tokio::test]
async fn postgresql_hangs_and_goes_on() {
    let server = Postgres::start(false);
    let mut place = Place::new(server.database());
    place.config.store.ack_timeout_ms = 2_000;
    let open = place.open();
    gone_and_back(&open, async || server.freeze(), async || server.thaw()).await;
}

#[tokio::test]
async fn the_file_is_locked_by_another_and_let_go() {
    let mut place = Place::new(String::new());
    place.config.store.ack_timeout_ms = 2_000;
    let open = place.open();
    let file = place.config.server.data.join("sundynix.db");
    let other = Database::connect(format!("sqlite://{}", file.display()))
        .await
        .expect("open");
    let lock = async || {
        while other.execute_unprepared("BEGIN EXCLUSIVE").await.is_err() {}
    };
    let unlock = async || {
        other.execute_unprepared("ROLLBACK").await.expect("unlock");
    };
    gone_and_back(&open, lock, unlock).await;
}

#[tokio::test]
async fn an_idle_store_that_cannot_be_read_counts_as_down() {
    let mut server = Postgres::start(false);
    let mut place = Place::new(server.database());
    place.config.store.ack_timeout_ms = 1_000;
    let open = place.open_with(0);
    server.stop();
    let ada = sundynix::memory::UserKey::local("ada");
    let start = Instant::now();
    while !open.store.is_down() {
        assert!(start.elapsed() < PATIENCE);
        assert!(open.store.resident(&ada).await.is_err());
    }
    server.restart();
    open.store_is_up().await;
    open.resident("ada").await;
}

#[tokio::test]
async fn a_full_spool_turns_memory_off_and_recovers() {
    let mut server = Postgres::start(false);
    let mut place = Place::new(server.database());
    place.config.store.spool_bytes = 2_000;
    place.config.store.ack_timeout_ms = 1_000;
    let open = place.open();
    server.stop();
    let mut acks = Vec::new();
    for n in 0..30 {
        acks.push(
            open.keep(turn("ada", &format!("t{n}"), "q", "a", BEGAN + n))
                .await,
        );
    }
    let spooled = acks.iter().filter(|ack| **ack == Ack::Spooled).count();
    assert!(spooled > 0 && spooled < 30 && open.store.spool_full());
    assert!(acks[spooled..].iter().all(|ack| *ack == Ack::Off));
    server.restart();
    open.store_is_up().await;
    assert!(!open.store.spool_full());
    assert_eq!(open.resident("ada").await.turns.len(), spooled);
}

#[tokio::test]
async fn what_was_spooled_when_the_server_ended_is_replayed_at_its_start() {
    let mut server = Postgres::start(false);
    let mut place = Place::new(server.database());
    place.config.store.ack_timeout_ms = 1_000;
    let open = place.open();
    let mut sent = Sent(Vec::new());
    sent.send(&open, 10);
    let recorded = open.keep(turn("bob", "t", "q", "a", BEGAN)).await;
    assert_eq!(recorded, Ack::Recorded("t".into()));
    server.stop();
    sent.send(&open, 200);
    assert_eq!(sent.acked().await, (210, 200));
    drop(open);
    server.restart();
    let open = place.open();
    assert!(!open.store.is_down());
    whole(&open, 210).await;
}

#[tokio::test]
async fn a_close_while_the_store_is_down_keeps_what_was_waiting() {
    let server = Postgres::start(false);
    let mut place = Place::new(server.database());
    place.config.store.ack_timeout_ms = 1_000;
    let open = place.open();
    server.freeze();
    let mut sent = Sent(Vec::new());
    sent.send(&open, 50);
    drop(open);
    assert_eq!(sent.acked().await, (50, 50));
    server.thaw();
    whole(&place.open(), 50).await;
}

/// Needs a disk of its own, hence root (as in CI).
#[tokio::test]
async fn a_full_disk_still_takes_the_spool() {
    let mut place = Place::new(String::new());
    place.config.store.ack_timeout_ms = 2_000;
    let data = place.config.server.data.clone();
    std::fs::create_dir_all(&data).expect("directory");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs"])
        .arg(&data)
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("not tested: no disk can be mounted here");
        return;
    }
    let _disk = Disk(data.clone());
    let open = place.open();
    let filler = data.join("filler");
    let fill = async || {
        let mut file = std::fs::File::create(&filler).expect("filler");
        while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    };
    let free = async || std::fs::remove_file(&filler).expect("remove");
    let mut sent = Sent(Vec::new());
    sent.send(&open, 100);
    open.put("ada", "city", None).await;
    fill().await;
    // What the log of the database has room for is kept; then it is down. (A driver that takes a
    // failed transaction for open would go on acknowledging what never reaches the disk.)
    let start = Instant::now();
    while !open.store.is_down() {
        assert!(start.elapsed() < PATIENCE);
        sent.send(&open, 50);
        let _ = open.put_on("ada", "city", None, None).await;
    }
    sent.send(&open, 100);
    let refused = open.put_on("ada", "city", None, None).await;
    assert!(matches!(refused, Err(Error::StoreDown)));
    free().await;
    open.store_is_up().await;
    let (all, spooled) = sent.acked().await;
    assert!(spooled >= 100);
    whole(&open, all).await;
}

/// Unmounted when the test is over, however it ends.
struct Disk(std::path::PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        let mut unmount = std::process::Command::new("umount");
        let _ = unmount.arg("-l").arg(&self.0).status();
    }
}
