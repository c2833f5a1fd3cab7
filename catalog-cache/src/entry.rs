//! An entry: bytes, and the envelope that says whose they are and how long they hold. This file may
//! not know how an entry is written down (that is `codec`) or where it lives.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::{Key, Namespace};

/// How far ahead of this machine's clock an entry may have been written and still be fresh.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// How long an entry holds, from the moment it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizons {
    /// Until when it is served without asking again. Zero: never.
    pub fresh_for: Duration,
    /// Until when it may still be served because asking failed. Expiry and cleanup mean this one.
    /// Nothing is fresh that is not kept.
    pub keep_for: Duration,
}

/// What is known of an entry beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The entry's name.
    pub key: Key,
    /// Whose entry it is.
    pub namespace: Namespace,
    /// When it was written, in whole milliseconds.
    pub written_at: SystemTime,
    /// How long it holds, in whole milliseconds.
    pub horizons: Horizons,
    /// Where the value came from, in the writer's words, such as `api`. At most
    /// [`Envelope::MAX_SOURCE`] bytes.
    pub source: Arc<str>,
    /// The version of the package that wrote it.
    pub package_version: Arc<str>,
}

impl Envelope {
    /// The longest source, in bytes; longer ones are cut.
    pub const MAX_SOURCE: usize = 256;

    /// How old the entry is; zero where it was written ahead of `now`.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.written_at)
            .unwrap_or(Duration::ZERO)
    }

    /// Whether the entry is fresh, stale or expired at `now`.
    ///
    /// The future is not trusted: an entry written up to [`CLOCK_SKEW`] ahead is new, one written
    /// further ahead is not fresh, and one written more than its `keep_for` ahead has expired. So
    /// no clock makes an entry last for ever.
    #[must_use]
    pub fn standing(&self, now: SystemTime) -> Standing {
        self.standing_and_age(now).0
    }

    /// Whether this one is there to stay at `now` against another of the same key: it was written
    /// later, has not expired, and was not written further ahead than clocks differ.
    pub(super) fn supersedes(&self, other: &Self, now: SystemTime) -> bool {
        self.written_at > other.written_at
            && self.standing(now) != Standing::Expired
            && now
                .checked_add(CLOCK_SKEW)
                .is_none_or(|limit| self.written_at <= limit)
    }

    #[inline]
    pub(super) fn standing_and_age(&self, now: SystemTime) -> (Standing, Duration) {
        let Horizons {
            fresh_for,
            keep_for,
        } = self.horizons;
        let (age, ahead) = match now.duration_since(self.written_at) {
            Ok(age) => (age, Duration::ZERO),
            Err(ahead) => (Duration::ZERO, ahead.duration()),
        };
        let standing = if age >= keep_for || (ahead > CLOCK_SKEW && ahead >= keep_for) {
            Standing::Expired
        } else if age < fresh_for && ahead <= CLOCK_SKEW {
            Standing::Fresh
        } else {
            Standing::Stale
        };
        (standing, age)
    }
}

/// What an entry is good for at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Served without asking again.
    Fresh,
    /// Served only because asking failed.
    Stale,
    /// Not served; cleanup removes it.
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
        envelope.horizons.fresh_for = whole_millis(envelope.horizons.fresh_for);
        envelope.horizons.keep_for = whole_millis(envelope.horizons.keep_for);
        cut(&mut envelope.source, Envelope::MAX_SOURCE);
        cut(&mut envelope.package_version, 64);
        Self {
            envelope: Arc::new(envelope),
            payload,
        }
    }

    /// What is known beside the bytes.
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

pub(super) fn to_millis(time: SystemTime) -> u64 {
    duration_millis(time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO))
}

pub(super) fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(MAX_MILLIS)
        .min(MAX_MILLIS)
}

/// `None` beyond what this platform's clock can hold.
pub(super) fn from_millis(millis: u64) -> Option<SystemTime> {
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
