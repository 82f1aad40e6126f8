//! Read your writes: a turn that was acknowledged is in what the very next turn recalls, settled
//! or not, on whatever connection and worker it comes, and so is what it says of its user; on
//! SQLite and PostgreSQL, from a warm cache, a cold one, and another server's.

use crate::support::{App, Client, Process, postgres, spawn_app, upstream::*};
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};
use sundynix::config::{BackendConfig, Config};

/// A busy machine must not be taken for a store that is down.
fn patient(config: &mut Config) {
    config.memory.recall_timeout_ms = 60_000;
    config.store.ack_timeout_ms = 60_000;
}

/// A server, and its backend, which answers with what the prompt says: the user's name, and the
/// latest of the turns that were recalled.
async fn witnessed(tweak: impl FnOnce(&mut Config)) -> (App, Upstream) {
    let upstream = Upstream::start();
    upstream.answers(|seen| {
        let body = seen.json();
        let messages = body["messages"].as_array().unwrap();
        let text = |message: &Value| message["content"].as_str().unwrap().to_owned();
        let said = |text: &str, before: &str, after: &str| {
            let (_, rest) = text.split_once(before)?;
            Some(rest.split_once(after)?.0.to_owned())
        };
        let name = said(&text(&messages[0]), "- identity / name: ", "\n").unwrap_or_default();
        let user = text(messages.last().unwrap());
        let (memories, _) = user.rsplit_once("</memories").unwrap_or_default();
        let last = said(memories, "What is ", "?").unwrap_or_default();
        sse(&chat_events("m", &["known: ", &name, ", last: ", &last]))
    });
    let (url, models) = (upstream.openai(), vec!["m".into()]);
    let app = spawn_app(|config| {
        patient(config);
        config.backend = vec![BackendConfig {
            url,
            models,
            ..BackendConfig::default()
        }];
        tweak(config);
    });
    (app.await, upstream)
}

/// A client whose every request is on a connection of its own, and so on any worker.
fn new_connections(server: &Client) -> Client {
    let http = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0);
    Client {
        base: server.base.clone(),
        http: http.build().unwrap(),
    }
}

