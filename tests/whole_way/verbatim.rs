//! What the caller and the backend say to each other beyond what is known here.

use super::*;

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
