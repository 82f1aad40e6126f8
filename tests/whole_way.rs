//! The whole way, with the real binary: what a user set or said is in the next answer, streamed,
//! on both surfaces; another user's is not; what the caller and the backend say to each other
//! beyond what is known here passes byte for byte.

use crate::support::{
    Client, Event, Events, Process,
    http::{Raw, send},
    upstream::*,
};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

/// A busy machine must not be taken for a store that is down.
const PATIENT: &[&str] = &[
    "--set",
    "memory.recall_timeout_ms=60000",
    "--set",
    "store.ack_timeout_ms=60000",
];

async fn simulated() -> Process {
    Process::start(PATIENT, &[]).await
}

async fn scripted(upstream: &Upstream) -> Process {
    let url = upstream.openai();
    Process::start(PATIENT, &[("SUNDYNIX_BACKENDS", &url)]).await
}

async fn put(server: &Client, user: &str, preferences: Value) -> Response {
    let body = json!({ "preferences": preferences });
    let response = server.call("PUT", "/api/v1/memory", user, Some(body)).await;
    assert_eq!(response.status(), 200);
    response
}

/// A native task, in whatever way its headers ask for.
fn task(server: &Client, headers: &[(&str, &str)], body: Value) -> RequestBuilder {
    let request = server.http.post(server.url("/api/v1/tasks"));
    let with =
        |request: RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
    headers.iter().fold(request, with).json(&body)
}

