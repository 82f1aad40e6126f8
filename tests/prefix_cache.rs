//! The prefix cache: a backend that has computed one turn of a conversation need not compute it
//! again for the next. As long as the profile does not change, the first byte that differs from
//! the turn before is never earlier than the memories recalled for that turn; and a restart or
//! another replica sends the same bytes.

#[path = "prefix_cache/large_profile.rs"]
mod large_profile;
#[path = "prefix_cache/native.rs"]
mod native;
#[path = "prefix_cache/ties.rs"]
mod ties;
#[path = "prefix_cache/tool_loop.rs"]
mod tool_loop;

use crate::support::{App, http::send, postgres, spawn_app, spawn_app_in, upstream::*};
use serde_json::{Value, json};
use sundynix::config::{BackendConfig, Config};

const TURNS: usize = 20;
const SYSTEM: &str = "You are the house's own assistant.";
/// Said in other conversations before, so that there is something to recall.
const BEFORE: [&str; 4] = [
    "The bakery on the corner opens at seven.",
    "Which tram goes to the harbour?",
    "周末想去爬山，哪条路线好？",
    "How long does rice take to boil?",
];
/// Asked in turn: about what was said before, and about nothing.
const ASKED: [&str; 5] = [
    "When does the bakery open?",
    "And the tram to the harbour?",
    "爬山要带什么？",
    "Thanks.",
    "How about rice?",
];

/// A server with this backend, on SQLite where `url` is empty.
fn at(upstream: &Upstream, url: &str) -> impl FnOnce(&mut Config) {
    let (backend, url) = (upstream.openai(), url.to_owned());
    move |config| {
        config.store.url = url;
        config.backend = vec![BackendConfig {
            url: backend,
            // Not asked for: a server that has just started may not know yet what is served.
            models: vec!["m".into()],
            ..BackendConfig::default()
        }];
    }
}

/// Memory is `on`, or `read`: then the turn is not kept, and may be asked again as it was.
async fn post(app: &App, conversation: &str, messages: &[Value], memory: &str) {
    let body = json!({"model": "m", "stream": true, "messages": messages});
    let post = app.http.post(app.url("/v1/chat/completions"));
    let post = post.header("x-user-id", "ada").json(&body);
    let post = post.header("x-sundynix-memory", memory);
    let answer = send(post.header("x-sundynix-conversation", conversation)).await;
    let answer = answer.unwrap();
    assert_eq!(answer.headers()["x-sundynix-memory"], "hit");
    let answer = answer.text().await.unwrap();
    let recorded = answer.contains(": memory recorded");
    assert_eq!(recorded, memory == "on", "{answer}");
}

fn last(upstream: &Upstream) -> Vec<u8> {
    upstream.log().chats().last().unwrap().body.to_vec()
}

/// The prompt as a chat template writes it, and where the memories of its last message begin (or
/// would).
fn written(body: &[u8]) -> (String, usize) {
    let body: Value = serde_json::from_slice(body).unwrap();
    let (mut text, mut begin) = (String::new(), 0);
    for message in body["messages"].as_array().unwrap() {
        text += &format!("<|{}|>\n", message["role"].as_str().unwrap());
        begin = text.len();
        text += &format!("{}\n", message["content"].as_str().unwrap());
    }
    (text, begin)
}

/// A user with a profile and something said before.
async fn prepare(app: &App) {
    let preferences = json!({"preferences": {"language": "English", "style": {"tone": "brief"}}});
    let set = app
        .call("PUT", "/api/v1/memory", "ada", Some(preferences))
        .await;
    assert_eq!(set.status(), 200);
    for (number, text) in BEFORE.iter().enumerate() {
        let message = json!({"role": "user", "content": text});
        post(app, &format!("before {number}"), &[message], "on").await;
    }
}

/// The turns of one conversation, with the history resent each time.
struct Talk {
    messages: Vec<Value>,
    turns: usize,
}

