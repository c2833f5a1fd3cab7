//! Model checks of the cache's own shared state: the same source files, compiled once more over
//! shuttle's locks and atomics, under thousands of random schedules that shuttle can replay.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

#[path = "../src/breaker.rs"]
mod breaker;
#[path = "../src/doubt.rs"]
#[allow(clippy::clone_on_copy)] // The model's keys are numbers.
mod doubt;
#[path = "../src/flight.rs"]
mod flight;
#[path = "../src/joint.rs"]
mod joint;
#[path = "../src/order.rs"]
mod order;

/// What the files under test find in place of the cache's own `sync`.
mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }

    pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        mutex.try_lock().ok()
    }

    #[derive(Debug, Default)]
    pub(crate) struct LeadMutex<T>(Mutex<T>);

    pub(crate) type LeadGuard<'a, T> = MutexGuard<'a, T>;

    impl<T> LeadMutex<T> {
        pub(crate) fn lock_blocking(&self) -> LeadGuard<'_, T> {
            lock(&self.0)
        }

        pub(crate) fn try_lock(&self) -> Option<LeadGuard<'_, T>> {
            try_lock(&self.0)
        }

        #[allow(clippy::unused_async)]
        pub(crate) async fn lock(&self) -> LeadGuard<'_, T> {
            lock(&self.0)
        }
    }
}

/// Names as simple as can be.
type Key = u8;
type Namespace = u8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pattern(Option<Key>);

impl Pattern {
    fn all() -> Self {
        Self(None)
    }

    fn as_exact(&self) -> Option<&Key> {
        self.0.as_ref()
    }

    fn matches(&self, key: &Key) -> bool {
        self.0.is_none_or(|exact| exact == *key)
    }
}

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use doubt::{Doubts, Missed};

use breaker::{Breaker, BreakerLimits, BreakerState};
use flight::{Failure, Flights};
use order::Order;
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;
use sync::{AtomicU64, Ordering, lock};

fn check(model: impl Fn() + Send + Sync + Copy + 'static) {
    let long = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse::<usize>().ok());
    let schedules = long.map_or(1000, |cases| cases.max(10) * 10);
    shuttle::check_random(model, schedules);
    shuttle::check_pct(model, schedules, 3);
}

/// Two tiers of one key.
struct Tiers {
    order: Arc<Order<u8>>,
    above: Mutex<Option<u32>>,
    below: Mutex<Option<u32>>,
}

impl Tiers {
    fn new(below: Option<u32>) -> Arc<Self> {
        Arc::new(Self {
            order: Arc::new(Order::new()),
            above: Mutex::new(None),
            below: Mutex::new(below),
        })
    }

    fn set(&self, value: Option<u32>) {
        *lock(&self.above) = value;
        thread::yield_now();
        *lock(&self.below) = value;
    }

    fn read(&self) -> Option<u32> {
        if let Some(value) = *lock(&self.above) {
            return Some(value);
        }
        let watch = self.order.watch(&1);
        let value = *lock(&self.below);
        if value.is_some() {
            watch.repeat_unless_overtaken(|| *lock(&self.above) = value);
        }
        value
    }
}

/// Somebody who reads once.
fn reads(tiers: &Arc<Tiers>) -> Box<dyn FnOnce() + Send> {
    let reader = tiers.clone();
    Box::new(move || {
        let _ = reader.read();
    })
}