/// The ids of the turns that were recalled for a turn.
fn recalled(done: &Value) -> Vec<&str> {
    let items = done["recalled"]["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect()
}

/// Asks, and sees that the turn was recorded; its `done`.
async fn ask(server: &Client, user: &str, query: &str) -> Value {
    let done = server.ask(user, query).await.unwrap();
    assert_eq!(done["memory"], "recorded", "{done}");
    done
}

const NAMES: [&str; 3] = ["Ada", "Grace", "Edsger"];

/// Turn `n` of a user, who goes by another name in each: it recalls the one before it first of
/// all, and knows the name as that one has it. Answers with the turn's id.
async fn next(server: &Client, user: &str, n: usize, before: Option<String>) -> Option<String> {
    let query = format!("My name is {}. What is {n}?", NAMES[n % 3]);
    let done = ask(server, user, &query).await;
    assert_eq!(
        recalled(&done).first(),
        before.as_deref().as_ref(),
        "turn {n}: {done}"
    );
    if n > 0 {
        let known = format!("known: {}, last: {}", NAMES[(n - 1) % 3], n - 1);
        assert_eq!(done["text"], known, "turn {n}: {done}");
    }
    Some(done["turn_id"].as_str().unwrap().to_owned())
}

/// Turns one after the other.
async fn in_a_row(server: &Client, user: &str, turns: usize) {
    let mut before = None;
    for n in 0..turns {
        before = next(server, user, n, before).await;
    }
    assert_eq!(server.profile(user).await["version"], turns);
}

/// Several users at once, each with turns in a row.
async fn at_once(server: &Client, users: usize, turns: usize) {
    let rows = (0..users).map(|n| {
        let server = new_connections(server);
        tokio::spawn(async move { in_a_row(&server, &format!("user-{n}"), turns).await })
    });
    for row in rows.collect::<Vec<_>>() {
        row.await.unwrap();
    }
}

#[tokio::test]
async fn three_hundred_turns_in_a_row() {
    let (app, _upstream) = witnessed(|_| {}).await;
    in_a_row(&new_connections(&app), "ada", 300).await;
}

#[tokio::test]
async fn turns_of_many_users_at_once() {
    let (app, _upstream) = witnessed(|_| {}).await;
    at_once(&app, 16, 10).await;
}

#[tokio::test]
async fn on_postgresql_as_well() {
    let url = postgres::database();
    let (app, _upstream) = witnessed(|config| {
        config.store.url = url;
    })
    .await;
    in_a_row(&new_connections(&app), "ada", 60).await;
    at_once(&app, 8, 5).await;
}

/// Users whom the cache has no room for are read anew each time.
#[tokio::test]
async fn from_a_cache_that_is_always_cold() {
    for url in [String::new(), postgres::database()] {
        let (app, _upstream) = witnessed(|config| {
            config.memory.cache_bytes = 1;
            config.store.url = url;
        })
        .await;
        in_a_row(&new_connections(&app), "ada", 30).await;
        at_once(&app, 4, 8).await;
    }
}

/// Turns that end together are all there for the ones after them.
#[tokio::test]
async fn of_one_user_who_speaks_in_many_places_at_once() {
    let (app, _upstream) = witnessed(|_| {}).await;
    let mut before: Vec<String> = Vec::new();
    for round in 0..25 {
        let asked = (0..8).map(|n| {
            let (server, query) = (new_connections(&app), format!("Round {round}, place {n}?"));
            tokio::spawn(async move { ask(&server, "ada", &query).await })
        });
        let mut ended = Vec::new();
        for done in asked.collect::<Vec<_>>() {
            let done = done.await.unwrap();
            let recalled = recalled(&done);
            for id in &before {
                assert!(recalled.contains(&&**id), "round {round}: {done}");
            }
            ended.push(done["turn_id"].as_str().unwrap().to_owned());
        }
        before = ended;
    }
}

/// Readers that fill the cache meanwhile put nothing old back.
#[tokio::test]
async fn while_others_read_and_write_the_same_user() {
    for url in [String::new(), postgres::database()] {
        let (app, _upstream) = witnessed(|config| {
            // Hardly room for one: in and out all the time.
            config.memory.cache_bytes = 16 << 10;
            config.store.url = url;
        })
        .await;
        let over = Arc::new(AtomicBool::new(false));
        let noise = (0..2).map(|n| {
            let (server, over) = (app.client(), over.clone());
            tokio::spawn(async move {
                for round in 0.. {
                    if over.load(SeqCst) {
                        break;
                    }
                    server.profile("ada").await;
                    server.profile(&format!("other-{n}-{round}")).await;
                    let slots =
                        json!({"preferences": {"noise": {n.to_string(): round.to_string()}}});
                    let put = server
                        .call("PUT", "/api/v1/memory", "ada", Some(slots))
                        .await;
                    assert_eq!(put.status(), 200);
                    ask(&server, &format!("other-{n}"), "How is the weather?").await;
                }
            })
        });
        let noise: Vec<_> = noise.collect();
        let (server, mut before) = (new_connections(&app), None);
        for n in 0..40 {
            before = next(&server, "ada", n, before).await;
        }
        over.store(true, SeqCst);
        for noise in noise {
            noise.await.unwrap();
        }
    }
}

/// The prompt itself, on both surfaces in turn.
#[tokio::test]
async fn in_the_prompt_that_the_backend_sees() {
    let (app, upstream) = witnessed(|_| {}).await;
    let server = new_connections(&app);
    for n in 0..100 {
        let query = format!("My name is {}. What is {n}?", ["Ada", "Grace"][n % 2]);
        match n % 2 {
            0 => drop(ask(&server, "ada", &query).await),
            _ => {
                let message = json!([{"role": "user", "content": query}]);
                let events = server
                    .chat("ada", json!({"model": "m", "messages": message}))
                    .await;
                let events = events.unwrap().all().await;
                assert_eq!(events[events.len() - 2].comments, ["memory recorded"]);
            }
        }
        let log = upstream.log();
        let chats = log.chats();
        assert_eq!(chats.len(), n + 1);
        let prompt = String::from_utf8(chats[n].body.to_vec()).unwrap();
        if n > 0 {
            assert!(prompt.contains(&format!("What is {}?", n - 1)), "{prompt}");
            let known = format!("- identity / name: {}", ["Grace", "Ada"][n % 2]);
            assert!(prompt.contains(&known), "{prompt}");
        }
    }
}

#[tokio::test]
async fn what_was_put_is_in_the_very_next_prompt() {
    for url in [String::new(), postgres::database()] {
        let (app, upstream) = witnessed(|config| config.store.url = url).await;
        let server = new_connections(&app);
        for n in 1..=50 {
            let slots = json!({"preferences": {"tone": format!("tone{n}")}});
            let put = server
                .call("PUT", "/api/v1/memory", "ada", Some(slots))
                .await;
            assert_eq!(put.status(), 200);
            assert_eq!(put.headers()["etag"], *format!("\"{n}\""));
            let done = ask(&server, "ada", "How are you?").await;
            assert_eq!(done["recalled"]["profile_version"], n);
            let log = upstream.log();
            let prompt = String::from_utf8(log.chats()[n - 1].body.to_vec()).unwrap();
            assert!(
                prompt.contains(&format!("- general / tone: tone{n}\\n")),
                "{prompt}"
            );
        }
        let erased = server.call("DELETE", "/api/v1/memory", "ada", None).await;
        assert_eq!(erased.json::<Value>().await.unwrap()["turns"], 50);
        let done = ask(&server, "ada", "How are you?").await;
        assert_eq!(done["recalled"]["memory"], "empty");
    }
}

/// What stands in the outbox counts from the start: here it never settles.
#[tokio::test]
async fn before_it_is_settled() {
    let held = "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN RAISE EXCEPTION 'held' USING ERRCODE = '23514'; END $$; \
        CREATE TRIGGER held BEFORE DELETE ON sundynix_outbox \
        FOR EACH STATEMENT EXECUTE FUNCTION held()";
    let lite = "CREATE TRIGGER held BEFORE DELETE ON sundynix_outbox \
        BEGIN SELECT RAISE(ABORT, 'held'); END";
    for (url, hold, cache) in [
        (String::new(), lite, 64 << 20),
        (String::new(), lite, 1),
        (postgres::database(), held, 64 << 20),
        (postgres::database(), held, 1),
    ] {
        let (app, _upstream) = witnessed(|config| {
            config.memory.cache_bytes = cache;
            config.store.url = url.clone();
        })
        .await;
        let file = app.dir.path().join("data/sundynix.db");
        let place = match url.is_empty() {
            true => format!("sqlite://{}", file.display()),
            false => url,
        };
        let database = Database::connect(place).await.unwrap();
        database.execute_unprepared(hold).await.unwrap();
        in_a_row(&new_connections(&app), "ada", 10).await;
        let left = "SELECT 1 FROM sundynix_outbox";
        let left = database
            .query_all_raw(sea_orm::Statement::from_string(
                database.get_database_backend(),
                left,
            ))
            .await;
        assert_eq!(left.unwrap().len(), 10);
        database.close().await.unwrap();
    }
}

/// Two servers on one database: what one acknowledged, the other recalls.
#[tokio::test]
async fn at_another_server_on_the_same_database() {
    let url = postgres::database();
    let server = async || witnessed(|config| config.store.url = url.clone()).await;
    let servers = [server().await, server().await];
    let mut before = None;
    for n in 0..50 {
        before = next(&servers[n % 2].0, "ada", n, before).await;
    }
}

/// Killed right after the acknowledgement, and started again.
#[tokio::test]
async fn after_a_crash_and_a_restart() {
    let patient = [
        "--set",
        "memory.recall_timeout_ms=60000",
        "--set",
        "store.ack_timeout_ms=60000",
    ];
    let url = postgres::database();
    for env in [&[][..], &[("DATABASE_URL", &*url)]] {
        let mut server = Process::start(&patient, env).await;
        let mut before = None::<Value>;
        for n in 0..4 {
            let name = ["Ada", "Grace"][n % 2];
            let done = ask(&server, "ada", &format!("My name is {name}. What is {n}?")).await;
            if let Some(before) = before {
                assert_eq!(recalled(&done).first(), before["turn_id"].as_str().as_ref());
                let known = format!("identity / name: {}.", ["Grace", "Ada"][n % 2]);
                assert!(done["text"].as_str().unwrap().contains(&known), "{done}");
            }
            before = Some(done);
            server.kill().await;
            server.restart().await;
        }
    }
}