/// A chat over `/v1`.
async fn chat(server: &Client, headers: &[(&str, &str)], body: Value) -> Response {
    let request = server.http.post(server.url("/v1/chat/completions"));
    let with =
        |request: RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
    let request = headers.iter().fold(request, with).json(&body);
    let response = send(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

fn says(query: &str, stream: bool) -> Value {
    json!({"messages": [{"role": "user", "content": query}], "stream": stream})
}

/// The texts of a native answer, which has all it should have, in order.
fn texts(events: &[Event]) -> Vec<String> {
    let ids: Vec<_> = events.iter().map(|e| e.id.clone().unwrap()).collect();
    let counted: Vec<_> = (1..=events.len()).map(|n| n.to_string()).collect();
    assert_eq!(ids, counted);
    let [recalled, tokens @ .., done] = events else {
        panic!("{events:?}");
    };
    assert_eq!((&*recalled.name, &*done.name), ("recalled", "done"));
    assert_eq!(done.json()["finish_reason"], "stop");
    let text = |event: &Event| {
        assert_eq!(event.name, "token");
        event.json()["text"].as_str().unwrap().to_owned()
    };
    tokens.iter().map(text).collect()
}

/// The texts of an answer over `/v1`, which has nothing in it that its clients do not know.
fn contents(events: &[Event], memory: &str) -> Vec<String> {
    let [chunks @ .., ended, done] = events else {
        panic!("{events:?}");
    };
    let comment = Event {
        comments: vec![format!("memory {memory}")],
        ..Event::default()
    };
    assert_eq!(*ended, comment);
    assert_eq!(
        *done,
        Event {
            data: "[DONE]".into(),
            ..Event::default()
        }
    );
    let mut contents = Vec::new();
    for event in chunks {
        let data = event.data.clone();
        assert_eq!(
            *event,
            Event {
                data,
                ..Event::default()
            }
        );
        let chunk = event.json();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        let content = chunk["choices"][0]["delta"]["content"].as_str();
        contents.extend(content.filter(|c| !c.is_empty()).map(str::to_owned));
    }
    contents
}

#[tokio::test]
async fn a_preference_that_was_put_is_in_the_streamed_answer() {
    let server = simulated().await;
    let set = put(
        &server,
        "ada",
        json!({"style": {"tone": "concise"}, "drink": "tea"}),
    )
    .await;
    assert_eq!(set.headers()["etag"], "\"1\"");
    let set: Value = set.json().await.unwrap();
    assert_eq!(
        set["preferences"],
        json!({"style": {"tone": "concise"}, "general": {"drink": "tea"}})
    );
    let events = server
        .task("ada", json!({"query": "How do I boil an egg?"}))
        .await
        .unwrap();
    assert_eq!(events.headers["content-type"], "text/event-stream");
    assert!(events.headers.contains_key("x-request-id"));
    let turn = events.headers["x-sundynix-turn"]
        .to_str()
        .unwrap()
        .to_owned();
    let events = events.all().await;
    let recalled = json!({"memory": "hit", "profile_version": 1, "items": []});
    assert_eq!(events[0].json(), recalled);
    let answer = "I know about you: general / drink: tea; style / tone: concise. \
        You asked: How do I boil an egg?";
    assert_eq!(texts(&events).concat(), answer);
    let done = events.last().unwrap().json();
    assert_eq!(
        (&done["memory"], &done["turn_id"]),
        (&json!("recorded"), &json!(turn))
    );
    // Nobody else's.
    let bob = server.ask("bob", "How do I boil an egg?").await.unwrap();
    let nothing = "I know nothing about you yet. You asked: How do I boil an egg?";
    assert_eq!(
        (&bob["text"], &bob["recalled"]["memory"]),
        (&json!(nothing), &json!("empty"))
    );
    // And no longer once it is taken back.
    put(&server, "ada", json!({"style": {"tone": null}})).await;
    let after = server.ask("ada", "And now?").await.unwrap();
    assert!(
        !after["text"]
            .as_str()
            .unwrap()
            .starts_with("I know about you: style")
    );
    assert_eq!(after["recalled"]["profile_version"], 2);
    assert_eq!(after["recalled"]["items"][0]["id"], *turn);
}

#[tokio::test]
async fn what_a_turn_says_of_its_user_is_in_the_next_ones_prompt() {
    let upstream = Upstream::start();
    let server = scripted(&upstream).await;
    let known = async |name: &str| {
        let log = upstream.log();
        let body = log.chats().last().unwrap().json();
        let system = body["messages"][0]["content"].as_str().unwrap().to_owned();
        system.contains(&format!("- identity / name: {name}\n"))
    };
    server.ask("ada", "Hello, my name is Ada.").await.unwrap();
    assert!(!known("Ada").await);
    server.ask("ada", "Who am I?").await.unwrap();
    assert!(known("Ada").await);
    for stream in [true, false] {
        let response = chat(&server, &[("x-user-id", "ada")], says("Who am I?", stream)).await;
        response.bytes().await.unwrap();
        assert!(known("Ada").await);
    }
    server.ask("bob", "Who am I?").await.unwrap();
    assert!(!known("Ada").await);
    chat(&server, &[], says("Who am I?", false)).await;
    assert!(!known("Ada").await);
    // Said over `/v1`, known on both.
    for (user, stream) in [("carol", true), ("dave", false)] {
        let said = says("My name is Zoe.", stream);
        chat(&server, &[("x-user-id", user)], said)
            .await
            .bytes()
            .await
            .unwrap();
        server.ask(user, "Who am I?").await.unwrap();
        assert!(known("Zoe").await);
        let profile = server.profile(user).await;
        assert_eq!(profile["preferences"], json!({"identity": {"name": "Zoe"}}));
    }
    server.ask("ada", "Forget my name.").await.unwrap();
    server.ask("ada", "Who am I?").await.unwrap();
    assert!(!known("Ada").await);
}

#[tokio::test]
async fn chinese_is_understood_and_streamed_character_by_character() {
    let server = simulated().await;
    let events = server
        .task("小明", json!({"query": "你好，我叫小明。"}))
        .await
        .unwrap();
    let first = texts(&events.all().await);
    assert_eq!(first.concat(), "我还不了解你。你问的是：你好，我叫小明。");
    let events = server
        .task("小明", json!({"query": "我是谁？"}))
        .await
        .unwrap();
    let native = texts(&events.all().await);
    let knows = "关于你，我知道：identity / name: 小明。";
    assert!(native.concat().starts_with(knows), "{native:?}");
    assert!(
        native.concat().ends_with("你问的是：我是谁？"),
        "{native:?}"
    );
    let headers = [("x-user-id", "小明")];
    let events = Events::of(chat(&server, &headers, says("我是谁？", true)).await);
    let chunks = contents(&events.all().await, "recorded");
    assert!(chunks.concat().starts_with(knows), "{chunks:?}");
    for text in first.iter().chain(&native).chain(&chunks) {
        assert_eq!(text.chars().count(), 1, "{text:?}");
    }
    let profile = server.profile("小明").await;
    assert_eq!(
        profile["preferences"],
        json!({"identity": {"name": "小明"}})
    );
}

#[tokio::test]
async fn without_a_user_there_is_no_memory() {
    let server = simulated().await;
    put(&server, "ada", json!({"tone": "concise"})).await;
    let sse = ("accept", "text/event-stream");
    for _ in 0..2 {
        let query = json!({"query": "My name is Ada."});
        let response = send(task(&server, &[sse], query)).await.unwrap();
        let events = Events::of(response).all().await;
        assert_eq!(events[0].json()["memory"], "off");
        let nothing = "I know nothing about you yet. You asked: My name is Ada.";
        assert_eq!(texts(&events).concat(), nothing);
        assert_eq!(events.last().unwrap().json()["memory"], "off");
        let response = chat(&server, &[], says("My name is Ada.", true)).await;
        assert_eq!(response.headers()["x-sundynix-memory"], "off");
        let contents = contents(&Events::of(response).all().await, "off");
        assert_eq!(contents.concat(), nothing);
    }
    let none = send(server.http.get(server.url("/api/v1/memory")))
        .await
        .unwrap();
    assert_eq!(none.status(), 400);
}

#[tokio::test]
async fn a_request_may_ask_for_less_memory() {
    let server = simulated().await;
    put(&server, "ada", json!({"tone": "concise"})).await;
    let knows = "I know about you: general / tone: concise. You asked: My name is Ada.";
    let nothing = "I know nothing about you yet. You asked: My name is Ada.";
    for (mode, recalled, answer) in [("read", "hit", knows), ("off", "off", nothing)] {
        let headers = [
            ("x-user-id", "ada"),
            ("x-sundynix-memory", mode),
            ("accept", "text/event-stream"),
        ];
        let response = send(task(&server, &headers, json!({"query": "My name is Ada."}))).await;
        let events = Events::of(response.unwrap()).all().await;
        assert_eq!(events[0].json()["memory"], recalled);
        assert_eq!(texts(&events).concat(), answer);
        assert_eq!(events.last().unwrap().json()["memory"], "off");
        let response = chat(&server, &headers[..2], says("My name is Ada.", true)).await;
        assert_eq!(response.headers()["x-sundynix-memory"], recalled);
        assert_eq!(
            contents(&Events::of(response).all().await, "off").concat(),
            answer
        );
        let response = chat(&server, &headers[..2], says("My name is Ada.", false)).await;
        let whole: Value = response.json().await.unwrap();
        assert_eq!(whole["choices"][0]["message"]["content"], answer);
        // None of these turns was kept, and nothing was learnt.
        let profile = server.profile("ada").await;
        assert_eq!(
            profile["preferences"],
            json!({"general": {"tone": "concise"}})
        );
    }
    let headers = [("x-user-id", "ada"), ("x-sundynix-memory", "on")];
    let response = chat(&server, &headers, says("Hello.", false)).await;
    let whole: Value = response.json().await.unwrap();
    let answer = "I know about you: general / tone: concise. You asked: Hello.";
    assert_eq!(whole["choices"][0]["message"]["content"], answer);
    let headers = [("x-user-id", "ada"), ("x-sundynix-memory", "some")];
    let wrong = send(task(&server, &headers, json!({"query": "Hello."})))
        .await
        .unwrap();
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().await.unwrap().contains("X-Sundynix-Memory"));
}

#[tokio::test]
async fn a_task_may_run_by_itself() {
    let server = simulated().await;
    put(&server, "ada", json!({"tone": "concise"})).await;
    let answer = "I know about you: general / tone: concise. You asked: Hello.";
    let ada = ("x-user-id", "ada");
    let accepted = send(task(&server, &[ada], json!({"query": "Hello."})))
        .await
        .unwrap();
    assert_eq!(accepted.status(), 202);
    let place = accepted.headers()["location"].to_str().unwrap().to_owned();
    let task_id: Value = accepted.json().await.unwrap();
    assert_eq!(
        place,
        format!("/api/v1/tasks/{}", task_id["task_id"].as_str().unwrap())
    );
    // As an `EventSource`, which sends no headers.
    let events = server.get(task_id["events"].as_str().unwrap()).await;
    assert_eq!(events.status(), 200);
    let events = Events::of(events).all().await;
    assert_eq!(texts(&events).concat(), answer);
    let state: Value = server
        .call("GET", &place, "ada", None)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&state["status"], &state["text"]),
        (&json!("done"), &json!(answer))
    );
    assert_eq!(server.call("GET", &place, "bob", None).await.status(), 404);
    // Or whole, once it is there.
    let headers = [ada, ("prefer", "wait=60")];
    let whole = send(task(&server, &headers, json!({"query": "Hello again."})))
        .await
        .unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["preference-applied"], "wait=60");
    let whole: Value = whole.json().await.unwrap();
    assert_eq!(
        (&whole["status"], &whole["memory"]),
        (&json!("done"), &json!("recorded"))
    );
    let text = whole["text"].as_str().unwrap();
    assert!(
        text.starts_with("I know about you: general / tone: concise."),
        "{text}"
    );
    assert!(text.ends_with("You asked: Hello again."), "{text}");
}

