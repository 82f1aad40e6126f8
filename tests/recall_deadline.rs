//! Recall's deadline: who the user is goes with the turn even where what they said is too much to be
//! read in time, and what is too much to be kept at hand does not stay too late for ever.

use crate::support::{
    postgres, spawn_app_in,
    store::{Place, now, turn},
};
use std::{fmt::Write, sync::Arc};
use sundynix::{
    memory::{KeptTurn, TurnStatus, UserKey},
    store::{Command, Import},
};
use tempfile::TempDir;
use tokio::sync::oneshot;

fn item(n: i64, text: &str) -> Arc<KeptTurn> {
    Arc::new(KeptTurn {
        id: format!("i{n}").into(),
        conversation: format!("c{n}").into(),
        at_ms: now() - 100_000 + n,
        query: text.into(),
        answer: "".into(),
        role: "".into(),
        status: TurnStatus::Complete,
    })
}

/// What nobody indexes in an instant: other words in each.
fn long(n: i64) -> String {
    let mut text = String::new();
    for word in 0..1_200 {
        let _ = write!(text, "word{n}x{word} ");
    }
    text
}

async fn import(store: &sundynix::store::Store, items: Vec<Arc<KeptTurn>>) {
    let import = Import {
        user: UserKey::local("ada"),
        items: Arc::new(items),
        began_ms: now(),
        extract: false,
    };
    let (reply, imported) = oneshot::channel();
    store.enqueue(Command::Import(import, reply));
    imported.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_profile_comes_where_the_rest_is_late() {
    let dir = Arc::new(TempDir::new().unwrap());
    let app = spawn_app_in(dir.clone(), |_| {}).await;
    let set = serde_json::json!({"preferences": {"pet": {"cat": "canary-4711"}}});
    let set = app.call("PUT", "/api/v1/memory", "ada", Some(set)).await;
    assert_eq!(set.status(), 200);
    import(
        &app.state.store,
        (0..100).map(|n| item(n, &long(n))).collect(),
    )
    .await;
    drop(app);
    let app = spawn_app_in(dir, |config| {
        config.memory.recall_timeout_ms = 300;
        // Read anew each time.
        config.memory.cache_bytes = 1;
    })
    .await;
    for _ in 0..50 {
        let done = app.ask("ada", "Hello").await.unwrap();
        let known = done["text"].as_str().unwrap().contains("canary-4711");
        match done["recalled"]["memory"].as_str().unwrap() {
            "timeout" if known => return,
            // So busy that not even the profile came.
            "timeout" => {}
            other => assert!(known && other == "hit", "{done}"),
        }
    }
    panic!("the profile never came alone");
}

#[tokio::test]
async fn those_who_come_while_a_user_is_read_do_not_read_them_again() {
    for url in [String::new(), postgres::database()] {
        let place = Place::new(url);
        let open = place.open_with(64 << 20);
        import(&open.store, (0..60).map(|n| item(n, &long(n))).collect()).await;
        open.residents.clear();
        let before = open.store.turns_read();
        let readers = (0..8).map(|_| {
            let store = open.store.clone();
            tokio::spawn(async move { store.resident(&UserKey::local("ada")).await })
        });
        for reader in readers.collect::<Vec<_>>() {
            assert_eq!(reader.await.unwrap().unwrap().memories.len(), 60);
        }
        assert_eq!(open.store.turns_read() - before, 60);
    }
}

/// Otherwise who goes on speaking while they are read would never be here.
#[tokio::test]
async fn who_speaks_while_they_are_read_is_here_afterwards() {
    let place = Place::new(String::new());
    let open = place.open_with(64 << 20);
    import(&open.store, (0..60).map(|n| item(n, &long(n))).collect()).await;
    open.residents.clear();
    let store = open.store.clone();
    let reading =
        tokio::spawn(async move { store.resident(&UserKey::local("ada")).await.map(drop) });
    for n in 0..3 {
        let said = turn("ada", &format!("t{n}"), "Hello", "Hi", now());
        open.keep(said).await;
    }
    reading.await.unwrap().unwrap();
    let here = open.residents.get(&UserKey::local("ada")).expect("here");
    assert_eq!(here.memories.len(), 60 + 2 * 3);
}

#[tokio::test]
async fn who_is_too_heavy_stays_with_what_was_said_last() {
    let place = Place::new(String::new());
    let open = place.open_with(2 << 20);
    let text = |n| format!("note {n} {}", "of some length ".repeat(26));
    import(&open.store, (0..4_000).map(|n| item(n, &text(n))).collect()).await;
    open.cold("ada").await;
    let here = open.residents.get(&UserKey::local("ada")).expect("stays");
    assert!(
        (200..3_999).contains(&here.memories.len()),
        "{:?}",
        here.memories
    );
    assert_eq!(&*here.turns.back().unwrap().id, "i3999");
    // Where there is no cache to stay in, nothing is left out for it.
    drop((open, here));
    let whole = place.open_with(0).cold("ada").await;
    assert_eq!(whole.memories.len(), 4_000);
}
