//! A model that errs: what the user did not say of themselves, what is not allowed for, too long
//! or too much is not learnt, and what they set stands.

use super::*;

async fn put(app: &App, identity: Value) {
    let body = json!({"preferences": {"identity": identity}});
    let put = app.call("PUT", "/api/v1/memory", "ada", Some(body)).await;
    assert_eq!(put.status(), 200);
}

#[tokio::test]
async fn nothing_that_is_not_the_users_own_is_learnt() {
    let reader = reader();
    let app = spawn_app(with(&reader)).await;
    let said =
        "My brother lives in Oslo and he is a nurse. So we settled in Bergen. 我哥哥住在上海";
    // The simulator's answer repeats what was said, but not these words of its own.
    reader.script(facts(json!([
        fact("ADD", "name", "Eve", "I am Eve"),
        fact("ADD", "hobby", "nothing", "I know nothing about you yet"),
        fact("ADD", "city", "Oslo", "My brother lives in Oslo"),
        fact("ADD", "occupation", "nurse", "he is a nurse"),
        fact("ADD", "location", "上海", "我哥哥住在上海"),
        fact("ADD", "brother-city", "Oslo", "My brother lives in Oslo"),
        fact("ADD", "home", "Bergen", "we settled in Bergen"),
        {"op": "ADD", "topic": "family", "key": "brother", "value": "nurse", "quote": "he is a nurse", "turn": 1},
    ])));
    say(&app, "ada", said).await;
    let profile = app.profile("ada").await;
    assert_eq!(
        profile["preferences"],
        json!({"identity": {"brother-city": "Oslo", "home": "Bergen"}, "family": {"brother": "nurse"}})
    );
}

#[tokio::test]
async fn what_the_user_set_and_what_nobody_knows_is_left_alone() {
    let reader = reader();
    let app = spawn_app(with(&reader)).await;
    put(&app, json!({"city": "Rome", "team": "Lazio"})).await;
    reader.script(facts(json!([
        fact("UPDATE", "city", "Oslo", "Oslo is fine"),
        fact("DELETE", "team", "", "Oslo is fine"),
        fact("DELETE", "pet", "", "Oslo is fine"),
        fact("KEEP", "car", "Volvo", "Oslo is fine"),
    ])));
    say(&app, "ada", "Oslo is fine").await;
    let after = app.profile("ada").await;
    assert_eq!(
        (&after["preferences"]["identity"], &after["version"]),
        (&json!({"city": "Rome", "team": "Lazio"}), &json!(1))
    );
    let history = get(&app, "/api/v1/memory/history", "ada").await;
    assert_eq!(history["history"], json!([]));
    // What nobody knew may still be learnt later.
    reader.script(facts(json!([fact("ADD", "pet", "a cat", "I got a cat")])));
    say(&app, "ada", "I got a cat").await;
    assert_eq!(identity(&app, "ada").await["pet"], "a cat");
}

#[tokio::test]
async fn too_long_and_too_many_end_at_their_limits() {
    let reader = reader();
    let app = spawn_app(|config| {
        with(&reader)(config);
        config.memory.max_slots = 20;
        config.memory.topic = vec![TopicConfig {
            name: "identity".into(),
            max_chars: 12,
            ..TopicConfig::default()
        }];
    })
    .await;
    put(&app, json!({"city": "Rome"})).await;
    let long = "a very long story about the sea";
    reader.script(facts(json!([
        fact("ADD", "story", long, long),
        fact("ADD", "place", "the sea", "the sea"),
        fact("ADD", &"k".repeat(65), "the sea", "the sea"),
        fact("ADD", "", "the sea", "the sea"),
        {"op": "ADD", "topic": "other", "key": "story", "value": long, "quote": long, "turn": 1},
    ])));
    say(&app, "ada", long).await;
    assert_eq!(
        app.profile("ada").await["preferences"],
        json!({"identity": {"city": "Rome", "place": "the sea"}, "other": {"story": long}})
    );
    // Far more than there is room for, in one answer.
    let many = (0..320).map(|n| fact("ADD", &format!("k{n}"), "so many", "so many things"));
    reader.script(facts(many.collect()));
    say(&app, "ada", "so many things to tell").await;
    let kept = app.profile("ada").await;
    let topics = kept["preferences"].as_object().unwrap().values();
    let slots: usize = topics.map(|keys| keys.as_object().unwrap().len()).sum();
    assert_eq!(slots, 20, "{kept}");
    assert_eq!(kept["preferences"]["identity"]["city"], "Rome", "pinned");
}
