//! Degraded: the store goes away under load (PostgreSQL stopped or hanging, SQLite locked by
//! another process, the disk full), and every request is answered all the same, marked; readiness
//! stays 200 and says what is wrong; and once the store is back, every write-back that was
//! promised is there, once.

use crate::support::{App, Client, postgres::Postgres, spawn_app, until};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

const CLIENTS: usize = 16;

/// What was asked, and how its write-back was said to have ended.
#[derive(Default)]
struct Ledger {
    stop: AtomicBool,
    next: AtomicUsize,
    told: Mutex<HashMap<String, String>>,
}

impl Ledger {
    fn count(&self, memory: &str) -> usize {
        let told = self.told.lock().unwrap();
        told.values().filter(|m| *m == memory).count()
    }
}

/// Asks until told to stop. Every request is answered, or the test fails.
async fn ask_on(client: Client, ledger: Arc<Ledger>) {
    while !ledger.stop.load(SeqCst) {
        let n = ledger.next.fetch_add(1, SeqCst);
        let query = format!("question {n}");
        let done = client
            .ask_briefly(&format!("u{}", n % 5), &query)
            .await
            .unwrap();
        let memory = done["memory"].as_str().unwrap().to_owned();
        ledger.told.lock().unwrap().insert(query, memory);
    }
}

async fn readiness(app: &App) -> (u16, Value) {
    let ready = app.get("/readyz").await;
    (ready.status().as_u16(), ready.json().await.unwrap())
}

/// The store goes and comes back under load; `url` is where the test looks for what was kept.
async fn endures(app: App, url: &str, mut go: impl FnMut(), mut come: impl FnMut()) {
    let ledger = Arc::new(Ledger::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(ask_on(app.client(), ledger.clone())))
        .collect();
    until(|| ledger.count("recorded") >= 50).await;
    go();
    until(|| ledger.count("degraded") >= 50).await;
    let (status, ready) = readiness(&app).await;
    assert_eq!(status, 200, "{ready}");
    assert_eq!(ready["degraded"], serde_json::json!(["store"]));
    // What is about memory and nothing else says that it cannot be had.
    let put = serde_json::json!({"preferences": {"a": "b"}});
    let put = app.call("PUT", "/api/v1/memory", "u0", Some(put)).await;
    assert_eq!(put.status(), 503);
    come();
    let recorded = ledger.count("recorded");
    until(|| ledger.count("recorded") >= recorded + 50).await;
    ledger.stop.store(true, SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    until(|| !app.state.store.is_down()).await;
    let (status, ready) = readiness(&app).await;
    assert_eq!((status, &ready["degraded"]), (200, &serde_json::json!([])));
    drop(app);

    let db = Database::connect(url).await.unwrap();
    let sql = "SELECT query FROM sundynix_turn";
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap();
    let kept: Vec<String> = rows
        .iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect();
    let once: HashSet<_> = kept.iter().cloned().collect();
    assert_eq!(kept.len(), once.len(), "a turn was kept twice");
    for (query, memory) in ledger.told.lock().unwrap().iter() {
        assert!(once.contains(query), "{query} was {memory} and is lost");
    }
    let (recorded, degraded) = (ledger.count("recorded"), ledger.count("degraded"));
    println!("{recorded} recorded, {degraded} degraded");
}

async fn app_on(url: &str) -> App {
    let url = url.to_owned();
    spawn_app(|c| c.store.url = url).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_stopped_and_started_again() {
    let server = Mutex::new(Postgres::start(true));
    let url = server.lock().unwrap().database();
    let app = app_on(&url).await;
    let go = || server.lock().unwrap().stop();
    endures(app, &url, go, || server.lock().unwrap().restart()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_hangs_and_goes_on() {
    let server = Postgres::start(true);
    let url = server.database();
    let app = app_on(&url).await;
    endures(app, &url, || server.freeze(), || server.thaw()).await;
}

fn sqlite(app: &App) -> (PathBuf, String) {
    let file = app.state.config.server.data.join("sundynix.db");
    let url = format!("sqlite://{}", file.display());
    (file, url)
}

/// Another process that holds the file EXCLUSIVE until its stdin ends. SQLite's own waiting sleeps
/// ever longer and starves beside a busy writer: it tries all the time instead.
const HOLD: &str = "import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
while not db.in_transaction:
    try:
        db.execute('BEGIN EXCLUSIVE')
    except sqlite3.OperationalError:
        pass
print('held', flush=True)
sys.stdin.read()
db.execute('ROLLBACK')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sqlite_file_is_held_by_another_process() {
    let app = spawn_app(|_| {}).await;
    let (file, url) = sqlite(&app);
    let holder = Mutex::new(None);
    let go = || {
        let mut child = Command::new("python3")
            .args(["-c", HOLD])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut held = [0; 4];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut held)
            .unwrap();
        *holder.lock().unwrap() = Some(child);
    };
    let come = || {
        let mut child = holder.lock().unwrap().take().unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
    };
    endures_keeping(app, &url, go, come).await;
}

/// The directory outlives the server: the test looks into the file afterwards.
async fn endures_keeping(app: App, url: &str, go: impl FnMut(), come: impl FnMut()) {
    let _dir = app.dir.clone();
    endures(app, url, go, come).await;
}

/// A small disk of its own, unmounted on drop.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Disk {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs"])
            .arg(at)
            .status()
            .unwrap();
        assert!(
            mounted.success(),
            "mounting a small disk needs root, as in CI"
        );
        Disk(at.to_owned())
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The spool has room set aside for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_is_full() {
    let dir = tempfile::TempDir::new().unwrap();
    let disk = Disk::mount(&dir.path().join("disk"));
    let data = disk.0.join("data");
    let app = spawn_app(|c| c.server.data = data).await;
    let (_, url) = sqlite(&app);
    endures(app, &url, || disk.fill(), || disk.free()).await;
}
