//! A profile that is too large for its part of the prompt: that part stays the same whatever is
//! asked, and what is asked for stands before the question.

use super::*;

/// Values, several times as many tokens as there are for them.
const MANY: usize = 190;

/// Puts them: numbered places, the oldest of which are not in the system message.
async fn put(app: &App) {
    for half in 0..2 {
        let mut places = serde_json::Map::new();
        for number in (half * MANY / 2)..((half + 1) * MANY / 2) {
            let key = format!("neighbour_{number:03}");
            let value = format!("lives at {number} Canal Street and keeps bees");
            places.insert(key, value.into());
        }
        let mut topics = json!({"people": places});
        if half == 0 {
            topics["health"] = json!({"allergy": "花生和坚果"});
            topics["work"] = json!({"instrument_of_choice": "the cello, a Goffriller of 1710"});
        }
        let put = json!({"preferences": topics});
        let set = app.call("PUT", "/api/v1/memory", "ada", Some(put)).await;
        assert_eq!(set.status(), 200);
    }
}

/// The system message and the question's, as the backend saw them.
async fn ask(app: &App, upstream: &Upstream, question: &str) -> (String, String) {
    let messages = [
        json!({"role": "system", "content": SYSTEM}),
        json!({"role": "user", "content": question}),
    ];
    post(app, question, &messages, "read").await;
    let body: Value = serde_json::from_slice(&last(upstream)).unwrap();
    let content = |at: usize| body["messages"][at]["content"].as_str().unwrap().to_owned();
    (content(0), content(1))
}

#[tokio::test]
async fn what_is_asked_for_stands_before_the_question_and_the_rest_stays_the_same() {
    let (upstream, url) = (Upstream::start(), postgres::database());
    let one = spawn_app(at(&upstream, &url)).await;
    let two = spawn_app(at(&upstream, &url)).await;
    put(&one).await;
    let mut stable = None;
    for (question, wanted) in [
        ("Which instrument do I like best?", "Goffriller"),
        ("我对什么过敏？", "花生和坚果"),
        ("Where does neighbour 017 live?", "at 17 Canal Street"),
    ] {
        let (system, asked) = ask(&one, &upstream, question).await;
        assert!(system.contains("<user_profile "), "{system}");
        assert!(
            !system.contains(wanted),
            "it is no test if it is there: {system}"
        );
        assert_eq!(*stable.get_or_insert(system.clone()), system);
        assert!(asked.contains(wanted), "{asked}");
        assert!(
            asked.contains("<user_profile ") && asked.ends_with(question),
            "{asked}"
        );
        assert_eq!(ask(&two, &upstream, question).await, (system, asked));
    }
    let (system, asked) = ask(&one, &upstream, "xyzzy").await;
    assert_eq!((Some(system), &*asked), (stable, "xyzzy"));
}

#[tokio::test]
async fn turns_begin_as_the_turn_before() {
    let upstream = Upstream::start();
    let app = spawn_app(at(&upstream, "")).await;
    put(&app).await;
    let (mut talk, mut sent) = (Talk::new(), Vec::new());
    for _ in 0..6 {
        sent.push(talk.turn(&app, &upstream).await);
    }
    sent.windows(2).for_each(|two| goes_on(&two[0], &two[1]));
}
