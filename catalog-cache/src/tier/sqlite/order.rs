//! In what order processes write, by numbers that the file gives; the rule is that of Redis's scripts. A
//! computation draws a number when it begins; what it stores is refused when its number is below the
//! key's floor, which is the number of the latest computation stored, or of the latest removal. So who
//! lost its lease cannot overwrite what a later one stored, and nothing removed comes back.
//!
//! A number is at least the microseconds since 1970, so that it grows also where the counter was lost.

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::{OptionalExtension, Transaction, params};

use super::fault::Fault;
use super::rows::{self, Row};
use super::{SqliteTier, signed};
use crate::entry::to_millis;
use crate::tier::Begun;
use crate::{CLOCK_SKEW, Entry, Key, Namespace, Pattern, Standing};

/// Whose counter it is: line, namespace and key.
pub(super) type Subject = [String; 3];

/// What became of a write.
#[derive(Debug, Default)]
pub(super) enum Order {
    #[default]
    Stored,
    /// This one stays.
    Superseded(Entry),
    /// The key was removed since the computation began.
    Removed,
}

/// The least number that may be given now: more than that of a computation which began by the clock in
/// this millisecond.
pub(super) fn least(now: i64) -> i64 {
    now.saturating_mul(1_000).saturating_add(1)
}

/// The next number of the key. Its row becomes the last, so that those in front are the longest unused.
pub(super) fn draw(work: &Transaction<'_>, of: &Subject, now: i64) -> Result<u64, Fault> {
    let [line, namespace, key] = of;
    let mut draw = work.prepare_cached(
        "INSERT INTO lease (line, namespace, key, last, floor, drawn_at, holder, granted_at, until)
         VALUES (?1, ?2, ?3, ?4, 0, ?5, 0, 0, 0)
         ON CONFLICT DO UPDATE SET rowid = (SELECT max(rowid) + 1 FROM lease),
           last = max(last + 1, excluded.last), drawn_at = excluded.drawn_at
         RETURNING last",
    )?;
    let drawn = params![line, namespace, key, least(now), now];
    let number: i64 = draw.query_row(drawn, |row| row.get(0))?;
    Ok(number.unsigned_abs())
}

/// Nothing that began before is stored any more. Where nobody has drawn a number, that is only noted
/// where `note` says so: else whoever removes what is not there would keep it for a day.
fn overtake(work: &Transaction<'_>, of: &Subject, now: i64, note: bool) -> Result<(), Fault> {
    let [line, namespace, key] = of;
    if note {
        work.prepare_cached(
            "INSERT INTO lease (line, namespace, key, last, floor, drawn_at, holder, granted_at, until)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, 0, 0, 0)
             ON CONFLICT DO UPDATE SET rowid = (SELECT max(rowid) + 1 FROM lease),
               last = max(last + 1, excluded.last), floor = max(last + 1, excluded.last), drawn_at = excluded.drawn_at",
        )?
        .execute(params![line, namespace, key, least(now), now])?;
    } else {
        work.prepare_cached(
            "UPDATE lease SET last = max(last + 1, ?4), floor = max(last + 1, ?4)
             WHERE line = ?1 AND namespace = ?2 AND key = ?3",
        )?
        .execute(params![line, namespace, key, least(now)])?;
    }
    Ok(())
}

/// The floor of a key, where there is a counter.
fn floor(work: &Transaction<'_>, [line, namespace, key]: &Subject) -> Result<Option<i64>, Fault> {
    let mut floor = work.prepare_cached(
        "SELECT floor FROM lease WHERE line = ?1 AND namespace = ?2 AND key = ?3",
    )?;
    let floor = floor.query_row(params![line, namespace, key], |row| row.get(0));
    Ok(floor.optional()?)
}

/// From now on nothing of a smaller number is stored.
fn raise(work: &Transaction<'_>, of: &Subject, number: i64, now: i64) -> Result<(), Fault> {
    let [line, namespace, key] = of;
    let mut raise = work.prepare_cached(
        "INSERT INTO lease (line, namespace, key, last, floor, drawn_at, holder, granted_at, until)
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, 0, 0, 0)
         ON CONFLICT DO UPDATE SET last = max(last, excluded.last), floor = excluded.floor,
           drawn_at = excluded.drawn_at",
    )?;
    raise.execute(params![line, namespace, key, number, now])?;
    Ok(())
}

/// Of all counters, and of all entries, those of one namespace in a range of keys.
pub(super) const COUNTED: &str =
    "SELECT key FROM lease WHERE line = ?1 AND namespace = ?2 AND key >= ?3 AND key < ?4";
pub(super) const STORED: &str =
    "SELECT key FROM entry WHERE line = ?1 AND namespace = ?2 AND key >= ?3 AND key < ?4";

