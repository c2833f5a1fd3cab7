//! Leases: who computes a value, until when. A row, which lives by signs of life, so that another process
//! takes over soon after the holder was killed; it may be lost without the holder noticing, and the numbers
//! (see `order`) keep the order then. This file may not know what is computed.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, params};

use super::fault::Fault;
use super::order::{self, Subject};
use super::store::Store;
use super::{WORK, signed};
use crate::entry::{duration_millis, to_millis};
use crate::tier::disk::files::Absent;
use crate::tier::{Held, TierError};
use crate::{CLOCK_SKEW, Clock};

/// Between two looks at a lease that another process has.
const POLL: Duration = Duration::from_millis(5);

/// How long a lease lasts without a sign of life of who holds it. The signs come three times as often.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// A lease.
#[derive(Debug)]
pub(super) struct Granted {
    store: Arc<Store>,
    subject: Subject,
    pub(super) token: u64,
    /// The process that took it: in a fork it is not its own.
    process: u32,
}

/// Tries for `wait` to get the lease, for `length` from now at most; `None` while another has it. `room`
/// is made when it was granted.
pub(super) fn take(
    store: &Arc<Store>,
    subject: Subject,
    wait: Duration,
    clock: &Arc<dyn Clock>,
    length: Duration,
    room: &dyn Fn(&Transaction<'_>) -> Result<(), Fault>,
) -> Result<Option<Granted>, TierError> {
    let start = Instant::now();
    let now = signed(to_millis(clock.now()));
    loop {
        let unsigned = length.min(SIGN_OF_LIFE);
        if let Some(token) = claim(
            store,
            &subject,
            now,
            signed(duration_millis(unsigned)),
            room,
        )? {
            let granted = Granted {
                store: Arc::clone(store),
                subject,
                token,
                process: std::process::id(),
            };
            if length > unsigned {
                store.keeper.keep(
                    store,
                    Sign {
                        subject: granted.subject.clone(),
                        token,
                        end: now.saturating_add(signed(duration_millis(length))),
                        clock: Arc::clone(clock),
                    },
                );
            }
            return Ok(Some(granted));
        }
        if start.elapsed() + POLL > wait {
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

fn claim(
    store: &Store,
    subject: &Subject,
    now: i64,
    length: i64,
    room: &dyn Fn(&Transaction<'_>) -> Result<(), Fault>,
) -> Result<Option<u64>, TierError> {
    let [line, namespace, key] = subject;
    // Who sees it held needs no lock to go on waiting: a crowd would keep the holder from it.
    let held = "SELECT 1 FROM lease WHERE line = ?1 AND namespace = ?2 AND key = ?3
        AND until > ?4 AND granted_at <= ?4 + ?5";
    let skew = signed(duration_millis(CLOCK_SKEW));
    let is_held = |connection: &Connection| {
        let mut held = connection.prepare_cached(held)?;
        held.exists(params![line, namespace, key, now, skew])
    };
    if store.with(Absent::Make, WORK, |connection| Ok(is_held(connection)?))? == Some(true) {
        return Ok(None);
    }
    let token = store.write(Absent::Make, WORK, |work| {
        if is_held(work)? {
            return Ok(None);
        }
        let token = order::draw(work, subject, now)?;
        let mut grant = work.prepare_cached(
            "UPDATE lease SET holder = ?4, granted_at = ?5, until = ?5 + ?6
             WHERE line = ?1 AND namespace = ?2 AND key = ?3",
        )?;
        grant.execute(params![line, namespace, key, signed(token), now, length])?;
        room(work)?;
        Ok(Some(token))
    })?;
    Ok(token.flatten())
}

impl Held for Granted {
    fn give_back(self: Box<Self>) -> Result<(), TierError> {
        let [line, namespace, key] = &self.subject;
        let give_back = |work: &Transaction<'_>| {
            // It may have run out and be another's by now. The row stays: its numbers have to grow.
            let mut give = work.prepare_cached(
                "UPDATE lease SET until = 0, holder = 0
                 WHERE line = ?1 AND namespace = ?2 AND key = ?3 AND holder = ?4",
            )?;
            Ok(give.execute(params![line, namespace, key, signed(self.token)])?)
        };
        self.store.write(Absent::Leave, WORK, give_back).map(drop)
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            self.store.keeper.forget(&self.subject, self.token);
        }
    }
}

/// Gives the signs of life of all leases of a tier, on one thread, which is there while there are leases
/// and a moment longer.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    signs: Mutex<Signs>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct Signs {
    held: Vec<Sign>,
    thread: Option<JoinHandle<()>>,
    is_over: bool,
}

#[derive(Debug, Clone)]
struct Sign {
    subject: Subject,
    token: u64,
    /// When the lease ends in any case, in milliseconds since 1970.
    end: i64,
    clock: Arc<dyn Clock>,
}

impl Keeper {
    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where no thread is to be had, the lease is a short one.
    fn keep(self: &Arc<Self>, store: &Arc<Store>, sign: Sign) {
        let mut signs = self.signs();
        signs.held.push(sign);
        if signs.thread.is_none() {
            let (keeper, store) = (Arc::clone(self), Arc::downgrade(store));
            let run = move || keeper.run(&store);
            let named = std::thread::Builder::new().name("cache-sqlite".into());
            signs.thread = named.spawn(run).ok();
        }
    }

    fn forget(&self, subject: &Subject, token: u64) {
        let mut signs = self.signs();
        signs
            .held
            .retain(|sign| sign.token != token || sign.subject != *subject);
    }

    /// The tier is gone. Not waited for, also not for the lock: in a fork nobody may be there to give it
    /// back.
    pub(super) fn end(&self) {
        if let Ok(mut signs) = self.signs.try_lock() {
            signs.is_over = true;
            self.over.notify_all();
        }
    }

    #[cfg(test)]
    pub(super) fn thread(&self) -> Option<JoinHandle<()>> {
        self.signs().thread.take()
    }

    fn run(&self, store: &Weak<Store>) {
        loop {
            let pause = SIGN_OF_LIFE / 3;
            let waited = self
                .over
                .wait_timeout_while(self.signs(), pause, |signs| !signs.is_over);
            let (mut signs, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if signs.is_over || signs.held.is_empty() {
                signs.thread = None;
                return;
            }
            drop(signs);
            let Some(store) = store.upgrade() else {
                return;
            };
            self.give_signs(&store);
        }
    }

    pub(super) fn give_signs(&self, store: &Store) {
        let mut signs = self.signs();
        // Who holds one that long has lost it.
        signs
            .held
            .retain(|sign| signed(to_millis(sign.clock.now())) < sign.end);
        let held = signs.held.clone();
        drop(signs);
        let given = store.write(Absent::Leave, WORK, |work| {
            let mut extend = work.prepare_cached(
                "UPDATE lease SET until = ?5
                 WHERE line = ?1 AND namespace = ?2 AND key = ?3 AND holder = ?4",
            )?;
            for sign in &held {
                let [line, namespace, key] = &sign.subject;
                let now = signed(to_millis(sign.clock.now()));
                let until = now.saturating_add(signed(duration_millis(SIGN_OF_LIFE)));
                let until = until.min(sign.end);
                extend.execute(params![line, namespace, key, signed(sign.token), until])?;
            }
            Ok(())
        });
        if let Err(error) = given {
            tracing::debug!(path = %store.path().display(), %error, "no sign of life for the leases");
        }
    }
}