fn spawn_all(all: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = all.into_iter().map(thread::spawn).collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[test]
fn nothing_invalidated_comes_back_through_a_promotion() {
    let model = || {
        let tiers = Tiers::new(Some(1));
        let invalidates = tiers.clone();
        spawn_all(vec![
            reads(&tiers),
            reads(&tiers),
            Box::new(move || {
                invalidates
                    .order
                    .write_matching(|_| true, || invalidates.set(None));
                assert_eq!(invalidates.read(), None);
            }),
        ]);
        assert_eq!((tiers.read(), tiers.order.watched_now()), (None, 0));
    };
    check(model);
}

/// Another process removes below, and nobody hears of it.
#[test]
fn nothing_read_before_a_gap_comes_above_after_it() {
    let model = || {
        let tiers = Tiers::new(Some(1));
        let misses = tiers.clone();
        spawn_all(vec![
            reads(&tiers),
            reads(&tiers),
            Box::new(move || {
                *lock(&misses.below) = None;
                misses.order.repeat_nothing_read_so_far();
                *lock(&misses.above) = None;
            }),
        ]);
        assert_eq!((tiers.read(), tiers.order.watched_now()), (None, 0));
    };
    check(model);
}

/// Whoever does it, it begins after it was asked for, is done by one at a time, and for each once.
#[test]
fn work_that_is_done_together_begins_after_each_has_asked() {
    let model = || {
        let joint = Arc::new(joint::Joint::<u64, (u64, u64)>::default());
        let (time, done) = <(Arc<AtomicU64>, Arc<Mutex<Vec<u64>>>)>::default();
        let asks = |who| -> Box<dyn FnOnce() + Send> {
            let (joint, time, done) = (joint.clone(), time.clone(), done.clone());
            Box::new(move || {
                let before = time.fetch_add(1, Ordering::AcqRel);
                let work = |all: &[u64]| {
                    let begins = time.fetch_add(1, Ordering::AcqRel);
                    thread::yield_now();
                    lock(&done).extend(all);
                    all.iter().map(|who| (*who, begins)).collect()
                };
                let (answered, begins) = joint.ask(who, work).unwrap();
                assert_eq!(answered, who);
                assert!(begins > before, "begun at {begins}, asked at {before}");
            })
        };
        spawn_all((0..4).map(asks).collect());
        lock(&done).sort_unstable();
        assert_eq!(*lock(&done), [0, 1, 2, 3]);
    };
    check(model);
}

/// Who came later and works now does not keep those waiting whose answer is there.
#[test]
fn an_answer_is_not_waited_for_any_longer_than_its_work() {
    let model = || {
        let joint = Arc::new(joint::Joint::<u64, ()>::default());
        let (worked, changed) = <(Arc<Mutex<Vec<u64>>>, Arc<Condvar>)>::default();
        let asks = |who| -> Box<dyn FnOnce() + Send> {
            let (joint, worked, changed) = (joint.clone(), worked.clone(), changed.clone());
            Box::new(move || {
                let work = |all: &[u64]| {
                    // Goes on for as long as any of those has not been answered who came before.
                    let mut unanswered = lock(&worked);
                    while !unanswered.is_empty() {
                        unanswered = changed.wait(unanswered).unwrap();
                    }
                    unanswered.extend(all);
                    vec![(); all.len()]
                };
                joint.ask(who, work).unwrap();
                lock(&worked).retain(|other| *other != who);
                changed.notify_all();
            })
        };
        spawn_all((0..4).map(asks).collect());
    };
    check(model);
}

/// A sweep holds no turns; what it sweeps is written before or after it in both tiers, and what was
/// fetched before it is not written at all.
#[test]
fn a_sweep_and_writes_of_what_it_sweeps_are_one_after_another() {
    let model = || {
        let tiers = Tiers::new(Some(1));
        let (writer, fetcher, sweeper) = (tiers.clone(), tiers.clone(), tiers.clone());
        let swept = Arc::new(Mutex::new(false));
        let is_swept = swept.clone();
        let fetched = tiers.order.watch(&1);
        spawn_all(vec![
            Box::new(move || writer.order.write(&[1], || writer.set(Some(2)))),
            Box::new(move || {
                let stored = fetched.write_unless_overtaken(|| {
                    assert!(!*lock(&is_swept), "stored although it was removed");
                    fetcher.set(Some(3));
                });
                drop((stored, fetched));
            }),
            Box::new(move || {
                let sweep = || {
                    sweeper.set(None);
                    *lock(&swept) = true;
                };
                sweeper.order.write_matching(|name| *name == 1, sweep);
            }),
        ]);
        let below = *lock(&tiers.below);
        assert_eq!(*lock(&tiers.above), below, "the tiers differ");
        assert!(matches!(below, None | Some(2)), "{below:?}");
        assert_eq!(tiers.order.watched_now(), 0);
    };
    check(model);
}

#[test]
fn nothing_newer_is_replaced_by_a_promotion() {
    let model = || {
        let tiers = Tiers::new(Some(1));
        let writer = tiers.clone();
        spawn_all(vec![
            reads(&tiers),
            Box::new(move || {
                writer.order.write(&[1], || writer.set(Some(2)));
                assert_eq!(writer.read(), Some(2));
            }),
        ]);
        assert_eq!(tiers.read(), Some(2));
    };
    check(model);
}

#[test]
fn nothing_newer_is_replaced_by_a_slower_fetch() {
    let model = || {
        let tiers = Tiers::new(Some(1));
        let (writer, fetcher) = (tiers.clone(), tiers.clone());
        let fetched = Arc::new(Mutex::new(None));
        let stored = Arc::clone(&fetched);
        spawn_all(vec![
            Box::new(move || writer.order.write(&[1], || writer.set(Some(2)))),
            Box::new(move || {
                let watch = fetcher.order.watch(&1);
                let before = *lock(&fetcher.below);
                let done = watch.write_unless_overtaken(|| fetcher.set(Some(3)));
                *lock(&stored) = done.map(|()| before);
            }),
        ]);
        // What was fetched is the last only if it was fetched after the other was written.
        let (above, below) = (*lock(&tiers.above), *lock(&tiers.below));
        assert_eq!(above, below);
        match *lock(&fetched) {
            Some(Some(2)) => assert_eq!(below, Some(3)),
            _ => assert_eq!(below, Some(2)),
        }
    };
    check(model);
}

/// Removed once it is known at AWS that nothing is there any more; a fetch that asked before, and readers of both
/// tiers, are under way. Whoever reads after the removal finds nothing of before, and so it stays.
fn invalidate_against_fetch_against_read(fetch: fn(&Tiers, &dyn Fn() -> u32)) {
    const OLD: u32 = 1;
    let model = move || {
        let tiers = Tiers::new(Some(OLD));
        // What AWS would answer at this moment.
        let at_aws = Arc::new(Mutex::new(OLD));
        let (fetcher, remover, reader) = (tiers.clone(), tiers.clone(), tiers.clone());
        let (asked, changed) = (at_aws.clone(), at_aws);
        let is_removed = Arc::new(Mutex::new(false));
        let removed = is_removed.clone();
        spawn_all(vec![
            Box::new(move || fetch(&fetcher, &|| *lock(&asked))),
            Box::new(move || {
                *lock(&changed) = 2;
                thread::yield_now();
                remover.order.write(&[1], || remover.set(None));
                *lock(&removed) = true;
                assert_ne!(remover.read(), Some(OLD), "came back to who removed it");
            }),
            Box::new(move || {
                for _ in 0..2 {
                    let after = *lock(&is_removed);
                    let read = reader.read();
                    assert!(!after || read != Some(OLD), "came back to another");
                }
            }),
        ]);
        assert_ne!(*lock(&tiers.above), Some(OLD), "came back above");
        assert_ne!(*lock(&tiers.below), Some(OLD), "came back below");
        assert_eq!(tiers.order.watched_now(), 0);
    };
    check(model);
}

#[test]
fn nothing_invalidated_comes_back_through_a_fetch_or_a_read() {
    invalidate_against_fetch_against_read(|tiers, ask| {
        let watch = tiers.order.watch(&1);
        let answer = ask();
        thread::yield_now();
        watch.write_unless_overtaken(|| tiers.set(Some(answer)));
    });
}

/// Stored whatever has happened meanwhile, it comes back: the model notices.
#[test]
#[should_panic(expected = "came back")]
fn of_a_fetch_that_is_not_watched_the_model_notices() {
    invalidate_against_fetch_against_read(|tiers, ask| {
        let answer = ask();
        thread::yield_now();
        tiers.order.write(&[1], || tiers.set(Some(answer)));
    });
}

#[test]
fn one_of_many_leads_and_no_lane_is_left() {
    let model = || {
        let flights = Arc::new(Flights::<u8, u32>::new());
        let (value, computed) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(0)));
        let caller = |fails: bool| -> Box<dyn FnOnce() + Send> {
            let (flights, value, computed) = (flights.clone(), value.clone(), computed.clone());
            Box::new(move || {
                let ticket = flights.join(&1, Duration::ZERO);
                let mut lead = ticket.lead_blocking();
                if lock(&value).is_some() || fails {
                    return; // Served, or cancelled.
                }
                thread::yield_now();
                *lock(&computed) += 1;
                *lock(&value) = Some(1);
                lead.succeeded(None);
            })
        };
        spawn_all(vec![caller(false), caller(true), caller(false)]);
        assert_eq!((*lock(&computed), flights.len()), (1, 0));
    };
    check(model);
}

