//! Lines: where all backends of a model are full, its turns stand in one line, first come first
//! served, whichever worker they came in at. Dropping the future leaves the line; a place that
//! was being handed over just then goes to the next.

use super::{
    Lease, Tried,
    catalog::Leg,
    places::{Places, Want},
};
use crate::error::Error;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// One that waits.
pub(super) struct Waiter {
    tried: Vec<Tried>,
    /// Told where it may go, or why it may go nowhere.
    told: oneshot::Sender<Result<Lease, Error>>,
}

/// One line a model, in order of arrival.
#[derive(Default)]
pub(super) struct Lines {
    lines: HashMap<Arc<str>, BTreeMap<u64, Waiter>>,
    /// How fast each model's line moves.
    paces: HashMap<Arc<str>, Pace>,
    arrivals: u64,
}

/// How fast a line moves.
struct Pace {
    /// When somebody was called last, or the line began.
    since: Instant,
    /// From one call to the next, lately; `None`: nobody has been called yet.
    every: Option<Duration>,
}

/// Nobody in a line that crawls is told to come back later than this.
const LONGEST: Duration = Duration::from_secs(60);

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn waiting(&self, serves: impl Fn(&str) -> bool) -> usize {
        let served = self.lines.iter().filter(|(model, _)| serves(model));
        served.map(|(_, line)| line.len()).sum()
    }

    fn len(&self, model: &str) -> usize {
        self.lines.get(model).map_or(0, BTreeMap::len)
    }

    fn join(&mut self, model: &str, waiter: Waiter) -> u64 {
        self.arrivals += 1;
        let line = self.lines.entry(model.into()).or_default();
        if line.is_empty() {
            let every = self.paces.get(model).and_then(|pace| pace.every);
            let since = Instant::now();
            self.paces.insert(model.into(), Pace { since, every });
        }
        line.insert(self.arrivals, waiter);
        self.arrivals
    }

    /// How long until a line as it is now has been served, by its pace.
    fn served_in(&self, model: &str) -> Duration {
        let every = self.paces.get(model).and_then(|pace| pace.every);
        let waiting = u32::try_from(self.len(model)).unwrap_or(u32::MAX);
        let all = every.unwrap_or_default().saturating_mul(waiting);
        all.min(LONGEST)
    }

    /// Takes one out who may go somewhere.
    pub(super) fn call(&mut self, model: &str, number: u64) -> Option<Waiter> {
        let waiter = self.leave(model, number)?;
        if let Some(pace) = self.paces.get_mut(model) {
            let now = Instant::now();
            let took = now.saturating_duration_since(pace.since);
            // The last few count most.
            let every = pace.every.map_or(took, |every| (every * 3 + took) / 4);
            (pace.since, pace.every) = (now, Some(every));
        }
        Some(waiter)
    }

    fn leave(&mut self, model: &str, number: u64) -> Option<Waiter> {
        let line = self.lines.get_mut(model)?;
        let waiter = line.remove(&number);
        if line.is_empty() {
            self.lines.remove(model);
        }
        waiter
    }

    /// The longest waiting that may go somewhere: its number, its model, and where.
    pub(super) fn first<'a>(
        &self,
        to: impl Fn(&str, &[Tried]) -> Option<&'a Leg>,
    ) -> Option<(u64, Arc<str>, &'a Leg)> {
        // Where nobody could go, nobody who has been somewhere already can.
        let open = self
            .lines
            .iter()
            .filter(|(model, _)| to(model, &[]).is_some());
        let first = open.filter_map(|(model, line)| {
            let mut able = line.iter();
            able.find_map(|(number, waiter)| {
                Some((*number, model.clone(), to(model, &waiter.tried)?))
            })
        });
        first.min_by_key(|(number, ..)| *number)
    }

    /// Whoever can go nowhere any more is told why.
    pub(super) fn turn_away(&mut self, why: impl Fn(&str, &[Tried]) -> Option<Error>) {
        let told = self.lines.iter().flat_map(|(model, line)| {
            let told = |(number, waiter): (&u64, &Waiter)| {
                Some((model.clone(), *number, why(model, &waiter.tried)?))
            };
            line.iter().filter_map(told)
        });
        for (model, number, why) in told.collect::<Vec<_>>() {
            if let Some(waiter) = self.leave(&model, number) {
                waiter.tell(Err(why));
            }
        }
    }
}

impl Waiter {
    /// The receiver lives until its entry is out of the line, so it is there; a receiver dropped
    /// later gives a place back by dropping it.
    pub(super) fn tell(self, told: Result<Lease, Error>) {
        let _ = self.told.send(told);
    }
}

/// Leaves the line when dropped.
struct Standing<'a> {
    places: &'a Arc<Places>,
    model: &'a str,
    number: u64,
}

impl Standing<'_> {
    /// False: it has been called already.
    fn leave(&self) -> bool {
        let mut load = self.places.lock();
        load.lines.leave(self.model, self.number).is_some()
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Stands in the model's line until a place is free.
pub(super) async fn stand(
    places: &Arc<Places>,
    (most, wait): (usize, Duration),
    model: &str,
    tried: &[Tried],
) -> Result<Lease, Error> {
    // Who comes back before those who wait have been served only waits again.
    let busy = |what, wait: Duration| Error::Busy {
        what,
        retry_after: wait.as_secs_f64().ceil().max(1.0) as u32,
    };
    let want = Want {
        model,
        // Whatever comes free first.
        affinity: None,
        tried,
    };
    let (told, mut called) = oneshot::channel();
    let number = {
        let mut load = places.lock();
        // A place may have come free since the caller looked.
        if let Some(lease) = places.take(&mut load, want)? {
            return Ok(lease);
        }
        if load.lines.len(model) >= most {
            return Err(busy(
                "every backend of this model is busy and its queue is full",
                load.lines.served_in(model),
            ));
        }
        let tried = tried.to_vec();
        load.lines.join(model, Waiter { tried, told })
    };
    // Declared after the channel, so dropped before it: out of the line first, then deaf.
    let standing = Standing {
        places,
        model,
        number,
    };
    let told = match tokio::time::timeout(wait, &mut called).await {
        Ok(told) => told.ok(),
        // Where nobody is there any more, that is what is to be told.
        Err(_) if standing.leave() => places.take(&mut places.lock(), want)?.map(Ok),
        // Called at the last moment.
        Err(_) => called.try_recv().ok(),
    };
    told.unwrap_or_else(|| {
        let wait = places.lock().lines.served_in(model);
        Err(busy("every backend of this model stayed busy", wait))
    })
}

#[cfg(test)]
mod tests {
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
}