/// The keys of this namespace that match, and have a counter or an entry. The others, of which there may
/// be very many, are not looked at.
fn matching(
    work: &Transaction<'_>,
    which: &str,
    line: &str,
    namespace: &str,
    pattern: &Pattern,
) -> Result<BTreeSet<String>, Fault> {
    let mut select = work.prepare_cached(which)?;
    let mut prefixes = BTreeSet::new();
    for prefix in pattern.alternatives().iter().map(Pattern::prefix) {
        prefixes.insert(prefix.to_owned());
        // Of a shortened key the mark comes after some of the prefix's whole parts, or none.
        let ends = prefix.match_indices(':').map(|(colon, _)| colon + 1);
        let kept = std::iter::once(0).chain(ends);
        prefixes.extend(kept.filter_map(|end| Some(format!("{}~", prefix.get(..end)?))));
    }
    let mut keys = BTreeSet::new();
    for prefix in prefixes {
        let (from, to) = rows::range(&prefix);
        let mut rows = select.query(params![line, namespace, from, to])?;
        while let Some(row) = rows.next()? {
            let key = row.get_ref(0)?.as_str().unwrap_or_default();
            // What is no key of ours is of no use either.
            if Key::parse(key).is_none_or(|key| pattern.matches(&key)) {
                keys.insert(key.to_owned());
            }
        }
    }
    Ok(keys)
}

impl SqliteTier {
    pub(super) fn subject(&self, namespace: &Namespace, key: &str) -> Subject {
        [
            self.line().to_owned(),
            namespace.to_string(),
            key.to_owned(),
        ]
    }

    /// Stores one entry, or says what stays instead.
    pub(super) fn store_one(
        &self,
        work: &Transaction<'_>,
        entry: &Entry,
        bytes: &[u8],
        begun: Option<&Begun>,
    ) -> Result<Order, Fault> {
        let envelope = entry.envelope();
        let row = Row::of(self.line(), envelope);
        let subject = self.subject(&envelope.namespace, envelope.key.as_str());
        let now = self.now();
        match begun {
            None => {
                if let Some(there) = self.there(work, &row, entry, row.written_at())? {
                    return Ok(Order::Superseded(there));
                }
                overtake(work, &subject, now, false)?;
            }
            Some(begun) => {
                let at = signed(to_millis(begun.at));
                let number = match begun.token {
                    Some(token) => signed(token),
                    None => at.min(now).saturating_mul(1_000),
                };
                let floor = floor(work, &subject)?;
                let is_overtaken = floor.is_some_and(|floor| number < floor);
                // A number whose counter is gone says nothing: the clock has to do.
                let is_counted = begun.token.is_some() && floor.is_some();
                if is_overtaken || !is_counted {
                    let after = if is_overtaken { i64::MIN } else { at };
                    if let Some(there) = self.there(work, &row, entry, after)? {
                        return Ok(Order::Superseded(there));
                    }
                }
                if is_overtaken {
                    return Ok(Order::Removed);
                }
                raise(work, &subject, number, now)?;
            }
        }
        rows::put(work, &row, bytes)?;
        Ok(Order::Stored)
    }

    /// The entry there, if it was written after this and is to be believed: what a clock that is wrong
    /// wrote must not stay for ever.
    fn there(
        &self,
        work: &Transaction<'_>,
        row: &Row<'_>,
        entry: &Entry,
        after: i64,
    ) -> Result<Option<Entry>, Fault> {
        let Some(there) = rows::written_after(work, row, after, self.codec.max_len())? else {
            return Ok(None);
        };
        let envelope = entry.envelope();
        let there = self
            .codec
            .decode(Bytes::from(there), &envelope.namespace, &envelope.key);
        let now = self.clock.now();
        Ok(there.ok().filter(|there| {
            let there = there.envelope();
            let latest = now.checked_add(CLOCK_SKEW);
            there.standing(now) != Standing::Expired
                && latest.is_none_or(|latest| there.written_at <= latest)
        }))
    }

    pub(super) fn remove_one(
        &self,
        work: &Transaction<'_>,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<u64, Fault> {
        let mut removed = 0;
        for line in &self.lines {
            removed += rows::remove(work, line, namespace, key.as_str())?;
        }
        let subject = self.subject(namespace, key.as_str());
        overtake(work, &subject, self.now(), removed > 0)?;
        Ok(removed)
    }

    pub(super) fn remove_all_of(
        &self,
        work: &Transaction<'_>,
        namespace: &Namespace,
        pattern: &Pattern,
    ) -> Result<u64, Fault> {
        let (now, of) = (self.now(), namespace.to_string());
        for key in matching(work, COUNTED, self.line(), &of, pattern)? {
            overtake(work, &self.subject(namespace, &key), now, false)?;
        }
        let mut removed = 0;
        for line in &self.lines {
            for key in matching(work, STORED, line, &of, pattern)? {
                removed += rows::remove(work, line, namespace, &key)?;
                overtake(work, &self.subject(namespace, &key), now, true)?;
            }
        }
        Ok(removed)
    }
}
