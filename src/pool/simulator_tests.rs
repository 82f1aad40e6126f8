//! What the simulator answers, and how it types it.

use super::*;
use futures_util::StreamExt;
use std::sync::Arc;

fn prompt(query: &str) -> String {
    let system = "Be kind.\n\nAbout the user.\n<user_profile a1>\n- general / name: Ada\n\
                  - preferences / tone: concise\n</user_profile a1>\nMore.";
    json!({"messages": [
        {"role": "system", "content": system},
        {"role": "user", "content": "earlier"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": [{"type": "text", "text": query}]},
    ]})
    .to_string()
}

fn patience() -> Patience {
    let never = tokio::time::Instant::now() + Duration::from_secs(3600);
    Patience::new(never, Duration::from_secs(3600), never)
}

fn request(body: Value, stream: bool) -> Request {
    Request {
        model: Arc::from("simulator"),
        body: body.to_string().into(),
        unedited: None,
        stream,
        show_usage: false,
    }
}

async fn all(answer: Answer) -> String {
    let Answer::Stream(mut stream) = answer else {
        panic!("not a stream")
    };
    let mut all = Vec::new();
    while let Some(bytes) = stream.next().await {
        all.extend_from_slice(&bytes.unwrap());
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn it_names_what_it_knows_and_forty_characters_of_the_question() {
    let query = format!(
        "From earlier.\n<memories a1>\n- 2026-09-21\n  user: tea\n  assistant: Noted.\n\
         - 2026-09-20\n  user: Bern\n</memories a1>\n\n{}",
        "x".repeat(50)
    );
    assert_eq!(
        reply(prompt(&query).as_bytes()),
        format!(
            "I know about you: general / name: Ada; preferences / tone: concise. \
             I remember: 2026-09-21 user: tea assistant: Noted.; \
             2026-09-20 user: Bern. You asked: {}",
            "x".repeat(40)
        )
    );
    let chinese = reply(prompt(&"咖啡".repeat(30)).as_bytes());
    assert!(
        chinese.starts_with("关于你，我知道：general / name: Ada；"),
        "{chinese}"
    );
    assert!(chinese.ends_with(&format!("你问的是：{}", "咖啡".repeat(20))));
    let unknown = br#"{"messages":[{"role":"user","content":"Hi"}]}"#;
    assert_eq!(
        reply(unknown),
        "I know nothing about you yet. You asked: Hi"
    );
    assert!(reply(b"not json").starts_with("I know nothing"));
}

#[tokio::test]
async fn one_character_a_token_and_a_proper_end() {
    let body = json!({"messages": [{"role": "user", "content": "你好"}],
        "stream_options": {"include_usage": true}});
    let text = reply(body.to_string().as_bytes());
    let sse = all(open(Pace::default(), &request(body, true), patience()).await).await;
    let events: Vec<&str> = sse.split_terminator("\n\n").collect();
    // Role, tokens, end, usage, [DONE].
    assert_eq!(events.len(), text.chars().count() + 4);
    let chunk = |at: usize| -> Value {
        serde_json::from_str(events[at].strip_prefix("data: ").unwrap()).unwrap()
    };
    let typed: String = (1..events.len() - 3)
        .map(|at| {
            chunk(at)["choices"][0]["delta"]["content"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .inspect(|token| assert_eq!(token.chars().count(), 1))
        .collect();
    assert_eq!(typed, text);
    assert_eq!(
        chunk(events.len() - 3)["choices"][0]["finish_reason"],
        "stop"
    );
    let usage = chunk(events.len() - 2);
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], text.chars().count());
    assert_eq!(events[events.len() - 1], "data: [DONE]");
}

#[tokio::test]
async fn max_tokens_cuts_both_kinds() {
    for key in ["max_tokens", "max_completion_tokens"] {
        let body = json!({"messages": [], key: 3});
        let sse = all(open(Pace::default(), &request(body.clone(), true), patience()).await).await;
        assert_eq!(sse.matches("\"content\":\"").count(), 1 + 3);
        assert!(sse.contains(r#""finish_reason":"length""#));
        let Answer::Whole(whole) = open(Pace::default(), &request(body, false), patience()).await
        else {
            panic!("not whole")
        };
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(whole["choices"][0]["message"]["content"], "I k");
        assert_eq!(whole["choices"][0]["finish_reason"], "length");
    }
}

#[tokio::test(start_paused = true)]
async fn both_kinds_take_the_same_time() {
    let pace = Pace {
        first: Duration::from_millis(700),
        token: Duration::from_millis(60),
    };
    let body = json!({"messages": [], "max_tokens": 11});
    for stream in [true, false] {
        let start = tokio::time::Instant::now();
        let answer = open(pace, &request(body.clone(), stream), patience()).await;
        if stream {
            all(answer).await;
        }
        assert_eq!(start.elapsed().as_millis(), 700 + 10 * 60);
    }
}
