//! Lines against a paused clock, and under random aborts.

use crate::{
    error::Error,
    pool::{Pool, Tried, testing::pool},
};
use futures_util::{FutureExt, future::join_all};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

fn gauges(pool: &Pool) -> (usize, usize) {
    let status = pool.status();
    (status.iter().map(|s| s.in_flight).sum(), status[0].waiting)
}

#[tokio::test]
async fn first_come_first_served() {
    let pool = pool(&[1]);
    let mut held = Some(pool.lease("m", &[]).unwrap().unwrap());
    let mut line: Vec<_> = (0..5).map(|_| Box::pin(pool.queue("m", &[]))).collect();
    for waiting in &mut line {
        assert!(waiting.now_or_never().is_none());
    }
    assert_eq!(gauges(&pool), (1, 5));
    for first in 0..5 {
        drop(held.take());
        for later in &mut line[first + 1..] {
            assert!(later.now_or_never().is_none(), "nobody jumps the line");
        }
        // A newcomer does not either.
        assert!(pool.lease("m", &[]).unwrap().is_none());
        held = Some((&mut line[first]).now_or_never().unwrap().unwrap());
    }
    drop((line, held));
    assert_eq!(gauges(&pool), (0, 0));
}

#[tokio::test]
async fn whoever_leaves_is_passed_over_and_takes_nothing_along() {
    let pool = pool(&[1]);
    let held = pool.lease("m", &[]).unwrap().unwrap();
    let mut line: Vec<_> = (0..3).map(|_| Box::pin(pool.queue("m", &[]))).collect();
    for waiting in &mut line {
        assert!(waiting.now_or_never().is_none());
    }
    drop(line.remove(0));
    assert_eq!(gauges(&pool), (1, 2));
    drop(held);
    // Called, but gone before it looked.
    drop(line.remove(0));
    assert_eq!(gauges(&pool), (1, 0));
    drop(line.remove(0).now_or_never().unwrap().unwrap());
    assert_eq!(gauges(&pool), (0, 0));
}

#[tokio::test]
async fn a_waiter_is_never_given_what_failed_it() {
    let pool = pool(&[1, 1]);
    let (a, b) = (pool.lease("m", &[1]), pool.lease("m", &[0]));
    let (a, b) = (a.unwrap().unwrap(), b.unwrap().unwrap());
    let tried = [0, 1].map(Tried::all_of);
    let mut picky = Box::pin(pool.queue("m", &tried[..1]));
    let mut other = Box::pin(pool.queue("m", &[]));
    assert!((&mut picky).now_or_never().is_none());
    assert!((&mut other).now_or_never().is_none());
    drop(a);
    assert!((&mut picky).now_or_never().is_none());
    let got = (&mut other).now_or_never().unwrap().unwrap();
    assert_eq!(got.backend().id, 0);
    drop(b);
    let got = picky.now_or_never().unwrap().unwrap();
    assert_eq!(got.backend().id, 1);
    assert!(matches!(
        pool.queue("m", &tried).await,
        Err(Error::NoBackend(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_line_is_bounded_in_length_and_time() {
    let pool = pool(&[1]);
    let _held = pool.lease("m", &[]).unwrap().unwrap();
    let ended = join_all((0..11).map(|_| pool.queue("m", &[]))).await;
    let busy = |e: &Error| matches!(e, Error::Busy { what, .. } if what.contains("full"));
    let errors: Vec<_> = ended.into_iter().map(|e| e.err().unwrap()).collect();
    assert_eq!(errors.iter().filter(|e| busy(e)).count(), 1);
    assert!(errors.iter().all(|e| e.retry_after().is_some()));
    assert_eq!(gauges(&pool), (1, 0));
}

/// Who is turned away is told how long the line that is there takes.
#[tokio::test(start_paused = true)]
async fn who_comes_back_after_the_line_does_not_wait_again() {
    let pool = pool(&[1]);
    let mut held = pool.lease("m", &[]).unwrap();
    let mut line: Vec<_> = (0..10).map(|_| Box::pin(pool.queue("m", &[]))).collect();
    for waiting in &mut line {
        assert!(waiting.now_or_never().is_none());
    }
    let told = || pool.queue("m", &[]).now_or_never().unwrap().err().unwrap();
    assert_eq!(told().retry_after(), Some(1), "nothing is known yet");
    for next in &mut line[..4] {
        tokio::time::advance(Duration::from_secs(2)).await;
        drop(held.take());
        held = Some(next.now_or_never().unwrap().unwrap());
    }
    let more: Vec<_> = (0..4).map(|_| Box::pin(pool.queue("m", &[]))).collect();
    line.extend(more);
    for waiting in &mut line[10..] {
        assert!(waiting.now_or_never().is_none());
    }
    assert_eq!(
        told().retry_after(),
        Some(20),
        "ten are served, two seconds each"
    );
}

/// Random aborts over all workers: the bound holds throughout, and nothing is left over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_leaks() {
    let pool = pool(&[2, 1]);
    let (at_once, served) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let turn = |number: usize| {
        let (pool, at_once, served) = (pool.clone(), at_once.clone(), served.clone());
        tokio::spawn(async move {
            let leased = match pool.lease("m", &[]).unwrap() {
                Some(lease) => Ok(lease),
                None => pool.queue("m", &[]).await,
            };
            let Ok(lease) = leased else { return };
            assert!(at_once.fetch_add(1, SeqCst) < 3);
            for _ in 0..number % 7 {
                tokio::task::yield_now().await;
            }
            served.fetch_add(1, SeqCst);
            at_once.fetch_sub(1, SeqCst);
            drop(lease);
        })
    };
    for round in 0..200 {
        // Never more than fit into line and places.
        let turns: Vec<_> = (0..12).map(turn).collect();
        for (number, task) in turns.into_iter().enumerate() {
            let waits = Duration::from_micros(((round * 37 + number * 101) % 60) as u64);
            let gives_up = async {
                tokio::time::timeout(waits, pool.queue("m", &[])).await.ok();
            };
            gives_up.await;
            task.await.unwrap();
        }
    }
    assert_eq!(gauges(&pool), (0, 0));
    assert!(served.load(SeqCst) >= 200 * 10, "{served:?}");
}
