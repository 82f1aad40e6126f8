//! Models that refuse, stop short, mistake types, talk around their JSON or fail: each flush takes
//! at most two calls, is tried again after a pause, and is dead in the end; dead turns can be
//! queued again.

use super::*;
use crate::support::upstream::http;

fn says(content: Value, reason: &str) -> Script {
    let mut whole = chat_whole("reader", "");
    whole["choices"][0]["message"]["content"] = content;
    whole["choices"][0]["finish_reason"] = json!(reason);
    vec![Step::Write(ok(&whole))]
}

fn failing() -> Vec<(&'static str, Script, usize, &'static str)> {
    let cut = r#"{"facts":[{"op":"ADD","topic":"identity","key":"na"#;
    let typed =
        r#"{"facts":[{"op":"ADD","topic":1,"key":[],"value":{},"quote":"x","turn":"one"}]}"#;
    let mut refusal = chat_whole("reader", "");
    refusal["choices"][0]["message"] =
        json!({"role": "assistant", "content": null, "refusal": "no"});
    let error = r#"{"error":{"code":500,"message":"Failed to parse input"}}"#;
    vec![
        ("refusal", vec![Step::Write(ok(&refusal))], 2, "refused"),
        (
            "words",
            says(json!("I cannot help with that."), "stop"),
            2,
            "not JSON",
        ),
        ("nothing", says(json!(""), "stop"), 2, "empty"),
        ("cut", says(json!(cut), "length"), 2, "cut off"),
        ("types", says(json!(typed), "stop"), 2, "shape"),
        ("no facts", says(json!("{}"), "stop"), 2, "shape"),
        (
            "500",
            vec![Step::Write(http(500, "application/json", error))],
            1,
            "failed",
        ),
        (
            "400",
            vec![Step::Write(http(400, "application/json", error))],
            2,
            "refuses",
        ),
        (
            "html",
            vec![Step::Write(http(200, "text/html", "<html>"))],
            1,
            "failed",
        ),
        (
            "no completion",
            vec![Step::Write(ok(&json!({"choices": []})))],
            2,
            "no chat completion",
        ),
        ("hangs up", vec![Step::Close], 1, "failed"),
    ]
}

#[tokio::test]
async fn a_turn_is_dead_after_so_many_failures_and_can_be_queued_again() {
    for (what, script, calls, error) in failing() {
        let reader = reader();
        let app = spawn_app(|config| {
            with(&reader)(config);
            config.memory.extract.max_attempts = 2;
        })
        .await;
        reader.always(script);
        app.ask("ada", "we settled down in Berlin").await.unwrap();
        idle(&app);
        let failures = |count: u64| {
            let app = &app;
            async move {
                loop {
                    let health: Value = app.get("/health").await.json().await.unwrap();
                    if health["extraction"]["failures"].as_u64() >= Some(count) {
                        return health;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        let health = failures(1).await;
        let last = health["extraction"]["last_error"].as_str().unwrap();
        assert!(last.contains(error), "{what}: {last}");
        assert_eq!(health["status"], "ready");
        let path = "/api/v1/memory/jobs";
        let job = |state: &'static str| {
            let app = &app;
            async move {
                for _ in 0..2_000 {
                    let jobs = get(app, path, "ada").await;
                    if jobs["jobs"][0]["state"] == state {
                        return jobs["jobs"][0].clone();
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                panic!("no job is {state}");
            }
        };
        let retrying = job("retrying").await;
        assert_eq!(
            (&retrying["attempts"], &retrying["kind"]),
            (&json!(1), &json!("extract")),
            "{what}"
        );
        assert_eq!(reader.log().chats().len(), calls, "{what}");
        app.state
            .store
            .rules()
            .clock
            .advance(Duration::from_secs(31));
        let dead = job("dead").await;
        assert!(
            dead["error"].as_str().unwrap().contains(error),
            "{what}: {dead}"
        );
        assert_eq!(reader.log().chats().len(), 2 * calls, "{what}");
        all_read(&app).await;
        assert_eq!(app.profile("ada").await["preferences"], json!({}), "{what}");

        let good = fact("ADD", "city", "Berlin", "settled down in Berlin");
        reader.always(facts(json!([good])));
        let again = app
            .call("POST", &format!("{path}/requeue"), "ada", None)
            .await;
        assert_eq!(again.json::<Value>().await.unwrap(), json!({"requeued": 1}));
        all_read(&app).await;
        assert_eq!(
            identity(&app, "ada").await,
            json!({"city": "Berlin"}),
            "{what}"
        );
        assert_eq!(get(&app, path, "ada").await["jobs"], json!([]));
        let turn = dead["turn"].as_str().unwrap();
        let gone = app
            .call("POST", &format!("{path}/{turn}/requeue"), "ada", None)
            .await;
        assert_eq!(gone.status(), 404);
    }
}

#[tokio::test]
async fn prose_around_the_json_costs_nothing_and_a_bad_answer_is_repaired_once() {
    let reader = reader();
    let app = spawn_app(with(&reader)).await;
    let good = json!({"facts": [fact("ADD", "city", "Berlin", "Berlin")]}).to_string();
    let prose = format!("<think>Hm {{}}</think>Sure:\n```json\n{good}\n```\nDone.");
    reader.script(says(json!(prose), "stop"));
    say(&app, "ada", "We love Berlin a lot").await;
    assert_eq!(reader.log().chats().len(), 1);
    assert_eq!(identity(&app, "ada").await, json!({"city": "Berlin"}));

    reader.script(says(json!("{\"facts\": [{]}"), "stop"));
    reader.script(facts(json!([fact("UPDATE", "city", "Rome", "Rome")])));
    say(&app, "ada", "We love Rome even more").await;
    let log = reader.log();
    assert_eq!(log.chats().len(), 3);
    let repair = log.chats()[2].json()["messages"].clone();
    assert_eq!(repair[2]["content"], "{\"facts\": [{]}");
    assert!(repair[3]["content"].as_str().unwrap().contains("not JSON"));
    assert_eq!(identity(&app, "ada").await, json!({"city": "Rome"}));

    // A backend that knows no `response_format` is asked without one.
    reader.script(vec![Step::Write(http(
        400,
        "application/json",
        "{\"error\":{\"message\":\"x\"}}",
    ))]);
    reader.script(facts(json!([fact("UPDATE", "city", "Oslo", "Oslo")])));
    say(&app, "ada", "Now we love Oslo").await;
    assert!(
        reader.log().chats()[4]
            .json()
            .get("response_format")
            .is_none()
    );
    assert_eq!(identity(&app, "ada").await, json!({"city": "Oslo"}));
}
