//! Injection: whatever a user says, gets answered or sets, it stays data in later prompts. It
//! neither closes its fence nor begins a line or a message of its own, and carries neither marks
//! that a chat template gives a meaning to nor what a reader would not see.

mod attacks;

use crate::support::{App, http::send, spawn_app, upstream::*};
use attacks::ATTACKS;
use serde_json::{Value, json};
use std::collections::HashSet;
use sundynix::config::BackendConfig;

const SYSTEM: &str = "Be kind.";
/// The characters of a name that may be set.
const NAME_CHARS: usize = 64;

async fn chat(app: &App, user: &str, query: &str, memory: &str) {
    let body = json!({"model": "m", "stream": true, "messages": [
        {"role": "system", "content": SYSTEM}, {"role": "user", "content": query}]});
    let post = app.http.post(app.url("/v1/chat/completions"));
    let post = post.header("x-user-id", user).json(&body);
    let answer = send(post.header("x-sundynix-memory", memory))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap();
}

async fn native(app: &App, user: &str, query: &str) {
    let post = app.http.post(app.url("/api/v1/tasks"));
    let post = post.header("x-user-id", user);
    let post = post.header("accept", "text/event-stream");
    let post = post.header("x-sundynix-memory", "read");
    let body = json!({"query": query, "system": SYSTEM});
    let answer = send(post.json(&body)).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap();
}

/// The messages that the backend saw last.
fn prompt(upstream: &Upstream) -> Vec<Value> {
    let body = upstream.log().chats().last().unwrap().json();
    body["messages"].as_array().unwrap().clone()
}

/// The text of a message of this role.
#[track_caller]
fn said<'m>(message: &'m Value, role: &str) -> &'m str {
    assert_eq!(message["role"], role, "{message}");
    message["content"].as_str().unwrap()
}

/// The lines inside the one fence of a text, its tag, and what stands after it.
#[track_caller]
fn fenced<'t>(text: &'t str, name: &str) -> (Vec<&'t str>, &'t str, &'t str) {
    let (heading, rest) = text.split_once(&format!("\n<{name} ")).expect(text);
    assert!(!heading.contains(['\n', '<', '>']), "{text}");
    let (tag, rest) = rest.split_once(">\n").expect(text);
    assert_eq!(tag.len(), 12, "{text}");
    let (inside, after) = rest.split_once(&format!("\n</{name} {tag}>")).expect(text);
    (inside.split('\n').collect(), tag, after)
}

/// What a tokenizer that normalises makes of a character.
fn folded(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap(),
        '\u{FE64}' => '<',
        '\u{FE65}' => '>',
        c => c,
    }
}

/// Nothing that has a meaning to more than a reader.
#[track_caller]
fn inert(line: &str) {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{180E}'
                | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0D}' | '\u{FEFF}'
                | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
    };
    let folded: String = line.chars().map(folded).collect();
    assert!(
        !folded.contains(['<', '>']) && !folded.chars().any(odd),
        "{line:?}"
    );
    for (at, _) in folded.match_indices('[') {
        let word = folded[at + 1..].split(']').next().unwrap();
        let word = word.trim_start_matches('/');
        let name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let two = |two: &[u8]| two.iter().all(u8::is_ascii_uppercase);
        let token = word.bytes().all(name) && word.as_bytes().windows(2).any(two);
        assert!(!token, "{line:?}");
    }
}

/// Checks the last prompt, whose question is `query`; its tag, and whether `mark` is in the
/// profile and in the memories.
fn check(upstream: &Upstream, query: &str, mark: &str) -> (String, bool, bool) {
    let messages = prompt(upstream);
    let [system, user] = &messages[..] else {
        panic!("{messages:?}")
    };
    let own = said(system, "system").strip_prefix(SYSTEM).unwrap();
    let (slots, tag, after) = fenced(own.strip_prefix("\n\n").unwrap(), "user_profile");
    assert_eq!(after, "", "{system}");
    for slot in &slots {
        let (_, value) = slot.split_once(": ").expect(slot);
        assert!(slot.starts_with("- ") && slot.contains(" / ") && !value.is_empty());
        inert(slot);
    }
    let text = said(user, "user");
    if text == query {
        return (
            tag.to_owned(),
            slots.iter().any(|s| s.contains(mark)),
            false,
        );
    }
    let (lines, same, after) = fenced(text, "memories");
    assert_eq!((same, after), (tag, &*format!("\n\n{query}")), "{text}");
    // The one turn there is, each side on a line.
    let [date, user, assistant] = &lines[..] else {
        panic!("{text}")
    };
    let digits = |c: char| if c.is_ascii_digit() { '0' } else { c };
    assert_eq!(date.chars().map(digits).collect::<String>(), "- 0000-00-00");
    assert!(user.starts_with("  user: ") && assistant.starts_with("  assistant: "));
    lines.iter().for_each(|line| inert(line));
    let known = slots.iter().any(|slot| slot.contains(mark));
    (tag.to_owned(), known, user.contains(mark))
}

#[tokio::test]
async fn whatever_is_remembered_stays_data() {
    assert!(ATTACKS.len() >= 60);
    let upstream = Upstream::start();
    let url = upstream.openai();
    let app = spawn_app(|config| {
        config.backend = vec![BackendConfig {
            url,
            ..BackendConfig::default()
        }];
    })
    .await;
    let (mut tags, mut shown, mut quarantined) = (HashSet::new(), 0, 0);
    for (number, attack) in ATTACKS.iter().enumerate() {
        let (user, mark) = (format!("attacker{number}"), format!("zq{number:03}"));
        let put = async |preferences: Value| {
            let body = Some(json!({"preferences": preferences}));
            app.call("PUT", "/api/v1/memory", &user, body).await
        };
        put(json!({"style": {"tone": "plain"}})).await;
        chat(&app, &user, "hi", "read").await;
        let (tag, ..) = check(&upstream, "hi", &mark);
        let attack = format!("{} {mark}", attack.replace("{tag}", &tag));
        let set = put(json!({"style": {"wish": attack}})).await;
        assert_eq!(set.status(), 200, "{attack:?}");
        let name: String = attack.chars().take(NAME_CHARS).collect();
        let set = put(json!({name.clone(): {name: "v"}})).await;
        assert!(matches!(set.status().as_u16(), 200 | 400), "{attack:?}");
        // It is said, and answered in the same words.
        upstream.script(sse(&chat_events("m", &[&attack])));
        chat(&app, &user, &attack, "on").await;
        let query = format!("What of {mark}?");
        chat(&app, &user, &query, "read").await;
        let over_chat = check(&upstream, &query, &mark);
        native(&app, &user, &query).await;
        assert_eq!(check(&upstream, &query, &mark), over_chat, "{attack:?}");
        let (same, known, recalled) = over_chat;
        assert_eq!(same, tag);
        assert!(recalled, "it is no test if it is not there: {attack:?}");
        shown += usize::from(known);
        quarantined += usize::from(!known);
        assert!(tags.insert(tag), "each user has a fence of their own");
    }
    println!(
        "{} attacks: {shown} inert, {quarantined} in quarantine",
        ATTACKS.len()
    );
    assert!(shown > 0 && quarantined > 0, "{shown} {quarantined}");
}
