//! The load generator: `load '{…}'` runs one [`Job`] and prints one line of JSON. Every answer is
//! checked in full. Counters, CPU time and memory of the server are read at both edges of the
//! window, so that the quotient is what a request or a token costs.

mod answer;
mod client;
mod job;
mod process;

use answer::ask;
use client::Connection;
use job::{Job, Mode, Plan};
use process::usage;
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    task::{LocalSet, spawn_local},
    time::{sleep, timeout},
};

/// How long answers that have begun may take to end once the window is over.
const DRAIN: Duration = Duration::from_secs(15);
/// The longest ramp of streams that stay open.
const RAMP: Duration = Duration::from_secs(60);

/// What came of it so far.
#[derive(Default)]
pub struct Tally {
    /// Times count.
    on: bool,
    stop: bool,
    answers: u64,
    tokens: u64,
    /// Streams that have had a first token.
    begun: u64,
    errors: u64,
    first_error: Option<String>,
    latency: Vec<u32>,
    first: Vec<u32>,
    gap: Vec<u32>,
}

impl Tally {
    fn answered(&mut self, took: Duration) {
        self.answers += 1;
        if self.on {
            self.latency.push(micros(took));
        }
    }

    fn token(&mut self, first: bool, wait: Duration) {
        self.tokens += 1;
        self.begun += u64::from(first);
        if self.on {
            let times = if first {
                &mut self.first
            } else {
                &mut self.gap
            };
            times.push(micros(wait));
        }
    }

    fn failed(&mut self, error: String) {
        self.errors += 1;
        let short = || error.chars().take(300).collect();
        self.first_error.get_or_insert_with(short);
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

fn main() -> ExitCode {
    let result = std::env::args()
        .nth(1)
        .ok_or("usage: load JSON".to_owned())
        .and_then(|job| serde_json::from_str::<Job>(&job).map_err(|e| e.to_string()))
        .and_then(Plan::of)
        .and_then(|plan| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.map_err(|e| e.to_string())?;
            LocalSet::new().block_on(&runtime, run(Rc::new(plan)))
        });
    match result {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(plan: Rc<Plan>) -> Result<Value, String> {
    let job = &plan.job;
    let hold = job.mode == Mode::Hold;
    // Of a stream that stays open, the time to the first token is during the ramp.
    let tally = Rc::new(RefCell::new(Tally {
        on: hold,
        ..Tally::default()
    }));
    let idle = usage(&job.pids)?;
    let workers: Vec<_> = (0..job.connections)
        .map(|i| {
            let delay = Duration::from_secs_f64(i as f64 / job.ramp);
            spawn_local(worker(plan.clone(), tally.clone(), delay))
        })
        .collect();
    if hold {
        let ramp = Instant::now();
        let all = |t: &Tally| t.begun + t.errors >= job.connections as u64;
        while !all(&tally.borrow()) && ramp.elapsed() < RAMP {
            sleep(Duration::from_millis(20)).await;
        }
    } else {
        sleep(Duration::from_secs_f64(job.connections as f64 / job.ramp)).await;
    }
    sleep(Duration::from_secs_f64(job.warmup)).await;

    let counts = |t: &Tally| (t.answers, t.tokens);
    tally.borrow_mut().on = true;
    let (before, from) = (counts(&tally.borrow()), usage(&job.pids)?);
    let start = Instant::now();
    sleep(Duration::from_secs_f64(job.window)).await;
    let (after, to) = (counts(&tally.borrow()), usage(&job.pids)?);
    let seconds = start.elapsed().as_secs_f64();
    tally.borrow_mut().on = false;
    tally.borrow_mut().stop = true;
    let cut = drain(workers, hold).await;
    for _ in 0..cut {
        tally.borrow_mut().failed("an answer did not end".into());
    }

    let tally = &mut *tally.borrow_mut();
    let cpu_us = to.cpu_us - from.cpu_us;
    let (answers, tokens) = ((after.0 - before.0) as f64, (after.1 - before.1) as f64);
    let each = |n: f64| (n > 0.0).then(|| cpu_us / n);
    Ok(json!({
        "answers_per_s": answers / seconds,
        "tokens_per_s": tokens / seconds,
        "us_per_request": each(answers),
        "us_per_token": each(tokens),
        "cores": cpu_us / 1e6 / seconds,
        "latency_us": quantiles(&mut tally.latency),
        "first_token_us": quantiles(&mut tally.first),
        "gap_us": quantiles(&mut tally.gap),
        "answered": tally.answers,
        "open": tally.begun,
        "rss_idle_kib": idle.rss_kib,
        "rss_kib": to.rss_kib,
        "kib_per_stream": (to.rss_kib - idle.rss_kib) / job.connections as f64,
        "errors": tally.errors,
        "first_error": tally.first_error,
    }))
}

/// One connection, one request after the other.
async fn worker(plan: Rc<Plan>, tally: Rc<RefCell<Tally>>, delay: Duration) {
    sleep(delay).await;
    let mut connection = None;
    while !tally.borrow().stop {
        let mut own = match connection.take() {
            Some(own) => Ok(own),
            None => Connection::open(&plan.job.address).await,
        };
        let kept = match &mut own {
            Ok(own) => ask(&plan, &tally, own).await,
            Err(error) => Err(error.clone()),
        };
        match kept {
            Ok(true) => connection = own.ok(),
            Ok(false) => {}
            Err(error) => {
                tally.borrow_mut().failed(error);
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Lets what has begun come to its end, or hangs up where there is none; how many answers were due
/// and did not end.
async fn drain(workers: Vec<tokio::task::JoinHandle<()>>, hold: bool) -> usize {
    let end = Instant::now() + if hold { Duration::ZERO } else { DRAIN };
    let mut cut = 0;
    for mut worker in workers {
        let left = end.saturating_duration_since(Instant::now());
        if timeout(left, &mut worker).await.is_err() {
            worker.abort();
            cut += usize::from(!hold);
        }
    }
    cut
}

fn quantiles(times: &mut [u32]) -> Value {
    times.sort_unstable();
    let at = |q: f64| times.get((times.len() as f64 * q) as usize);
    json!({"p50": at(0.50), "p99": at(0.99), "n": times.len()})
}
