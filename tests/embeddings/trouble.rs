//! The model is slow, wrong, or refuses: recall goes by words, in time, and every text gets its
//! vector once the model is well, except one that it cannot take.

use super::*;
use crate::support::upstream::http;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

fn json_of(status: u16, body: &str) -> Script {
    vec![Step::Write(http(status, "application/json", body))]
}

/// Moves the clock past any pause until something is said of embedding.
async fn soon(app: &App, holds: impl Fn(&Value) -> bool) -> Value {
    let clock = &app.state.store.rules().clock;
    until(app, |now| {
        clock.advance(Duration::from_secs(10));
        holds(now)
    })
    .await
}

#[tokio::test]
async fn a_question_that_is_not_answered_in_time_goes_by_its_words() {
    let upstream = Upstream::start();
    let slow = Arc::new(AtomicBool::new(false));
    let hangs = slow.clone();
    upstream
        .models(&["e"])
        .answers(move |seen| match hangs.load(SeqCst) {
            true => vec![Step::Hang],
            false => vectors(seen),
        });
    let app = spawn_app(|config| {
        with(&upstream)(config);
        config.memory.embeddings.query_timeout_ms = 50;
    })
    .await;
    import(&app, "ada", &SAID).await;
    embedded(&app, 4).await;
    slow.store(true, SeqCst);
    let asked = upstream.log().chats().len();
    for n in 1..=3 {
        // What has a word in common is found as ever, and nothing is said of degradation.
        let done = app.ask("ada", "Is the quibber new").await.unwrap();
        assert_eq!(done["recalled"]["memory"], "hit");
        let items = done["recalled"]["items"].as_array().unwrap();
        assert!(items.iter().any(|item| item["id"] == "i1"), "{items:?}");
        // A text of the turn before may be asked about meanwhile, and hangs as well.
        let log = upstream.until(|log| log.chats().len() >= asked + n).await;
        assert!(log.chats().len() <= asked + 2 * n);
    }
    let now = health(&app).await;
    assert_eq!(now["questions"], now["unanswered"]);
    // After three of them nobody asks for a while.
    let hits = search(&app, "ada", "quibber").await;
    assert!(hits.iter().any(|hit| hit["text"] == SAID[1]), "{hits:?}");
    let by_words = |hit: &Value| hit["why"]["semantic"] == 0.0;
    assert!(hits.iter().all(by_words), "{hits:?}");
    assert_eq!(health(&app).await["questions"], now["questions"]);
    // Whoever gave up has hung up.
    upstream.until(|log| log.closed.len() >= 3).await;
}

#[tokio::test]
async fn whatever_a_sick_model_answers_every_text_gets_its_vector_later() {
    let upstream = embedder();
    let one = |embedding: &str| {
        format!(r#"{{"object":"list","data":[{{"index":0,"embedding":{embedding}}}]}}"#)
    };
    let sick = [
        json_of(500, r#"{"error":{"message":"out of memory"}}"#),
        json_of(200, r#"{"error":{"message":"no"}}"#),
        json_of(200, "not json"),
        json_of(200, r#"{"object":"list","data":[]}"#),
        json_of(200, &one("[0,0,0,0,0]")),
        json_of(200, &one("[1e39,0,0,0,0]")),
        json_of(200, &one("\"AAAA\"")),
        json_of(404, r#"{"error":{"message":"no such model"}}"#),
        json_of(400, r#"{"error":{"message":"embeddings are not enabled"}}"#),
        json_of(401, r#"{"error":{"message":"no"}}"#),
        vec![Step::Close],
        vec![Step::Reset],
        // Of another number of dimensions than is configured.
        json_of(200, &one("[1,2,3]")),
    ];
    // Each twice: once for the text, once for the plain word that is asked after it.
    for script in &sick {
        upstream.script(script.clone()).script(script.clone());
    }
    let app = spawn_app(|config| {
        with(&upstream)(config);
        config.memory.embeddings.dimensions = 5;
    })
    .await;
    import(&app, "ada", &SAID[..1]).await;
    let now = soon(&app, |now| now["texts"] == 1 && now["users"] == 0).await;
    assert_eq!(
        (&now["refused"], &now["crashes"]),
        (&json!(0), &json!(0)),
        "{now}"
    );
    assert!(now["failures"].as_u64() >= Some(10), "{now}");
    assert_eq!(now["status"], "idle");
    assert_eq!(search(&app, "ada", "zonk").await[0]["text"], SAID[0]);
    // Its failures were not held against the backend.
    let backends: Value = app.get("/api/v1/backends").await.json().await.unwrap();
    let backends = backends["backends"].as_array().unwrap();
    assert!(
        backends.iter().all(|one| one["routable"] == true),
        "{backends:?}"
    );
}

#[tokio::test]
async fn a_text_that_the_model_cannot_take_does_not_hold_up_the_others() {
    let dir = Arc::new(TempDir::new().unwrap());
    for (status, body) in [
        (400, r#"{"error":{"message":"the input is too long"}}"#),
        // llama.cpp says it so.
        (
            500,
            r#"{"error":{"message":"input is too large to process"}}"#,
        ),
    ] {
        let upstream = Upstream::start();
        let poisoned = Arc::new(AtomicUsize::new(0));
        let count = poisoned.clone();
        upstream.models(&["e"]).answers(move |seen| {
            if texts(seen).iter().any(|text| text.contains("poison")) {
                count.fetch_add(1, SeqCst);
                return json_of(status, body);
            }
            vectors(seen)
        });
        let user = if status == 400 { "ada" } else { "bob" };
        let app = spawn_app_in(dir.clone(), with(&upstream)).await;
        import(&app, user, &[SAID[0], "poison", SAID[1], SAID[2], SAID[3]]).await;
        let now = soon(&app, |now| now["refused"] == 1 && now["texts"] == 4).await;
        assert_eq!(now["crashes"], 0, "{now}");
        assert_eq!(search(&app, user, "zonk").await[0]["text"], SAID[0]);
        assert_eq!(search(&app, user, "poison").await[0]["text"], "poison");
        drop(app);
        // It is not asked about again.
        let before = poisoned.load(SeqCst);
        let app = spawn_app_in(dir.clone(), with(&upstream)).await;
        assert_eq!(search(&app, user, "zonk").await[0]["text"], SAID[0]);
        until(&app, |now| now["status"] == "idle" && now["users"] == 0).await;
        assert_eq!(poisoned.load(SeqCst), before);
    }
}

#[tokio::test]
async fn a_model_of_other_dimensions_under_the_same_name_is_learnt_anew() {
    let (upstream, dir) = (embedder(), Arc::new(TempDir::new().unwrap()));
    let app = spawn_app_in(dir.clone(), with(&upstream)).await;
    import(&app, "ada", &SAID).await;
    embedded(&app, 4).await;
    drop(app);
    upstream.answers(|seen| {
        let each = texts(seen).into_iter().enumerate();
        let wider = |(at, text): (usize, String)| {
            let mut all = meaning(&text, 0.2);
            all.push(0.1);
            json!({"index": at, "embedding": all})
        };
        let data: Vec<_> = each.map(wider).collect();
        vec![Step::Write(ok(&json!({"data": data})))]
    });
    let app = spawn_app_in(dir, with(&upstream)).await;
    // The first answer, to a question, tells it; it compares with nothing yet.
    search(&app, "ada", "zonk").await;
    app.ask("eve", "hi").await.unwrap();
    embedded(&app, 6).await;
    is_found_by_meaning(&app).await;
}
