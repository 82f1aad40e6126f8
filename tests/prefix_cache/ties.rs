//! What scores alike comes in one order: whoever answers, and however its index came to be.

use super::*;

const SAME: &str = "The bakery on the corner opens at seven.";

/// What a search answers, whole.
async fn found(app: &App) -> Value {
    let body = json!({"query": "When does the bakery open?", "k": 40, "explain": true});
    let answer = app
        .call("POST", "/api/v1/memory/search", "ada", Some(body))
        .await;
    let answer: Value = answer.json().await.unwrap();
    assert!(answer["hits"].as_array().unwrap().len() >= 12, "{answer}");
    answer
}

/// The same words in many conversations; some said again, and answered otherwise, so that the index
/// here has been taken from and added to.
async fn say(app: &App, upstream: &Upstream) {
    let known = json!({"preferences": {"language": "English"}});
    let set = app.call("PUT", "/api/v1/memory", "ada", Some(known)).await;
    assert_eq!(set.status(), 200);
    let message = json!({"role": "user", "content": SAME});
    for number in 0..12 {
        post(
            app,
            &format!("c{number}"),
            std::slice::from_ref(&message),
            "on",
        )
        .await;
    }
    let other = ["Opens", " ", "late"];
    upstream.answers(move |seen| match seen.path.ends_with("completions") {
        true => sse(&chat_events("m", &other)),
        false => ordinary(seen),
    });
    for number in [3, 7, 0] {
        post(
            app,
            &format!("c{number}"),
            std::slice::from_ref(&message),
            "on",
        )
        .await;
    }
}

async fn prompt(app: &App, upstream: &Upstream) -> Vec<u8> {
    let message = json!({"role": "user", "content": "When does the bakery open?"});
    post(app, "asked", &[message], "read").await;
    last(upstream)
}

#[tokio::test]
async fn a_restart_ranks_ties_alike() {
    let upstream = Upstream::start();
    let app = spawn_app(at(&upstream, "")).await;
    say(&app, &upstream).await;
    let before = (found(&app).await, prompt(&app, &upstream).await);
    let dir = app.dir.clone();
    drop(app);
    let app = spawn_app_in(dir, at(&upstream, "")).await;
    assert_eq!((found(&app).await, prompt(&app, &upstream).await), before);
}

#[tokio::test]
async fn replicas_rank_ties_alike() {
    let (upstream, url) = (Upstream::start(), postgres::database());
    let one = spawn_app(at(&upstream, &url)).await;
    let two = spawn_app(at(&upstream, &url)).await;
    say(&one, &upstream).await;
    let here = (found(&one).await, prompt(&one, &upstream).await);
    assert_eq!((found(&two).await, prompt(&two, &upstream).await), here);
}