impl Talk {
    fn new() -> Talk {
        let messages = vec![json!({"role": "system", "content": SYSTEM})];
        Talk { messages, turns: 0 }
    }

    /// What the user says next.
    fn say(&mut self) {
        if self.turns > 0 {
            self.messages
                .push(json!({"role": "assistant", "content": "Hello"}));
        }
        let query = format!("{} ({})", ASKED[self.turns % ASKED.len()], self.turns);
        self.messages
            .push(json!({"role": "user", "content": query}));
        self.turns += 1;
    }

    /// Asks with what was said so far; the request as the backend saw it.
    async fn ask(&self, app: &App, upstream: &Upstream, memory: &str) -> Vec<u8> {
        post(app, "talk", &self.messages, memory).await;
        last(upstream)
    }

    /// One turn.
    async fn turn(&mut self, app: &App, upstream: &Upstream) -> Vec<u8> {
        self.say();
        self.ask(app, upstream, "on").await
    }
}

/// Where `new` first differs from `old` is not before the memories of `old`.
#[track_caller]
fn goes_on(old: &[u8], new: &[u8]) {
    let ((old, begin), (new, _)) = (written(old), written(new));
    let common = old
        .bytes()
        .zip(new.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let place = || old[old.floor_char_boundary(common.saturating_sub(40))..].to_owned();
    assert!(common >= begin, "{common} of {begin}, at {:?}", place());
}

#[tokio::test]
async fn each_turn_begins_as_the_turn_before() {
    let upstream = Upstream::start();
    let app = spawn_app(at(&upstream, "")).await;
    prepare(&app).await;
    let version = app.profile("ada").await["version"].clone();
    let (mut talk, mut sent) = (Talk::new(), Vec::new());
    for _ in 0..TURNS {
        sent.push(talk.turn(&app, &upstream).await);
    }
    assert_eq!(app.profile("ada").await["version"], version);
    let recalling = sent
        .iter()
        .filter(|body| written(body).0.contains("<memories "));
    assert_eq!(
        recalling.count(),
        TURNS,
        "it is no test if nothing is recalled"
    );
    assert!(written(&sent[0]).0.contains("<user_profile "));
    for two in sent.windows(2) {
        goes_on(&two[0], &two[1]);
    }
}

#[tokio::test]
async fn a_restart_sends_the_same_bytes() {
    let upstream = Upstream::start();
    let app = spawn_app(at(&upstream, "")).await;
    prepare(&app).await;
    let mut talk = Talk::new();
    let mut sent = vec![talk.turn(&app, &upstream).await];
    sent.push(talk.turn(&app, &upstream).await);
    talk.say();
    let before = talk.ask(&app, &upstream, "read").await;
    let dir = app.dir.clone();
    drop(app);
    let app = spawn_app_in(dir, at(&upstream, "")).await;
    let after = talk.ask(&app, &upstream, "on").await;
    assert_eq!(written(&before), written(&after));
    assert_eq!(before, after);
    sent.push(after);
    sent.push(talk.turn(&app, &upstream).await);
    sent.windows(2).for_each(|two| goes_on(&two[0], &two[1]));
}

#[tokio::test]
async fn another_replica_sends_the_same_bytes() {
    let (upstream, url) = (Upstream::start(), postgres::database());
    let one = spawn_app(at(&upstream, &url)).await;
    let two = spawn_app(at(&upstream, &url)).await;
    prepare(&one).await;
    let mut talk = Talk::new();
    let mut before = None;
    for number in 0..TURNS {
        let (here, there) = match number % 2 {
            0 => (&one, &two),
            _ => (&two, &one),
        };
        talk.say();
        let same = talk.ask(there, &upstream, "read").await;
        let now = talk.ask(here, &upstream, "on").await;
        assert_eq!(written(&same), written(&now), "turn {number}");
        assert_eq!(same, now);
        let before = before.replace(now.clone());
        before.iter().for_each(|before| goes_on(before, &now));
    }
}
