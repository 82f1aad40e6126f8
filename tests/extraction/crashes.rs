//! Killed at random moments while turns are read, or panicking over one: no turn is lost, none
//! teaches twice, nothing stays half read, and a turn that makes it panic is dead in the end.

use super::*;
use crate::{
    durability::{number, texts},
    support::{Process, postgres, until},
};
use sea_orm::Database;
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

const KILLS: usize = 20;
const CLIENTS: usize = 4;
const USERS: usize = 5;
/// Turns of a client in one life of the server.
const TURNS: usize = 10;

/// Reads every "tag… is val…" of the turns it is shown, after a while that differs.
fn reads_tags(reader: &Upstream) {
    let calls = AtomicUsize::new(0);
    reader.answers(move |seen| {
        let shown = shown(seen);
        let (_, said) = shown.split_once("What was said:").unwrap();
        let (mut turn, mut found) = (0, Vec::new());
        for line in said.lines() {
            turn += usize::from(line.starts_with("Turn "));
            let Some(said) = line.trim().strip_prefix("user: so the ") else {
                continue;
            };
            let (key, value) = said.split_once(" is ").unwrap();
            found.push(
                json!({"op": "ADD", "topic": "tags", "key": key, "value": value,
                "quote": said, "turn": turn}),
            );
        }
        let pause = Duration::from_millis(7 * calls.fetch_add(1, SeqCst) as u64 % 40);
        let mut script = facts(found.into());
        script.insert(0, Step::Wait(pause));
        script
    });
}

#[derive(Default)]
struct Said {
    next: AtomicUsize,
    acknowledged: Mutex<HashSet<String>>,
}

async fn say_on(client: crate::support::Client, said: Arc<Said>) {
    for _ in 0..TURNS {
        let n = said.next.fetch_add(1, SeqCst);
        let query = format!("so the tag{n} is val{n}");
        match client.ask_briefly(&format!("u{}", n % USERS), &query).await {
            Ok(done) => {
                assert_eq!(done["memory"], "recorded", "{done}");
                said.acknowledged.lock().unwrap().insert(query);
            }
            Err(_) => return,
        }
    }
}

