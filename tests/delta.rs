//! Two servers on one PostgreSQL: a user who changed at the other one is not read whole again, but for
//! what is new of them; and where something was taken away, nothing of it stays.

use crate::support::{
    http::send,
    postgres, spawn_app,
    store::{Open, Place, now, recorded, turn},
};
use serde_json::{Value, json};
use std::sync::Arc;
use sundynix::{
    memory::{KeptTurn, TurnStatus, UserKey},
    store::{Ask, Command, Import},
};
use tokio::sync::oneshot;

/// Two replicas, and a third that knows nobody.
struct Three {
    one: Open,
    two: Open,
    cold: Open,
    _places: [Place; 3],
}

fn three() -> Three {
    let url = postgres::database();
    let places = [(); 3].map(|()| Place::new(url.clone()));
    Three {
        one: places[0].open(),
        two: places[1].open(),
        cold: places[2].open_with(0),
        _places: places,
    }
}

impl Three {
    /// How many turns the second reads to know Ada as she is; it knows her as a fresh one would.
    async fn reads(&self) -> u64 {
        let before = self.two.store.turns_read();
        let here = self.two.resident("ada").await;
        let read = self.two.store.turns_read() - before;
        assert_eq!(here, self.cold.resident("ada").await);
        let ids: Vec<_> = here.turns.iter().map(|turn| turn.id.clone()).collect();
        assert_eq!(ids.len(), self.cold.turns("ada").await.len());
        read
    }
}

async fn keep(open: &Open, id: &str, at: i64) {
    let said = turn("ada", id, &format!("My name is {id}."), "Hi", at);
    assert_eq!(open.keep(said).await, recorded(id));
}

async fn ask(open: &Open, ask: Ask) {
    let (reply, answer) = oneshot::channel();
    open.store.enqueue(Command::Privacy(ask, reply));
    answer.await.unwrap().unwrap();
}

#[tokio::test]
async fn only_what_is_new_is_read() {
    let at = Three::reads;
    let all = three();
    let began = now() - 1_000_000;
    for n in 0..60 {
        keep(&all.one, &format!("T{n}"), began + n).await;
    }
    assert_eq!(at(&all).await, 60);
    assert_eq!(at(&all).await, 0);
    keep(&all.one, "Bea", began + 100).await;
    assert_eq!(at(&all).await, 1);
    // They alternate, and each knows what the other kept; its own it reads again, for it came after
    // what it knew.
    for n in 0..5 {
        keep(&all.two, &format!("U{n}"), began + 200 + 2 * n).await;
        keep(&all.one, &format!("V{n}"), began + 201 + 2 * n).await;
        assert!(at(&all).await <= 2);
        all.one.resident("ada").await;
    }
    // A change of the profile is no turn.
    all.one.put("ada", "city", Some("Paris")).await;
    assert_eq!(at(&all).await, 0);
    let nicer = turn("ada", "Bea", "My name is Bea.", "Hello, Bea", began + 100);
    assert_eq!(all.one.keep(nicer).await, recorded("Bea"));
    assert_eq!(at(&all).await, 1, "an answer that was replaced");
    // What was said long ago comes in its place.
    let item = |n: i64| {
        Arc::new(KeptTurn {
            id: format!("i{n}").into(),
            conversation: "old".into(),
            at_ms: began - 1_000 + n,
            query: format!("We sailed to island {n}.").into(),
            answer: "".into(),
            role: "".into(),
            status: TurnStatus::Complete,
        })
    };
    let import = Import {
        user: UserKey::local("ada"),
        items: Arc::new((0..70).map(item).collect()),
        began_ms: now(),
        extract: false,
    };
    let (reply, imported) = oneshot::channel();
    all.one.store.enqueue(Command::Import(import, reply));
    assert_eq!(imported.await.unwrap().unwrap(), 70);
    assert_eq!(at(&all).await, 70);
}

#[tokio::test]
async fn what_was_taken_away_does_not_stay() {
    let all = three();
    let began = now() - 1_000;
    for n in 0..5 {
        keep(&all.one, &format!("T{n}"), began + n).await;
    }
    assert_eq!(all.reads().await, 5);
    let ada = UserKey::local("ada");
    ask(&all.one, Ask::DeleteTurn(ada.clone(), "T3".into())).await;
    keep(&all.one, "U", began + 100).await;
    assert_eq!(all.reads().await, 5, "whole, for one is gone");
    assert!(all.two.turns("ada").await.iter().all(|(id, _)| id != "T3"));
    keep(&all.one, "V", began + 101).await;
    assert_eq!(all.reads().await, 1, "and from there on what is new");
    all.one.erase("ada").await;
    keep(&all.one, "W", now() + 10).await;
    assert_eq!(all.reads().await, 1);
    let here = all.two.resident("ada").await;
    assert_eq!(here.memories.len(), 2, "two sides of one turn");
}

#[tokio::test]
async fn a_server_searches_what_another_one_kept_and_not_what_it_deleted() {
    let url = postgres::database();
    let one = spawn_app(|config| config.store.url = url.clone()).await;
    let two = spawn_app(|config| config.store.url = url).await;
    let found = async |server: &crate::support::App, word: &str| {
        let search = json!({"query": word, "k": 10});
        let hits = server
            .call("POST", "/api/v1/memory/search", "ada", Some(search))
            .await;
        hits.json::<Value>()
            .await
            .unwrap()
            .to_string()
            .contains(word)
    };
    for word in ["Zanzibar", "Helsinki"] {
        let query = format!("We sailed to {word}.");
        one.ask_briefly("ada", &query).await.unwrap();
        two.ask_briefly("ada", "It rains.").await.unwrap();
        assert!(found(&two, word).await && found(&one, word).await);
    }
    let turns = one.call("GET", "/api/v1/memory/turns", "ada", None).await;
    let turns: Value = turns.json().await.unwrap();
    for turn in turns["turns"].as_array().unwrap() {
        // The simulator repeats what it was told.
        if turn.to_string().contains("Zanzibar") {
            let path = format!("/api/v1/memory/turns/{}", turn["id"].as_str().unwrap());
            let request = one.http.delete(one.url(&path)).header("x-user-id", "ada");
            assert_eq!(send(request).await.unwrap().status(), 200);
        }
    }
    assert!(!found(&two, "Zanzibar").await && !found(&one, "Zanzibar").await);
}
