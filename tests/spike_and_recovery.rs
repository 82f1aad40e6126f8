//! Spike and recovery: every backend fails everything for a while, then all are well again. Within
//! one open period the service is whole, without a restart; while it lasts, hardly anything is asked
//! of those that fail.

use crate::support::{
    App,
    answers::{chat_events, chunk, head, http, ordinary},
    spawn_app,
    upstream::{Script, Seen, Step, Upstream},
};
use futures_util::future::join_all;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use sundynix::{config::BackendConfig, pool::BreakerState};

/// Every way to fail, in turn.
fn failing(at: usize) -> Script {
    let event = format!("data: {}\n\n", chat_events("m", &["Hel"])[0]);
    match at % 4 {
        0 => vec![Step::Write(http(503, "text/plain", "overloaded"))],
        1 => vec![Step::Reset],
        2 => vec![
            head("text/event-stream"),
            Step::Write(chunk(event)),
            Step::Reset,
        ],
        _ => vec![Step::Write(http(
            200,
            "application/json",
            r#"{"error":{"message":"engine dead"}}"#,
        ))],
    }
}

struct Fleet {
    upstreams: Vec<Upstream>,
    well: Arc<AtomicBool>,
}

impl Fleet {
    fn start() -> Fleet {
        let well = Arc::new(AtomicBool::new(true));
        let upstream = |_| {
            let (well, failed) = (well.clone(), AtomicUsize::new(0));
            let upstream = Upstream::start();
            upstream.answers(move |seen: &Seen| match well.load(SeqCst) {
                true => ordinary(seen),
                false => failing(failed.fetch_add(1, SeqCst)),
            });
            upstream
        };
        let upstreams = (0..3).map(upstream).collect();
        Fleet { upstreams, well }
    }

    fn asked(&self) -> usize {
        let chats = |u: &Upstream| u.log().chats().len();
        self.upstreams.iter().map(chats).sum()
    }

    async fn app(&self, breaker: Duration, most: Duration, wait: Duration) -> App {
        let backend = |(at, upstream): (usize, &Upstream)| BackendConfig {
            name: format!("b{at}"),
            url: upstream.openai(),
            models: vec!["m".into()],
            ..BackendConfig::default()
        };
        let backends = self.upstreams.iter().enumerate().map(backend).collect();
        spawn_app(|c| {
            c.backend = backends;
            c.pool.breaker_ms = breaker.as_millis() as u64;
            c.pool.breaker_most_ms = most.as_millis() as u64;
            c.pool.queue_wait_ms = wait.as_millis() as u64;
        })
        .await
    }
}

/// Whether one chat was answered, wholly.
async fn asks(app: &App) -> bool {
    let body = json!({"model": "m", "stream": true,
        "messages": [{"role": "user", "content": "hi"}]});
    let body = Some(body);
    let answer = app.client();
    let answer = answer.call("POST", "/v1/chat/completions", "ada", body);
    let answer = answer.await;
    answer.status() == 200
        && answer
            .text()
            .await
            .is_ok_and(|text| text.ends_with("data: [DONE]\n\n"))
}

async fn burst(app: &App, count: usize) -> usize {
    let all = join_all((0..count).map(|_| asks(app))).await;
    all.into_iter().filter(|good| *good).count()
}

/// Clients that ask again and again for so long; how many they asked, and were answered.
async fn load(app: &App, during: Duration) -> (usize, usize) {
    let until = Instant::now() + during;
    let client = || async {
        let (mut asked, mut good) = (0, 0);
        while Instant::now() < until {
            asked += 1;
            good += usize::from(asks(app).await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        (asked, good)
    };
    let all = join_all((0..16).map(|_| client())).await;
    all.into_iter()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

fn breakers(app: &App) -> Vec<BreakerState> {
    let status = app.state.pool.status();
    status.iter().map(|s| s.condition.breaker).collect()
}

/// How long the longest open period still is.
fn left(app: &App) -> Duration {
    let status = app.state.pool.status();
    let left = status.iter().filter_map(|s| s.condition.breaker_open_s);
    Duration::from_secs(left.max().unwrap_or_default())
}

#[tokio::test]
async fn one_open_period_after_a_spike_the_service_is_whole() {
    let fleet = Fleet::start();
    let most = Duration::from_millis(800);
    let app = fleet
        .app(Duration::from_millis(200), most, Duration::from_secs(60))
        .await;
    assert_eq!(burst(&app, 30).await, 30, "all is well");
    fleet.well.store(false, SeqCst);
    let before = fleet.asked();
    let (asked, good) = load(&app, Duration::from_secs(3)).await;
    assert_eq!(good, 0, "nothing was answered while all failed");
    app.until(|| app.state.inflight() == 0).await;
    let sent = fleet.asked() - before;
    assert!(asked > sent, "{sent} of {asked} went to backends that fail");
    fleet.well.store(true, SeqCst);
    // Nothing has failed since: the last period has ended by now, and nobody asked for it to.
    tokio::time::sleep(most).await;
    assert_eq!(burst(&app, 60).await, 60, "whoever comes is answered");
    assert_eq!(breakers(&app), [BreakerState::Closed; 3]);
    for status in app.state.pool.status() {
        let routable = (status.condition.routable, status.condition.why_not);
        assert_eq!(routable, (true, None));
        assert_eq!((status.in_flight, status.waiting), (0, 0));
    }
}

/// With the periods as they are by default: half a minute of failure.
#[tokio::test]
#[ignore = "takes a minute; `make soak` runs it"]
async fn soak_half_a_minute_of_failure() {
    let fleet = Fleet::start();
    let (first, most) = (Duration::from_secs(10), Duration::from_secs(60));
    let app = fleet.app(first, most, Duration::from_secs(10)).await;
    assert_eq!(burst(&app, 30).await, 30, "all is well");
    fleet.well.store(false, SeqCst);
    let before = fleet.asked();
    let during = Duration::from_secs(30);
    // Its clients go on until they have been told.
    let recover = async {
        tokio::time::sleep(during).await;
        fleet.well.store(true, SeqCst);
        (Instant::now(), left(&app), fleet.asked() - before)
    };
    let ((asked, _), (well, left, sent)) = tokio::join!(load(&app, during), recover);
    while burst(&app, 60).await < 60 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = well.elapsed();
    println!(
        "30 s of failure: {sent} requests sent to backends for {asked} of clients; whole again \
         {took:.1?} after the backends were, {left:?} of the open period being left then"
    );
    assert!(took <= left + Duration::from_secs(5), "{took:?} {left:?}");
}