async fn survives(env: &[(&str, &str)], url: impl Fn(&Process) -> String) {
    let reader = reader();
    reads_tags(&reader);
    let backends = format!("simulator,{}", reader.openai());
    let mut env = env.to_vec();
    env.push(("SUNDYNIX_BACKENDS", &backends));
    // On a busy machine a commit may take its time.
    env.push(("SUNDYNIX_STORE__ACK_TIMEOUT_MS", "20000"));
    let args = [
        "pool.default_model=simulator",
        "memory.extract.model=reader",
        "memory.extract.flush_tokens=30",
        "memory.extract.idle_s=1",
        "memory.extract.retry_s=1",
        "memory.extract.timeout_s=1",
        "memory.max_slots=100000",
    ];
    let args: Vec<_> = args.iter().flat_map(|set| ["--set", set]).collect();
    let mut server = Process::start(&args, &env).await;
    let said = Arc::new(Said::default());
    for kill in 0..KILLS {
        let read = reader.log().chats().len();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let client = crate::support::Client::new(server.addr);
                tokio::spawn(say_on(client, said.clone()))
            })
            .collect();
        // Something is being read in this life.
        until(|| reader.log().chats().len() > read + kill % 3).await;
        tokio::time::sleep(Duration::from_millis((kill as u64 * 13) % 50)).await;
        server.kill().await;
        for client in clients {
            client.await.unwrap();
        }
        server.restart().await;
    }
    let db = Database::connect(url(&server)).await.unwrap();
    let waiting = "SELECT count(*) FROM sundynix_extraction";
    while number(&db, waiting).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(0), "{}", server.said());

    let kept = texts(&db, "SELECT query FROM sundynix_turn").await;
    let once: HashSet<_> = kept.iter().cloned().collect();
    assert_eq!(kept.len(), once.len(), "a turn was kept twice");
    let acknowledged = said.acknowledged.lock().unwrap().clone();
    let lost: Vec<_> = acknowledged.difference(&once).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let slots = "SELECT 'so the ' || key || ' is ' || value FROM sundynix_user_profile";
    let slots = texts(&db, slots).await;
    assert_eq!(slots.len(), kept.len(), "each turn taught its own value");
    assert_eq!(slots.into_iter().collect::<HashSet<_>>(), once);
    let history = "SELECT count(*) FROM sundynix_profile_history";
    assert_eq!(number(&db, history).await, 0, "nothing was taught twice");
    // What a life paid for and did not live to write is one call at most.
    let paid = reader.log().chats().len() as i64;
    let written =
        "SELECT CAST(sum(calls) AS BIGINT) FROM sundynix_ledger WHERE kind = 'extraction'";
    let written = number(&db, written).await;
    assert!(
        (written..=written + KILLS as i64).contains(&paid),
        "{paid} {written}"
    );
    println!(
        "{KILLS} kills, {} turns, {paid} calls, {written} written",
        kept.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_reads_on_sqlite() {
    survives(&[], |server| {
        format!("sqlite://{}/data/sundynix.db", server.dir.path().display())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_reads_on_postgresql() {
    let url = postgres::database();
    survives(&[("DATABASE_URL", &url)], |_| url.clone()).await;
}

#[tokio::test]
async fn a_panic_costs_one_call_and_others_are_read_meanwhile() {
    let reader = reader();
    let app = spawn_app(with(&reader)).await;
    reader.always(facts(json!([fact("ADD", "city", "Berlin", "Berlin")])));
    app.state.extraction.provoke(1);
    app.ask("ada", "we settled down in Berlin").await.unwrap();
    idle(&app);
    let health = async || app.get("/health").await.json::<Value>().await.unwrap();
    while health().await["extraction"]["crashes"] != 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let path = "/api/v1/memory/jobs";
    let mut jobs = get(&app, path, "ada").await;
    while jobs["jobs"][0]["state"] != "retrying" {
        tokio::time::sleep(Duration::from_millis(5)).await;
        jobs = get(&app, path, "ada").await;
    }
    let error = jobs["jobs"][0]["error"].as_str().unwrap();
    assert!(error.contains("crashed"), "{error}");
    let last = health().await["extraction"]["last_error"].clone();
    assert!(last.as_str().unwrap().contains("crashed"), "{last}");
    // Bob is not held up by what happened over Ada.
    app.ask("bob", "we settled down in Berlin").await.unwrap();
    idle(&app);
    all_read(&app).await;
    for user in ["ada", "bob"] {
        assert_eq!(identity(&app, user).await, json!({"city": "Berlin"}));
    }
    assert_eq!(reader.log().chats().len(), 3);
    let ledger = get(&app, "/api/v1/memory/ledger", "ada").await;
    assert_eq!(
        ledger["days"][0]["calls"], 2,
        "a lost call is paid for: {ledger}"
    );
}

#[tokio::test]
async fn a_turn_that_always_makes_it_panic_is_dead_in_the_end() {
    let reader = reader();
    let app = spawn_app(|config| {
        with(&reader)(config);
        config.memory.extract.max_attempts = 3;
    })
    .await;
    reader.always(facts(json!([fact("ADD", "city", "Berlin", "Berlin")])));
    app.state.extraction.provoke(3);
    app.ask("ada", "we settled down in Berlin").await.unwrap();
    let path = "/api/v1/memory/jobs";
    loop {
        app.state
            .store
            .rules()
            .clock
            .advance(Duration::from_secs(3_601));
        let jobs = get(&app, path, "ada").await;
        if jobs["jobs"][0]["state"] == "dead" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    all_read(&app).await;
    assert_eq!(reader.log().chats().len(), 3, "it is not paid for for ever");
    let again = app
        .call("POST", &format!("{path}/requeue"), "ada", None)
        .await;
    assert_eq!(again.status(), 200);
    all_read(&app).await;
    assert_eq!(identity(&app, "ada").await, json!({"city": "Berlin"}));
}
