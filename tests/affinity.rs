//! A conversation goes on where its prefix is, as long as that backend has no more than its share;
//! and a backend that comes takes only its own.

use crate::support::{
    server::spawn_app,
    upstream::{Upstream, http},
};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};
use sundynix::{
    config::{BackendConfig, Config, DialectName, Policy},
    pool::{BackendId, Client, Lease, Pool, Want, affinity},
};

fn one(name: &str) -> BackendConfig {
    BackendConfig {
        name: name.into(),
        dialect: Some(DialectName::Simulator),
        models: vec!["m".into()],
        ..BackendConfig::default()
    }
}

fn pool(count: usize) -> Arc<Pool> {
    let config = Config {
        backend: (0..count).map(|n| one(&format!("b{n}"))).collect(),
        ..Config::default()
    };
    Pool::new(&config).unwrap()
}

fn lease(pool: &Pool, conversation: usize) -> Lease {
    let want = Want {
        model: "m",
        affinity: Some(affinity(conversation)),
        tried: &[],
    };
    pool.place(want).unwrap().unwrap()
}

/// 100 conversations of 20 turns, so many under way at once: which backend each turn went to, and
/// the most that one backend had, beside its fair share.
fn run(pool: &Pool, at_once: usize) -> (Vec<Vec<BackendId>>, f64) {
    let (mut went, mut most) = (vec![Vec::new(); 100], 0.0_f64);
    for _turn in 0..20 {
        let all: Vec<usize> = (0..100).collect();
        for some in all.chunks(at_once) {
            let leases: Vec<_> = some.iter().map(|c| (*c, lease(pool, *c))).collect();
            let loads: Vec<_> = pool.status().iter().map(|s| s.in_flight).collect();
            let share = leases.len() as f64 / loads.len() as f64;
            most = most.max(loads.into_iter().max().unwrap() as f64 / share);
            for (conversation, mut lease) in leases {
                went[conversation].push(lease.backend().id);
                lease.answered();
                lease.good();
            }
        }
    }
    (went, most)
}

#[tokio::test(start_paused = true)]
async fn turns_land_where_their_prefix_is_and_load_stays_within_the_bound() {
    for at_once in [1, 4, 10, 20, 50, 100] {
        let (went, most) = run(&pool(4), at_once);
        let hits: usize = went
            .iter()
            .map(|turns| {
                // The first turn's prefix is nowhere yet.
                (1..turns.len())
                    .filter(|n| turns[..*n].contains(&turns[*n]))
                    .count()
            })
            .sum();
        let share = hits as f64 / (100.0 * 19.0);
        println!(
            "{at_once} at once: {:.1} % at their prefix, the fullest had {most:.2} of its share",
            100.0 * share
        );
        assert!(share >= 0.9, "{at_once} at once: {share}");
        // Below eight a backend's bound is rounded up to whole requests.
        let rounding = if at_once < 32 {
            1.0 / (at_once as f64 / 4.0)
        } else {
            0.0
        };
        assert!(most <= 1.25 + rounding, "{at_once} at once: {most}");
    }
}

#[actix_web::test]
async fn a_backend_that_comes_moves_a_fifth_at_most() {
    let pool = pool(4);
    let homes = |pool: &Pool| {
        (0..100)
            .map(|c| lease(pool, c).backend().id)
            .collect::<Vec<_>>()
    };
    let before = homes(&pool);
    assert_eq!(before, homes(&pool));
    let (new, status) = pool.put(&Client::new(), one("b4")).await.unwrap();
    assert!(new && status.models == ["m"]);
    let after = homes(&pool);
    let moved: Vec<_> = (0..100).filter(|c| before[*c] != after[*c]).collect();
    println!("{} of 100 conversations moved", moved.len());
    assert!(!moved.is_empty() && moved.len() <= 20, "{}", moved.len());
    // And only to the newcomer.
    let newcomer = after[moved[0]];
    assert!(moved.iter().all(|c| after[*c] == newcomer) && !before.contains(&newcomer));
    // One that goes moves its own conversations only.
    pool.remove(&Client::new(), "b4").await.unwrap();
    assert_eq!(before, homes(&pool));
}

/// Which of them got the last chat.
fn last(upstreams: &[Upstream], before: &mut HashMap<usize, usize>) -> usize {
    let mut found = None;
    for (at, upstream) in upstreams.iter().enumerate() {
        let count = upstream.log().chats().len();
        if before.insert(at, count).unwrap_or_default() < count {
            assert!(found.is_none(), "one request, one backend");
            found = Some(at);
        }
    }
    found.expect("nobody was asked")
}

