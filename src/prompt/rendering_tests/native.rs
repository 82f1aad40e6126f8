//! The request of a native task.

use super::*;

#[test]
fn a_native_task_is_built() {
    let user = resident(
        ADA,
        &[("t1", "old question", "old answer"), ("t2", "nothing", "")],
    );
    let params = json!({"temperature": 0.5, "max_tokens": 9});
    let ask = || native("why?", Some("Be brief."), params.clone());
    let (request, report) = Scene::new().write(ask(), recall(&user, Some("c")));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (&body["temperature"], &body["max_tokens"]),
        (&json!(0.5), &json!(9))
    );
    assert_eq!(
        (&body["model"], &body["stream"]),
        (&json!("m"), &json!(true))
    );
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    let said = messages(&request);
    assert!(
        content(&said[0]).starts_with("Be brief.\n\n") && content(&said[0]).contains("name: Ada")
    );
    assert_eq!(said[1], json!({"role": "user", "content": "old question"}));
    assert_eq!(
        said[2],
        json!({"role": "assistant", "content": "old answer"})
    );
    assert!(
        content(&said[3]).contains("user: nothing") && content(&said[3]).ends_with(">\n\nwhy?")
    );
    let ids: Vec<&str> = report.items.iter().map(|(id, ..)| &**id).collect();
    assert_eq!(ids, ["t2", "t1"]);
    let plain: Value = serde_json::from_slice(&request.unedited.unwrap()).unwrap();
    assert_eq!(plain["messages"].as_array().unwrap().len(), 2);
    let (request, _) = Scene::new().write(
        native("why?", None, json!({})),
        Recall::none(RecallState::Off),
    );
    assert_eq!(
        messages(&request),
        [json!({"role": "user", "content": "why?"})]
    );
    for (own, field) in [
        ("model", "params.model"),
        ("stream", "params.stream"),
        ("messages", "params.messages"),
    ] {
        let Ask::Native(task) = native("q", None, json!({own: 1})) else {
            unreachable!()
        };
        assert_eq!(task.check().unwrap_err().field(), Some(field));
    }
}
