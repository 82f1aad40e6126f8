//! Replicas on one PostgreSQL: each flush is asked about, and paid for, once; what a replica that
//! died had claimed another reads once the claim is over, and what one that ended had, at once.

use super::*;
use crate::support::{Process, postgres, upstream::Gate};
use sundynix::memory::UserKey;

const ASKED: &str = "we settled down in Berlin";

async fn replica(reader: &Upstream, url: &str) -> App {
    spawn_app(|config| {
        with(reader)(config);
        config.store.url = url.to_owned();
        config.memory.extract.flush_tokens = 1;
    })
    .await
}

fn berlin() -> Script {
    facts(json!([fact("ADD", "city", "Berlin", "Berlin")]))
}

/// It has looked at Ada's turns, and left them to another.
fn leaves_them(app: &App) -> bool {
    let ada = app.state.store.gathering().of(&UserKey::local("ada"));
    ada.is_some_and(|ada| ada.not_before_ms > 0)
}

fn reads(app: &App) -> bool {
    let gathering = app.state.store.gathering();
    let health = app.state.extraction.health(true, gathering, 0);
    json!(health)["status"] == "working"
}

fn advance(app: &App, seconds: u64) {
    let clock = &app.state.store.rules().clock;
    clock.advance(Duration::from_secs(seconds));
}

#[tokio::test]
async fn replicas_that_find_the_same_turns_ask_once() {
    let (reader, url) = (reader(), postgres::database());
    let (one, two) = (replica(&reader, &url).await, replica(&reader, &url).await);
    for round in 1..=5 {
        let (gate, before) = (Gate::new(), reader.log().paused);
        let mut script = berlin();
        script.insert(0, Step::Pause(gate.clone()));
        reader.always(script);
        one.ask("ada", ASKED).await.unwrap();
        two.ask("ada", "and we like it there").await.unwrap();
        reader.until(|log| log.paused > before).await;
        one.until(|| leaves_them(&one) || leaves_them(&two)).await;
        assert_eq!(reader.log().paused, before + 1);
        gate.open(2);
        let both = [&one, &two];
        one.until(|| {
            // Never past the claim of one that reads.
            if both.iter().any(|app| leaves_them(app)) && !both.iter().any(|app| reads(app)) {
                both.iter().for_each(|app| advance(app, 5));
            }
            both.iter()
                .all(|app| app.state.store.gathering().is_empty())
        })
        .await;
        let log = reader.log();
        let seen: Vec<_> = log.chats().into_iter().map(shown).collect();
        for said in [ASKED, "and we like it there"] {
            let line = format!("\n  user: {said}\n");
            let times = seen.iter().filter(|seen| seen.contains(&line)).count();
            assert_eq!(times, round, "{said}: {seen:#?}");
        }
    }
    assert_eq!(identity(&one, "ada").await, json!({"city": "Berlin"}));
    assert_eq!(one.profile("ada").await["version"], 1);
}

#[tokio::test]
async fn what_a_dead_replica_had_claimed_is_read_once_the_claim_is_over() {
    let (reader, url) = (reader(), postgres::database());
    let backends = format!("simulator,{}", reader.openai());
    let args = [
        "pool.default_model=simulator",
        "memory.extract.model=reader",
        "memory.extract.flush_tokens=1",
    ];
    let args: Vec<_> = args.iter().flat_map(|set| ["--set", set]).collect();
    let env = [("DATABASE_URL", &*url), ("SUNDYNIX_BACKENDS", &backends)];
    let mut one = Process::start(&args, &env).await;
    reader.script(vec![Step::Hang]);
    one.ask("ada", ASKED).await.unwrap();
    reader.until(|log| log.paused == 1).await;

    let two = replica(&reader, &url).await;
    two.until(|| leaves_them(&two)).await;
    one.kill().await;
    advance(&two, 200);
    two.until(|| leaves_them(&two)).await;
    assert_eq!(reader.log().chats().len(), 1, "it is not known to be dead");
    reader.always(berlin());
    advance(&two, 60);
    all_read(&two).await;
    assert_eq!(reader.log().chats().len(), 2);
    assert_eq!(identity(&two, "ada").await, json!({"city": "Berlin"}));
}

#[tokio::test]
async fn what_an_ending_replica_had_claimed_is_free_at_once() {
    let (reader, url) = (reader(), postgres::database());
    let one = replica(&reader, &url).await;
    reader.script(vec![Step::Hang]);
    one.ask("ada", ASKED).await.unwrap();
    reader.until(|log| log.paused == 1).await;
    drop(one);
    reader.always(berlin());
    let two = replica(&reader, &url).await;
    all_read(&two).await;
    assert_eq!(reader.log().chats().len(), 2);
    assert_eq!(identity(&two, "ada").await, json!({"city": "Berlin"}));
}