fn turn(messages: &[(&str, String)]) -> Value {
    let message = |(role, content): &(&str, String)| json!({"role": role, "content": content});
    let messages: Vec<_> = messages.iter().map(message).collect();
    json!({"model": "m", "messages": messages})
}

/// What a conversation is told apart by, over a real server: what the client says, or what it
/// began with.
#[tokio::test]
async fn a_conversation_is_known_by_its_beginning_its_name_or_its_cache_key() {
    let upstreams: Vec<_> = (0..4).map(|_| Upstream::start()).collect();
    let app = spawn_app(|c| {
        let backend = |(n, u): (usize, &Upstream)| BackendConfig {
            name: format!("b{n}"),
            url: u.openai(),
            ..BackendConfig::default()
        };
        c.backend = upstreams.iter().enumerate().map(backend).collect();
        // The simulator of the settings for tests is gone: models are to be asked for.
        c.pool.policy = Policy::Affinity;
    })
    .await;
    app.until(|| {
        app.state
            .pool
            .models()
            .first()
            .is_some_and(|m| m.owned_by.len() == 4)
    })
    .await;
    let mut seen = HashMap::new();
    let mut spread = std::collections::HashSet::new();
    for conversation in 0..12 {
        let mut homes = Vec::new();
        let mut messages = vec![("user", format!("question {conversation}"))];
        for step in 0..3 {
            app.chat("ada", turn(&messages)).await.unwrap().all().await;
            homes.push(last(&upstreams, &mut seen));
            messages.push(("assistant", "Hello".into()));
            messages.push(("user", format!("and {step}")));
        }
        assert!(homes.iter().all(|home| *home == homes[0]), "{homes:?}");
        spread.insert(homes[0]);
    }
    assert!(spread.len() > 1, "not all at one");
    for conversation in 0..4 {
        let mut homes = Vec::new();
        for step in 0..3 {
            let mut body = turn(&[("user", format!("{step} begins otherwise"))]);
            body["prompt_cache_key"] = format!("key {conversation}").into();
            app.chat("ada", body).await.unwrap().all().await;
            homes.push(last(&upstreams, &mut seen));
        }
        for step in 0..3 {
            let body =
                json!({"query": format!("{step}"), "conversation": format!("c{conversation}")});
            let mut events = app.task("ada", body).await.unwrap();
            while events.next().await.is_some() {}
            homes.push(last(&upstreams, &mut seen));
        }
        assert!(homes[..3].iter().all(|home| *home == homes[0]), "{homes:?}");
        assert!(homes[3..].iter().all(|home| *home == homes[3]), "{homes:?}");
    }
}

/// A backend that says that work waits in it, or that its cache is full, is left alone.
#[tokio::test]
async fn no_prefix_is_worth_a_queue() {
    let upstreams: Vec<_> = (0..2).map(|_| Upstream::start()).collect();
    let app = spawn_app(|c| {
        let backend = |(n, u): (usize, &Upstream)| BackendConfig {
            name: format!("b{n}"),
            url: u.openai(),
            ..BackendConfig::default()
        };
        c.backend = upstreams.iter().enumerate().map(backend).collect();
    })
    .await;
    app.until(|| {
        app.state
            .pool
            .models()
            .first()
            .is_some_and(|m| m.owned_by.len() == 2)
    })
    .await;
    let mut seen = HashMap::new();
    let body = turn(&[("user", "hello".into())]);
    app.chat("ada", body.clone()).await.unwrap().all().await;
    let home = last(&upstreams, &mut seen);
    let metrics = "vllm:num_requests_running 9\nvllm:num_requests_waiting 5\n";
    upstreams[home].route("/metrics", http(200, "text/plain", metrics));
    // llama.cpp without metrics is asked rarely: begin anew.
    let again = json!({"url": upstreams[home].openai(), "weight": 0, "max_concurrent": 1000});
    let put = app
        .call("PUT", &format!("/api/v1/backends/b{home}"), "", Some(again))
        .await;
    assert_eq!(put.status(), 200);
    app.until(|| app.state.pool.status()[home].condition.reported.is_some())
        .await;
    app.chat("ada", body).await.unwrap().all().await;
    assert_eq!(last(&upstreams, &mut seen), 1 - home);
}
