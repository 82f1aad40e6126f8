//! Whose memory it is, how much of it a request wants, and that it reads the same each time.

use super::*;

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
