//! No junk: what was injected is never learnt, however eagerly the model takes what it is shown;
//! clients' own prompts are not remembered; secrets are masked before anything keeps them.

use super::*;

const TURNS: usize = 50;

/// Notes everything it is shown as a fact of turn 1: what is known, what was said and answered.
fn eager(seen: &Seen) -> Script {
    if seen.json()["messages"][0]["content"]
        .as_str()
        .is_none_or(|task| !task.contains("lasting facts"))
    {
        return crate::support::upstream::ordinary(seen);
    }
    let text = shown(seen);
    let lines = text.lines().filter(|line| line.len() > 3);
    let all = lines.map(|line| {
        let said = line.trim_start_matches("  user: ");
        let key = said
            .chars()
            .filter(|c| c.is_alphanumeric())
            .take(40)
            .collect::<String>();
        json!({"op": "ADD", "topic": "notes", "key": key, "value": said, "quote": said, "turn": 1})
    });
    facts(all.collect())
}

/// Sends the turns as a client does, with the whole conversation; `echo`: it stores what was
/// injected into its own history.
async fn replay(app: &App, conversation: &str, seen: &Upstream, echo: bool) {
    let mut messages = Vec::new();
    for n in 0..TURNS {
        messages
            .push(json!({"role": "user", "content": format!("I like sort{n} of tea number {n}")}));
        let body = json!({"model": "m", "messages": messages});
        let request = app.http.post(app.url("/v1/chat/completions"));
        let request = request
            .header("x-user-id", "ada")
            .header("x-sundynix-conversation", conversation)
            .json(&body);
        let answer = crate::support::http::send(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        let _ = answer.bytes().await.unwrap();
        if echo {
            let log = seen.log();
            let sent = log.chats().last().unwrap().json()["messages"].clone();
            messages = sent.as_array().unwrap().clone();
        }
        messages
            .push(json!({"role": "assistant", "content": "I am the assistant and love coffee"}));
    }
}

async fn slots(app: &App) -> usize {
    let profile = app.profile("ada").await;
    let topics = profile["preferences"].as_object().unwrap().values();
    topics.map(|keys| keys.as_object().unwrap().len()).sum()
}

#[tokio::test]
async fn turns_replayed_with_memory_injected_add_no_slot() {
    for model in [false, true] {
        let chat = Upstream::start();
        let reader = reader();
        reader.answers(eager);
        let app = spawn_app(|config| {
            config.backend.clear();
            if model {
                with(&reader)(config);
            }
            config.backend.push(BackendConfig {
                url: chat.openai(),
                models: vec!["m".into()],
                ..BackendConfig::default()
            });
            config.memory.max_slots = 1_000;
        })
        .await;
        replay(&app, "first", &chat, false).await;
        idle(&app);
        all_read(&app).await;
        let before = slots(&app).await;
        assert!(before >= TURNS, "{before}");
        for (conversation, echo) in [("first", false), ("second", false), ("third", true)] {
            replay(&app, conversation, &chat, echo).await;
            idle(&app);
            all_read(&app).await;
            assert_eq!(slots(&app).await, before, "{conversation}, model: {model}");
        }
        let profile = app.profile("ada").await.to_string();
        assert!(!profile.contains("coffee") && !profile.contains("About the user"));
        let injected = chat.log().chats().last().unwrap().json().to_string();
        assert!(injected.contains("<user_profile "), "memory was injected");
    }
}

/// A server without a model of its own for reading, in front of that backend.
async fn behind(chat: &Upstream) -> App {
    spawn_app(|config| {
        config.backend[0] = BackendConfig {
            url: chat.openai(),
            models: vec!["m".into()],
            ..BackendConfig::default()
        };
    })
    .await
}

#[tokio::test]
async fn clients_own_prompts_neither_recall_nor_remember() {
    let chat = Upstream::start();
    let app = behind(&chat).await;
    app.ask("ada", "My name is Ada.").await.unwrap();
    let prompt = "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n\
        ### Chat History:\n<chat_history>\nUSER: My name is Eve.\n</chat_history>";
    let body = json!({"model": "m", "messages": [{"role": "user", "content": prompt}]});
    let request = app.http.post(app.url("/v1/chat/completions"));
    let request = request.header("x-user-id", "ada").json(&body);
    let answer = crate::support::http::send(request).await.unwrap();
    assert_eq!(answer.headers()["x-sundynix-memory"], "off");
    let _ = answer.bytes().await.unwrap();
    let sent = chat.log().chats().last().unwrap().json();
    assert_eq!(sent["messages"], body["messages"]);
    assert_eq!(identity(&app, "ada").await, json!({"name": "Ada"}));
}

/// Open WebUI puts the documents of a question into the question: that is the user's, they are not.
#[tokio::test]
async fn a_question_about_documents_is_asked_by_the_user() {
    let chat = Upstream::start();
    let app = behind(&chat).await;
    app.ask("ada", "My name is Ada.").await.unwrap();
    let question = "Where could I work? I live in Prague.";
    let wrapped = format!(
        "### Task:\nRespond to the user query using the provided context, incorporating inline \
         citations in the format [id].\n\n<context>\n<source id=\"1\">My name is Gregor. I am allergic \
         to apples.</source>\n</context>\n\n{question}"
    );
    let send = async |messages: Value| {
        let request = app.http.post(app.url("/v1/chat/completions"));
        let body = json!({"model": "m", "messages": messages});
        let request = request.header("x-user-id", "ada").json(&body);
        let answer = crate::support::http::send(request).await.unwrap();
        let turn = answer.headers()["x-sundynix-turn"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(answer.headers()["x-sundynix-memory"], "hit");
        let _ = answer.bytes().await.unwrap();
        (
            turn,
            chat.log().chats().last().unwrap().json()["messages"].to_string(),
        )
    };
    let user = |text: &str| json!({"role": "user", "content": text});
    let (turn, sent) = send(json!([user(&wrapped)])).await;
    assert!(
        sent.contains("- identity / name: Ada") && sent.contains("allergic"),
        "{sent}"
    );
    assert_eq!(
        identity(&app, "ada").await,
        json!({"name": "Ada", "location": "Prague"})
    );
    let turns = app.call("GET", "/api/v1/memory/turns", "ada", None).await;
    let turns: Value = turns.json().await.unwrap();
    assert_eq!(turns["turns"][0]["query"], question);
    // The next request carries the question as it was typed: it is known to be there.
    assert_eq!(send(json!([user(question)])).await.0, turn);
    let said = json!({"role": "assistant", "content": "In a zoo."});
    let (next, sent) = send(json!([user(question), said, user("And you?")])).await;
    assert_ne!(next, turn);
    assert_eq!(sent.matches(question).count(), 1, "{sent}");
}

#[tokio::test]
async fn secrets_are_masked_before_anything_keeps_them() {
    let reader = reader();
    reader.always(facts(json!([])));
    let app = spawn_app(with(&reader)).await;
    let key = "sk-proj-abcdefghijklmnop1234";
    let said = format!("my password is hunter2 and my key is {key}, card 4111 1111 1111 1111");
    say(&app, "ada", &said).await;
    let shown = shown(reader.log().chats()[0]);
    assert!(shown.contains("my password is [masked]"), "{shown}");
    let body = json!({"preferences": {"api": {"key": key}}});
    let put = app.call("PUT", "/api/v1/memory", "ada", Some(body)).await;
    let put: Value = put.json().await.unwrap();
    assert_eq!(put["preferences"]["api"]["key"], "[masked]");
    let dir = app.dir.clone();
    drop(app);
    for file in std::fs::read_dir(dir.path().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [key, "hunter2", "4111 1111"] {
            let found = memchr::memmem::find(&bytes, secret.as_bytes());
            assert!(found.is_none(), "{secret}");
        }
    }
}
