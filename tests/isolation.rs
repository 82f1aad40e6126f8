//! Isolation: with many users at once, nobody's facts get into anybody else's prompt, answer,
//! error, log line or status page.

use crate::support::{
    Process,
    http::send,
    upstream::{Seen, Step, Upstream, chat_events, chat_whole, http, ok, sse},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

const USERS: usize = 200;
const STREAMS: usize = 50;
/// Streams of different users at the same time.
const AT_ONCE: usize = 32;
/// Each user's every so-manieth request is refused by the backend, in words that quote its prompt.
const REFUSED: usize = 10;

/// A word that only this user says, or their application sets.
fn canary(user: usize) -> String {
    format!("canary{:05}x", user * 7919 % 100_000)
}

fn canaries(text: &str) -> Vec<&str> {
    text.match_indices("canary")
        .map(|(at, _)| &text[at..text.len().min(at + 12)])
        .collect()
}

/// Whether it names this user's canary or nobody's.
fn clean(text: &str, user: usize) -> bool {
    let own = canary(user);
    canaries(text).into_iter().all(|found| found == own)
}

fn asks(user: usize, stream: usize) -> String {
    match stream % 5 {
        0 => format!("My cat is called {}, asker u{user}.", canary(user)),
        1 => format!("What is my cat called? asker u{user}."),
        2 => format!("我的猫叫什么名字？ asker u{user}."),
        3 => format!("Tell me something about me, asker u{user}."),
        _ => format!("Thanks {stream}, asker u{user}."),
    }
}

/// Echoes its whole prompt; counts those that hold another user's canary.
fn echo(seen: &Seen, leaks: &AtomicUsize) -> Vec<Step> {
    let body = seen.json();
    let text = String::from_utf8_lossy(&seen.body).into_owned();
    let asker = text.rfind("asker u").map(|at| &text[at + 7..]);
    let user = asker.and_then(|rest| rest.split('.').next()?.parse().ok());
    let Some(user): Option<usize> = user else {
        return vec![Step::Write(http(
            400,
            "application/json",
            r#"{"error":{"message":"who asks?"}}"#,
        ))];
    };
    if !clean(&text, user) {
        leaks.fetch_add(1, SeqCst);
    }
    let prompt = body["messages"].to_string();
    let refuse = prompt.contains("refuse this");
    match (refuse, body["stream"] == true) {
        (true, _) => {
            let error = json!({"error": {"message": prompt, "code": "no"}}).to_string();
            vec![Step::Write(http(400, "application/json", &error))]
        }
        (_, true) => sse(&chat_events("m", &["I read: ", &prompt])),
        (_, false) => vec![Step::Write(ok(&chat_whole("m", &prompt)))],
    }
}

/// One request of one user, on either surface; all that came back.
async fn ask(server: &Process, user: usize, stream: usize) -> String {
    let (name, mut query) = (format!("u{user}"), asks(user, stream));
    if stream % REFUSED == REFUSED - 1 {
        query = format!("refuse this: {query}");
    }
    let chat = |stream: bool| {
        let body = json!({"messages": [{"role": "user", "content": query}], "stream": stream});
        let post = server.http.post(server.url("/v1/chat/completions"));
        send(post.header("x-user-id", &name).json(&body))
    };
    let native = || {
        let post = server.http.post(server.url("/api/v1/tasks"));
        let post = post.header("accept", "text/event-stream");
        send(
            post.header("x-user-id", &name)
                .json(&json!({"query": query})),
        )
    };
    let response = match stream % 3 {
        0 => chat(true).await,
        1 => chat(false).await,
        _ => native().await,
    };
    let response = response.unwrap();
    let head = format!("{:?}", response.headers());
    head + &response.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_anybody_elses_facts() {
    let leaks = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::start();
    let counted = leaks.clone();
    upstream.answers(move |seen| echo(seen, &counted));
    let url = upstream.openai();
    let args = [
        "memory.recall_timeout_ms=60000",
        "store.ack_timeout_ms=60000",
        // A few users at a time: most are read anew, among others who are as well.
        "memory.cache_bytes=1048576",
        "telemetry.log=debug",
    ];
    let args: Vec<&str> = args.iter().flat_map(|set| ["--set", *set]).collect();
    let server = Process::start(&args, &[("SUNDYNIX_BACKENDS", &url)]).await;
    let server = Arc::new(server);
    for user in 0..USERS {
        let preferences = json!({"preferences": {"pet": {"cat": canary(user)}}});
        let name = format!("u{user}");
        let set = server
            .call("PUT", "/api/v1/memory", &name, Some(preferences))
            .await;
        assert_eq!(set.status(), 200);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..AT_ONCE).map(|_| {
        let (server, next) = (server.clone(), next.clone());
        tokio::spawn(async move {
            let (mut own, mut foreign) = (0, 0);
            loop {
                let number = next.fetch_add(1, SeqCst);
                if number >= USERS * STREAMS {
                    return (own, foreign);
                }
                // Neighbours in time are different users.
                let (user, stream) = (number % USERS, number / USERS);
                let said = ask(&server, user, stream).await;
                own += usize::from(said.contains(&canary(user)));
                foreign += usize::from(!clean(&said, user));
            }
        })
    });
    let (mut own, mut foreign) = (0, 0);
    for worker in workers.collect::<Vec<_>>() {
        let (o, f) = worker.await.unwrap();
        (own, foreign) = (own + o, foreign + f);
    }
    assert_eq!((leaks.load(SeqCst), foreign), (0, 0));
    // It is no test if memory is not there: the profile is in every prompt, and the prompt in
    // every answer but those of refusals, which may or may not repeat it. On a busy machine a few
    // wait in vain for a reader of the store, and go on without.
    let answered = USERS * (STREAMS - STREAMS / REFUSED);
    assert!(own * 100 >= answered * 99, "{own} of {answered}");
    for user in 0..USERS {
        let profile: Value = server.profile(&format!("u{user}")).await;
        assert!(clean(&profile.to_string(), user), "{profile}");
    }
    for page in ["/health", "/readyz", "/api/v1/backends", "/api/v1/actors"] {
        let text = server.get(page).await.text().await.unwrap();
        assert_eq!(canaries(&text), Vec::<&str>::new(), "{page}");
    }
    assert_eq!(canaries(&server.said()), Vec::<&str>::new(), "the log");
}
