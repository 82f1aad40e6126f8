//! Where the blocks stand, and when they are the same bytes.

use super::*;

#[test]
fn the_profile_follows_the_operators_text_and_memories_precede_the_users() {
    let user = resident(
        ADA,
        &[("t1", "I moved to Bern", "Noted."), ("t2", "hello", "")],
    );
    let ask = json!([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": []}, {"role": "tool", "content": "42"}]);
    let (request, report) = Scene::new().write(chat(ask), recall(&user, None));
    let said = messages(&request);
    let system: Vec<&str> = content(&said[0]).lines().collect();
    assert_eq!(system[..2], ["Be kind.", ""]);
    let tag = system[3]
        .strip_prefix("<user_profile ")
        .unwrap()
        .strip_suffix('>')
        .unwrap();
    assert_eq!(tag.len(), 12);
    assert_eq!(
        system[4..6],
        ["- general / name: Ada", "- preferences / tone: concise"]
    );
    assert_eq!(system[6..], [format!("</user_profile {tag}>")]);
    let query = content(&said[1]);
    let wanted = format!(
        "<memories {tag}>\n- 2026-09-21\n  user: hello\n- 2026-09-21\n  user: I moved to Bern\n  assistant: Noted.\n</memories {tag}>\n\nhi"
    );
    assert!(query.ends_with(&wanted), "{query}");
    assert_eq!(
        said[2..],
        [
            json!({"role": "assistant", "tool_calls": []}),
            json!({"role": "tool", "content": "42"})
        ]
    );
    assert!(request.stream && request.unedited.is_some());
    assert_eq!(
        (report.state, report.profile_version),
        (RecallState::Hit, 7)
    );
    let ids: Vec<&str> = report.items.iter().map(|(id, ..)| &**id).collect();
    assert_eq!(ids, ["t2", "t1"]);
}

#[test]
fn the_same_version_gives_the_same_bytes_and_a_tool_loop_the_same_head() {
    let scene = Scene::new();
    let user = resident(ADA, &[("t1", "I moved to Bern", "Noted.")]);
    let system = json!({"role": "system", "content": [{"type": "text", "text": "s"}]});
    let first = json!([system, {"role": "user", "content": "hi"}]);
    let mut later = first.clone();
    later
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "assistant", "content": "x"}));
    let (one, _) = scene.write(chat(first), recall(&user, None));
    let (two, _) = scene.write(chat(later), recall(&user, None));
    assert_eq!(messages(&one)[..], messages(&two)[..2]);
    let other = json!([system, {"role": "user", "content": "another query"}]);
    let (three, _) = scene.write(
        chat(other),
        Recall {
            memories: Vec::new(),
            ..recall(&user, None)
        },
    );
    assert_eq!(messages(&one)[0], messages(&three)[0]);
    // Another user's fence has another tag; the same user's is the same after a restart.
    let hi = || chat(json!([{"role": "user", "content": "hi"}]));
    let bob = Scene {
        user: UserKey::local("bob"),
        ..Scene::new()
    };
    let (four, _) = bob.write(hi(), recall(&user, None));
    let (five, _) = Scene::new().write(hi(), recall(&user, None));
    assert_ne!(messages(&four)[0], messages(&five)[0]);
    let part = &messages(&one)[0]["content"][1]["text"];
    let block = part.as_str().unwrap().strip_prefix("\n\n").unwrap();
    assert_eq!(block, content(&messages(&five)[0]));
}

#[test]
fn without_memory_the_bytes_are_the_callers_own() {
    let scene = Scene::new();
    let bytes =
        Bytes::from_static(br#" {"model":"m","messages":[{"role":"user","content":"hi"}] }"#);
    let ask = || Ask::Chat(ChatBody::parse(bytes.clone()).unwrap());
    for recall in [
        Recall::none(RecallState::Off),
        Recall::none(RecallState::Degraded),
        Recall::of(Arc::default(), Vec::new(), Selection::default()),
    ] {
        let state = recall.state;
        let (request, report) = scene.write(ask(), recall);
        assert_eq!(request.body.as_ptr(), bytes.as_ptr());
        assert!(request.unedited.is_none() && !request.stream && report.items.is_empty());
        assert_eq!(report.state, state);
    }
    // A model that is missing, or has another name here, is all that changes.
    let scene = Scene {
        model: "real".into(),
        ..Scene::new()
    };
    let (request, _) = scene.write(ask(), Recall::none(RecallState::Off));
    assert_eq!(
        &request.body[..],
        br#" {"model":"real","messages":[{"role":"user","content":"hi"}] }"#
    );
    let bare = Bytes::from_static(br#"{"messages":[{"role":"user","content":"hi"}]}"#);
    let bare = Ask::Chat(ChatBody::parse(bare).unwrap());
    let (request, _) = scene.write(bare, recall(&resident(ADA, &[]), None));
    let plain = request.unedited.unwrap();
    assert_eq!(
        &plain[..],
        br#"{"model":"real","messages":[{"role":"user","content":"hi"}]}"#
    );
}

#[test]
fn headings_speak_the_users_language() {
    for (value, start) in [
        ("中文", "关于用户"),
        ("日本語", "ユーザー"),
        ("한국어", "사용자"),
        ("English", "About"),
    ] {
        let user = resident(&[("preferences", "language", value)], &[]);
        let (request, _) = Scene::new().write(
            chat(json!([{"role": "user", "content": "hi"}])),
            recall(&user, None),
        );
        assert!(
            content(&messages(&request)[0]).starts_with(start),
            "{value}"
        );
    }
}
