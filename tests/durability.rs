//! Durability: killed with SIGKILL at a hundred random moments under load, it loses no turn that
//! was acknowledged, keeps none twice and applies what a turn teaches once. On SQLite and on
//! PostgreSQL.

use crate::support::{Process, postgres};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::json;
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

const KILLS: usize = 100;
const CLIENTS: usize = 16;
const USERS: usize = 7;

/// What the clients know: acknowledged queries, and all that were ever asked.
#[derive(Default)]
struct Ledger {
    next: AtomicUsize,
    acknowledged: Mutex<HashSet<String>>,
}

/// Asks until the server is gone. Every query teaches a fact of its own.
async fn ask_on(client: crate::support::Client, ledger: Arc<Ledger>) {
    loop {
        let n = ledger.next.fetch_add(1, SeqCst);
        let query = format!("I like sort{n}.");
        // Half over each surface.
        let memory = match n % 2 {
            0 => client
                .ask_briefly(&user(n), &query)
                .await
                .map(|done| done["memory"].to_string()),
            _ => chat(&client, &user(n), &query).await,
        };
        match memory {
            // On a machine too busy to commit in time it goes to the spool, as durable.
            Ok(memory) if memory.contains("recorded") || memory.contains("degraded") => {
                ledger.acknowledged.lock().unwrap().insert(query);
            }
            Ok(memory) => panic!("the store is up, but for {query} memory was {memory}"),
            Err(_) => return,
        }
    }
}

fn user(n: usize) -> String {
    format!("u{}", n % USERS)
}

/// What the comment before `[DONE]` says of memory.
async fn chat(client: &crate::support::Client, user: &str, query: &str) -> Result<String, String> {
    let body = json!({"model": "simulator", "max_tokens": 4, "messages": [{"role": "user", "content": query}]});
    let mut events = client.chat(user, body).await?;
    let mut memory = String::new();
    while let Some(event) = events.try_next().await? {
        memory.extend(event.comments);
        if event.data == "[DONE]" {
            return Ok(memory);
        }
    }
    Err("no [DONE]".into())
}

/// The first row's number.
pub async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// The first column.
pub async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

/// A moment between right now and a few group commits later.
fn moment(kill: usize) -> Duration {
    let hash = (kill as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    Duration::from_micros(hash % 40_000)
}

async fn survives(env: &[(&str, &str)], url: impl Fn(&Process) -> String) {
    let mut server = Process::start(&[], env).await;
    let ledger = Arc::new(Ledger::default());
    for kill in 0..KILLS {
        let before = ledger.acknowledged.lock().unwrap().len();
        let client = crate::support::Client::new(server.addr);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(ask_on(client.clone(), ledger.clone())))
            .collect();
        // Under load: something has been acknowledged in this life.
        crate::support::until(|| ledger.acknowledged.lock().unwrap().len() > before).await;
        tokio::time::sleep(moment(kill)).await;
        server.kill().await;
        for client in clients {
            client.await.unwrap();
        }
        server.restart().await;
    }
    // One more turn of each user: whatever a crash left unsettled is settled by then.
    for n in 0..USERS {
        let done = server
            .ask_briefly(&user(n), "What do I like?")
            .await
            .unwrap();
        assert_ne!(done["memory"], "off");
    }
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(0), "{}", server.said());

    let db = Database::connect(url(&server)).await.unwrap();
    let kept = texts(
        &db,
        "SELECT query FROM sundynix_turn WHERE query LIKE 'I like sort%'",
    )
    .await;
    let kept_once: HashSet<_> = kept.iter().cloned().collect();
    assert_eq!(kept.len(), kept_once.len(), "a turn was kept twice");
    let acknowledged = ledger.acknowledged.lock().unwrap().clone();
    let lost: Vec<_> = acknowledged.difference(&kept_once).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    // Each kept turn has taught its fact, and each fact was applied once: the version counts.
    let facts = number(&db, "SELECT count(*) FROM sundynix_user_profile").await;
    assert_eq!(facts as usize, kept.len());
    let versions = number(
        &db,
        "SELECT CAST(sum(version) AS BIGINT) FROM sundynix_user",
    )
    .await;
    assert_eq!(versions, facts, "a fact was applied twice");
    for (what, table) in [
        ("superseded", "sundynix_profile_history"),
        ("unsettled", "sundynix_outbox"),
    ] {
        assert_eq!(
            number(&db, &format!("SELECT count(*) FROM {table}")).await,
            0,
            "{what}"
        );
    }
    println!(
        "{KILLS} kills, {} acknowledged, {} kept",
        acknowledged.len(),
        kept.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_on_sqlite() {
    survives(&[], |server| {
        format!("sqlite://{}/data/sundynix.db", server.dir.path().display())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_on_postgresql() {
    let url = postgres::database();
    survives(&[("DATABASE_URL", &url)], |_| url.clone()).await;
}
