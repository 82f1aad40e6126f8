//! Native conversations, whose history the server itself brings: beyond `memory.history_tokens` the
//! oldest turns must go, and the prefix breaks. It may do so only when half a budget has been said
//! since, and at the same turns whoever answers.

use super::*;
use crate::support::http::Events;
use std::sync::Arc;
use sundynix::config::MemoryConfig;
use tempfile::TempDir;

/// Turns of a conversation that outgrows its window several times.
const LONG: usize = 60;

/// What is said in one turn, a hundred tokens long.
fn query(number: usize) -> String {
    let asked = ASKED[number % ASKED.len()];
    format!("{asked} ({number}) {}", "And so on and on. ".repeat(22))
}

/// One turn, or only its asking; the request as the backend saw it.
async fn turn(app: &App, upstream: &Upstream, query: &str, memory: &str) -> Vec<u8> {
    let body = json!({"query": query, "system": SYSTEM, "conversation": "talk"});
    let post = app.http.post(app.url("/api/v1/tasks")).json(&body);
    let post = post
        .header("x-user-id", "ada")
        .header("x-sundynix-memory", memory);
    let answer = send(post.header("accept", "text/event-stream"))
        .await
        .unwrap();
    let events = Events::of(answer).all().await;
    let kept = if memory == "on" { "recorded" } else { "off" };
    assert_eq!(events.last().unwrap().json()["memory"], kept);
    last(upstream)
}

/// The turns that do not begin as the one before.
fn breaks(sent: &[Vec<u8>]) -> Vec<usize> {
    let broke = |two: &[Vec<u8>]| {
        let ((old, begin), (new, _)) = (written(&two[0]), written(&two[1]));
        let common = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b);
        common.count() < begin
    };
    let broke = sent.windows(2).enumerate().filter(|(_, two)| broke(two));
    broke.map(|(before, _)| before + 1).collect()
}

/// Messages between the system's and the query.
fn history(body: &[u8]) -> usize {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["messages"].as_array().unwrap().len() - 2
}

#[tokio::test]
async fn turns_begin_as_the_turn_before_while_all_of_them_fit() {
    let upstream = Upstream::start();
    let app = spawn_app(at(&upstream, "")).await;
    prepare(&app).await;
    let mut sent = Vec::new();
    for number in 0..40 {
        let query = format!("{} ({number})", ASKED[number % ASKED.len()]);
        sent.push(turn(&app, &upstream, &query, "on").await);
        assert_eq!(history(&sent[number]), 2 * number);
    }
    for two in sent.windows(2) {
        goes_on(&two[0], &two[1]);
    }
}

/// A break at most each half window, and never a window of less than a half.
#[track_caller]
fn rarely(sent: &[Vec<u8>]) {
    let breaks = breaks(sent);
    // A hundred tokens of query, and a little for the answer and what stands around.
    let half = MemoryConfig::default().history_tokens / 2 / 120;
    assert!(
        breaks.len() >= 2,
        "it is no test if nothing goes: {breaks:?}"
    );
    assert!(breaks[0] >= 2 * half, "{breaks:?}");
    for two in breaks.windows(2) {
        assert!(two[1] - two[0] >= half, "{breaks:?}");
    }
    for (number, body) in sent.iter().enumerate().skip(half) {
        assert!(history(body) >= 2 * (half - 1), "turn {number}");
    }
}

#[tokio::test]
async fn a_long_conversation_breaks_once_each_half_window_the_same_after_restarts() {
    let upstream = Upstream::start();
    let dir = Arc::new(TempDir::new().unwrap());
    let mut app = spawn_app_in(dir.clone(), at(&upstream, "")).await;
    prepare(&app).await;
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for number in 0..LONG {
        if number % 7 == 6 {
            let before = turn(&app, &upstream, &query(number), "read").await;
            drop(app);
            app = spawn_app_in(dir.clone(), at(&upstream, "")).await;
            let after = turn(&app, &upstream, &query(number), "read").await;
            assert_eq!(written(&before), written(&after), "turn {number}");
        }
        sent.push(turn(&app, &upstream, &query(number), "on").await);
    }
    rarely(&sent);
}

#[tokio::test]
async fn a_long_conversation_is_the_same_from_another_replica() {
    let (upstream, url) = (Upstream::start(), postgres::database());
    let one = spawn_app(at(&upstream, &url)).await;
    let two = spawn_app(at(&upstream, &url)).await;
    prepare(&one).await;
    let mut sent = Vec::new();
    for number in 0..LONG {
        let (here, there) = match number % 2 {
            0 => (&one, &two),
            _ => (&two, &one),
        };
        let same = turn(there, &upstream, &query(number), "read").await;
        let now = turn(here, &upstream, &query(number), "on").await;
        assert_eq!(written(&same), written(&now), "turn {number}");
        sent.push(now);
    }
    rarely(&sent);
}

#[tokio::test]
async fn a_deleted_turn_costs_one_break() {
    let upstream = Upstream::start();
    let app = spawn_app(at(&upstream, "")).await;
    let mut sent = Vec::new();
    for number in 0..24 {
        if number == 20 {
            let turns = app.call("GET", "/api/v1/memory/turns", "ada", None).await;
            let turns: Value = turns.json().await.unwrap();
            let turns = turns["turns"].as_array().unwrap();
            let one = turns
                .iter()
                .find(|turn| turn["query"].as_str().unwrap().contains("(17)"));
            let id = one.unwrap()["id"].as_str().unwrap();
            let path = format!("/api/v1/memory/turns/{id}");
            assert_eq!(app.call("DELETE", &path, "ada", None).await.status(), 200);
        }
        sent.push(turn(&app, &upstream, &query(number), "on").await);
    }
    let after: Vec<_> = breaks(&sent).into_iter().filter(|at| *at >= 20).collect();
    assert_eq!(after, [20]);
}