#[test]
fn a_failure_is_seen_by_all_who_waited() {
    let model = || {
        let flights = Arc::new(Flights::<u8, u32>::new());
        let computed = Arc::new(Mutex::new(0));
        let caller = || -> Box<dyn FnOnce() + Send> {
            let (flights, computed) = (flights.clone(), computed.clone());
            Box::new(move || {
                let ticket = flights.join(&1, Duration::ZERO);
                let mut lead = ticket.lead_blocking();
                if lead.recent_failure(Duration::ZERO).is_none() {
                    *lock(&computed) += 1;
                    lead.failed(Failure {
                        message: "down".into(),
                        until: Duration::from_secs(1),
                    });
                }
            })
        };
        spawn_all(vec![caller(), caller(), caller()]);
        assert_eq!(*lock(&computed), 1);
    };
    check(model);
}

#[test]
fn one_probe_at_a_time() {
    let model = || {
        let limits = BreakerLimits {
            failures: 1,
            pause: Duration::from_secs(60),
        };
        let breaker = Arc::new(Breaker::new(limits));
        breaker
            .admit(|| Duration::ZERO)
            .unwrap()
            .failed(Duration::ZERO);
        assert_eq!(breaker.state(), BreakerState::Open);
        let probing = Arc::new(Mutex::new((0, 0)));
        let late = Duration::from_secs(60);
        let caller = || -> Box<dyn FnOnce() + Send> {
            let (breaker, probing) = (breaker.clone(), probing.clone());
            Box::new(move || {
                if let Some(pass) = breaker.admit(|| late) {
                    {
                        let mut probing = lock(&probing);
                        probing.0 += 1;
                        probing.1 += 1;
                        assert_eq!(probing.0, 1, "two probes at once");
                    }
                    thread::yield_now();
                    lock(&probing).0 -= 1;
                    pass.failed(late);
                }
            })
        };
        spawn_all(vec![caller(), caller(), caller()]);
        assert_eq!((lock(&probing).1, breaker.state()), (1, BreakerState::Open));
    };
    check(model);
}