/// The raw bytes: nothing but what OpenAI's clients know, and the extras beside it.
#[tokio::test]
async fn a_chat_says_what_there_is_to_say_beside_its_events() {
    let server = simulated().await;
    put(&server, "ada", json!({"tone": "concise"})).await;
    let mut raw = Raw::connect(server.addr).await;
    let headers = [
        "X-User-ID: ada",
        "X-Request-ID: my-own",
        "Accept: application/json",
        "Connection: close",
    ];
    raw.post("/v1/chat/completions", &headers, &says("Hello.", true))
        .await;
    let head = raw.until("\r\n\r\n").await.unwrap().to_lowercase();
    for line in [
        "content-type: text/event-stream",
        "x-request-id: my-own",
        "x-sundynix-turn: turn_",
        "x-sundynix-backend: simulator",
        "x-sundynix-attempts: 1",
        "x-sundynix-memory: hit",
    ] {
        assert!(head.contains(&format!("\r\n{line}")), "{head}");
    }
    let body = raw.until("data: [DONE]\n\n\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(raw.until("never").await, None);
    assert!(raw.seen.is_empty());
    assert!(
        body.contains(": memory recorded\n\ndata: [DONE]\n\n"),
        "{body}"
    );
    for line in body.lines().filter(|line| line.contains(':')) {
        assert!(
            line.starts_with("data: ") || line.starts_with(": "),
            "{line}"
        );
    }
    let headers = [("x-user-id", "ada")];
    let response = chat(&server, &headers, says("Hello.", false)).await;
    assert!(!response.headers()["x-request-id"].is_empty());
    assert_eq!(response.headers()["x-sundynix-backend"], "simulator");
    assert_eq!(response.headers()["x-sundynix-attempts"], "1");
    assert_eq!(response.headers()["x-sundynix-memory"], "hit");
    // The same request again: the same turn.
    let turn = response.headers()["x-sundynix-turn"].to_str().unwrap();
    assert!(head.contains(turn), "{head}");
}

/// A body as no library would write it.
const ODD: [&str; 3] = [
    "{ \"model\" : \"m\",\n\t\"messages\":[ {\"role\":\"system\",\"x\":[1.0,2e+3], \"content\":\"S\\u0031",
    "\"} , {\"role\":\"user\",\"name\":\"n\",\"unknown\":{\"a\":null},\"content\":\"",
    "hi \\u4f60 \\/ \\ud83d\\ude00\"}],\"temperature\":1.0,\"top_p\":1E-1,\"seed\":12345678901234567890123,\
     \"logit_bias\":{\"50256\":-100.00},\"vendor\":{\"deep\":[true,{\"k\":\"v\"}]},\"user\":\"u\" ,",
];

/// What a backend may say in the head of its answer.
fn with_extras(mut script: Script) -> Script {
    let Some(Step::Write(head)) = script.first_mut() else {
        panic!("a head comes first");
    };
    let extras = "\r\nX-RateLimit-Remaining: 7\r\nOpenAI-Processing-Ms: 5\r\nSet-Cookie: a=b\r\n\
        Server: s\r\nX-Request-ID: theirs\r\nContent-Type";
    let told = std::str::from_utf8(head)
        .unwrap()
        .replacen("\r\nContent-Type", extras, 1);
    *head = told.into();
    script
}

#[tokio::test]
async fn what_is_not_known_here_passes_byte_for_byte_both_ways() {
    let upstream = Upstream::start();
    let server = scripted(&upstream).await;
    put(&server, "ada", json!({"tone": "concise"})).await;
    server.ask("ada", "Earlier.").await.unwrap();
    let event = |content: &str, reason: &str| {
        format!(
            "data: {{ \"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
             \"x_vendor\":{{\"n\":1.50,\"t\":\"\\u4f60\"}},\"choices\":[{{\"index\":0,\"delta\":\
             {{\"content\":\"{content}\",\"reasoning_content\":\"hm\"}},\"x\":1e2,\
             \"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let usage = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
        \"choices\":[],\"usage\":{\"prompt_tokens\":1,\"x_cached\":0.0}}\n\n";
    let events = [
        event("", "null"),
        ": from the backend\n\n".into(),
        event("你\\n", "null"),
        event("", "\"stop\""),
        usage.into(),
    ];
    let whole = "{ \"choices\":[{\"message\":{\"content\":\"\\u4f60\",\"role\":\"assistant\",\"x\":1.0},\
        \"index\":0 ,\"finish_reason\":\"stop\"}],\"x_vendor\":{\"n\":1.50}, \"object\":\"chat.completion\" }\n";
    for stream in [true, false] {
        let odd = [
            ODD[0],
            ODD[1],
            &format!("{}\"stream\" :{stream} }}", ODD[2]),
        ];
        for user in [Some("ada"), None] {
            let script = match stream {
                true => {
                    let mut parts = events.to_vec();
                    parts.push("data: [DONE]\n\n".into());
                    chunked("text/event-stream", &parts)
                }
                false => vec![Step::Write(http(200, "application/json", whole))],
            };
            upstream.script(with_extras(script));
            let mut request = server.http.post(server.url("/v1/chat/completions"));
            request = request
                .header("content-type", "application/json")
                .body(odd.concat());
            if let Some(user) = user {
                request = request.header("x-user-id", user);
            }
            let response = send(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let headers = response.headers();
            assert_eq!(headers["x-ratelimit-remaining"], "7");
            assert_eq!(headers["openai-processing-ms"], "5");
            // What is between neighbours, or said by sundynix itself, is not passed on.
            assert!(!headers.contains_key("set-cookie") && !headers.contains_key("server"));
            assert_ne!(headers["x-request-id"], "theirs");
            let answer = response.text().await.unwrap();
            // It was sundynix that asked for usage.
            let shown = events[..4].concat();
            match (stream, user) {
                (true, Some(_)) => {
                    assert_eq!(answer, shown + ": memory recorded\n\ndata: [DONE]\n\n")
                }
                (true, None) => assert_eq!(answer, shown + ": memory off\n\ndata: [DONE]\n\n"),
                (false, _) => assert_eq!(answer, whole),
            }
            let log = upstream.log();
            let seen = std::str::from_utf8(&log.chats().last().unwrap().body).unwrap();
            let asks = r#""stream_options":{"include_usage":true},"#;
            assert_eq!(seen.contains(asks), stream);
            let seen = seen.replacen(asks, "", 1);
            if user.is_none() {
                assert_eq!(seen, odd.concat());
                continue;
            }
            let rest = seen
                .strip_prefix(odd[0])
                .and_then(|rest| rest.strip_suffix(odd[2]));
            let (profile, memories) = rest.and_then(|rest| rest.split_once(odd[1])).expect(&seen);
            assert!(profile.starts_with("\\n\\n") && profile.contains("general / tone: concise"));
            assert!(memories.ends_with("\\n\\n") && memories.contains("Earlier."));
        }
    }
}

#[tokio::test]
async fn one_version_of_a_profile_gives_one_system_text() {
    let upstream = Upstream::start();
    let mut server = scripted(&upstream).await;
    put(
        &server,
        "ada",
        json!({"tone": "concise", "language": "中文"}),
    )
    .await;
    let mut texts = std::collections::BTreeSet::new();
    let system = async |server: &Process, query: &str, stream: bool| {
        let messages =
            json!([{"role": "system", "content": "Be kind."}, {"role": "user", "content": query}]);
        let body = json!({"messages": messages, "stream": stream});
        chat(server, &[("x-user-id", "ada")], body)
            .await
            .bytes()
            .await
            .unwrap();
        let body = json!({"query": query, "system": "Be kind."});
        server.task("ada", body).await.unwrap().all().await;
        let log = upstream.log();
        let chats = log.chats();
        let text = |seen: &Seen| {
            seen.json()["messages"][0]["content"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        [text(chats[chats.len() - 2]), text(chats[chats.len() - 1])]
    };
    for n in 0..20 {
        texts.extend(system(&server, &format!("What is {n}?"), n % 2 == 0).await);
        if n == 5 {
            // The same once more is no change.
            put(&server, "ada", json!({"tone": "concise"})).await;
        }
        if n == 10 {
            server.signal("TERM");
            assert_eq!(server.ended().await, Some(0));
            server.restart().await;
        }
    }
    assert_eq!(texts.len(), 1, "{texts:?}");
    let text = texts.first().unwrap();
    assert!(text.starts_with("Be kind.\n\n关于用户"), "{text}");
    put(&server, "ada", json!({"tone": "long"})).await;
    let [chat, task] = system(&server, "And now?", true).await;
    assert_eq!(chat, task);
    assert_eq!(chat, text.replace("tone: concise", "tone: long"));
}
