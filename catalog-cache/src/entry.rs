//! An entry: bytes, and the envelope with their key, namespace and lifetime.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::{Key, Namespace};

/// The difference between two machines' clocks that the cache tolerates.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// The two lifetimes of an entry, from the time it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl {
    /// How long it is served without a refresh. Zero: never.
    pub fresh_for: Duration,
    /// How long it may be served because a refresh failed. Expiration and cleanup use this one; an
    /// entry past it is not fresh either.
    pub keep_for: Duration,
}

/// The metadata of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Its key.
    pub key: Key,
    /// Its namespace.
    pub namespace: Namespace,
    /// The time of the write, in whole milliseconds.
    pub written_at: SystemTime,
    /// Its lifetimes, in whole milliseconds.
    pub ttl: Ttl,
    /// The origin of the value, as the writer named it, such as `api`. At most
    /// [`Envelope::MAX_SOURCE`] bytes.
    pub source: Arc<str>,
    /// The version of the package that wrote it.
    pub package_version: Arc<str>,
}

impl Envelope {
    /// The longest source, in bytes; longer ones are cut.
    pub const MAX_SOURCE: usize = 256;

    /// Its age; zero where it was written ahead of `now`.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.written_at)
            .unwrap_or(Duration::ZERO)
    }

    /// Whether the entry may be served without a refresh at `now`.
    ///
    /// An entry written more than [`CLOCK_SKEW`] ahead of `now` is not fresh.
    #[must_use]
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        self.state(now) == State::Fresh
    }

    /// Whether the entry may not be served any more at `now`.
    ///
    /// An entry written more than [`CLOCK_SKEW`] and its `keep_for` ahead of `now` has expired too, so
    /// no clock makes an entry last for ever.
    #[must_use]
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.state(now) == State::Expired
    }

    /// Whether a tier that holds this entry refuses to replace it with `other`: it was written later,
    /// has not expired, and is not further ahead of `now` than clocks differ.
    #[must_use]
    pub fn supersedes(&self, other: &Self, now: SystemTime) -> bool {
        self.written_at > other.written_at
            && !self.is_expired(now)
            && now
                .checked_add(CLOCK_SKEW)
                .is_none_or(|limit| self.written_at <= limit)
    }

    pub(crate) fn state(&self, now: SystemTime) -> State {
        self.state_and_age(now).0
    }

    #[inline]
    pub(crate) fn state_and_age(&self, now: SystemTime) -> (State, Duration) {
        let Ttl {
            fresh_for,
            keep_for,
        } = self.ttl;
        let (age, ahead) = match now.duration_since(self.written_at) {
            Ok(age) => (age, Duration::ZERO),
            Err(ahead) => (Duration::ZERO, ahead.duration()),
        };
        let state = if age >= keep_for || (ahead > CLOCK_SKEW && ahead >= keep_for) {
            State::Expired
        } else if age < fresh_for && ahead <= CLOCK_SKEW {
            State::Fresh
        } else {
            State::Stale
        };
        (state, age)
    }
}

/// An entry against its two lifetimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Fresh,
    Stale,
    Expired,
}

/// Bytes with their envelope. Cloning is cheap: the bytes are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    envelope: Arc<Envelope>,
    payload: Bytes,
}

impl Entry {
    /// An entry of these parts. The times are cut to whole milliseconds and to what a JSON number
    /// holds exactly, the source to [`Envelope::MAX_SOURCE`].
    #[must_use]
    pub fn new(mut envelope: Envelope, payload: Bytes) -> Self {
        envelope.written_at = from_millis(to_millis(envelope.written_at)).unwrap_or(UNIX_EPOCH);
        envelope.ttl.fresh_for = whole_millis(envelope.ttl.fresh_for);
        envelope.ttl.keep_for = whole_millis(envelope.ttl.keep_for);
        cut(&mut envelope.source, Envelope::MAX_SOURCE);
        cut(&mut envelope.package_version, 64);
        Self {
            envelope: Arc::new(envelope),
            payload,
        }
    }

    /// The metadata.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The bytes.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Both parts, without copying.
    #[must_use]
    pub fn into_parts(self) -> (Arc<Envelope>, Bytes) {
        (self.envelope, self.payload)
    }
}

/// 2^53: the largest whole number every JSON reader holds exactly.
const MAX_MILLIS: u64 = 1 << 53;

pub(crate) fn to_millis(time: SystemTime) -> u64 {
    duration_millis(time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO))
}

pub(crate) fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(MAX_MILLIS)
        .min(MAX_MILLIS)
}

/// `None` beyond what this platform's clock can hold.
pub(crate) fn from_millis(millis: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

fn whole_millis(duration: Duration) -> Duration {
    Duration::from_millis(duration_millis(duration))
}

fn cut(text: &mut Arc<str>, max: usize) {
    let (kept, rest) = text.split_at(text.floor_char_boundary(max));
    if !rest.is_empty() {
        *text = kept.into();
    }
}