/// The tier missed a removal. While it is healed it is read and written; what was to be removed does
/// not come back by a reader who asked before, and what is written since stays.
#[test]
fn nothing_invalidated_comes_back_through_healing() {
    let model = || {
        let (tiers, doubts) = (Tiers::new(Some(1)), Arc::new(Doubts::default()));
        tiers.order.write(&[1], || {
            doubts.add(0, Pattern(Some(1)), Missed::Removal);
        });
        let read = |tiers: &Tiers, doubts: &Doubts| {
            let watch = tiers.order.watch(&1);
            let trust = doubts.trust(&0, &1);
            let found = *lock(&tiers.below);
            let found = found.filter(|_| trust.in_what_was_written(SystemTime::UNIX_EPOCH));
            if found.is_some() {
                watch.repeat_unless_overtaken(|| *lock(&tiers.above) = found);
            }
            found
        };
        let (reader, reads) = (tiers.clone(), doubts.clone());
        let (healer, heals) = (tiers.clone(), doubts.clone());
        let (writer, writes) = (tiers.clone(), doubts.clone());
        spawn_all(vec![
            Box::new(move || {
                for _ in 0..2 {
                    assert_ne!(read(&reader, &reads), Some(1));
                }
            }),
            Box::new(move || {
                for doubt in heals.all() {
                    let covered = doubt.clone();
                    healer.order.write_matching(
                        move |name| covered.covers(&0, name),
                        || {
                            heals.heal(&doubt, |_| {
                                *lock(&healer.below) = None;
                                true
                            });
                        },
                    );
                }
            }),
            Box::new(move || {
                writer.order.write(&[1], || {
                    *lock(&writer.below) = Some(2);
                    writes.settle(&0, &1);
                });
            }),
        ]);
        assert_ne!(*lock(&tiers.above), Some(1));
        assert_eq!(read(&tiers, &doubts), Some(2));
    };
    check(model);
}

/// With nowhere to store it, the answer of one leader is that of all who joined before it was there.
#[test]
fn who_waited_for_a_leader_has_its_answer() {
    let model = || {
        let flights = Arc::new(Flights::<u8, u32>::new());
        let computed = Arc::new(Mutex::new(0));
        let caller = |ticketed: Arc<Mutex<Vec<bool>>>| -> Box<dyn FnOnce() + Send> {
            let (flights, computed) = (flights.clone(), computed.clone());
            Box::new(move || {
                let ticket = flights.join(&1, Duration::ZERO);
                let was_before = *lock(&computed) == 0;
                lock(&ticketed).push(was_before);
                let mut lead = ticket.lead_blocking();
                let answer = lead.answer();
                if was_before && *lock(&computed) > 0 {
                    assert_eq!(answer, Some(7), "joined before anything was computed");
                }
                if answer.is_none() {
                    *lock(&computed) += 1;
                    thread::yield_now();
                    lead.succeeded(flights.joined_by_now(&1).map(|below| (below, 7)));
                }
            })
        };
        let ticketed = Arc::new(Mutex::new(Vec::new()));
        spawn_all((0..3).map(|_| caller(ticketed.clone())).collect());
        assert_eq!(flights.len(), 0);
        if lock(&ticketed).iter().all(|before| *before) {
            assert_eq!(*lock(&computed), 1);
        }
    };
    check(model);
}
