//! The settings of a cache, and the error of one that cannot be used.

use std::fmt;
use std::time::Duration;

use crate::{BreakerLimits, Ttl};

/// The settings of a cache. [`Cache::reconfigure`](crate::Cache::reconfigure) changes them while it runs;
/// entries already written keep their lifetimes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The lifetimes of entries whose [options](crate::EntryOptions::ttl) have none. Default 24 h and 30 d.
    pub ttl: Ttl,
    /// The limits of each tier's breaker. Default 5 failures in a row, 60 s.
    pub breaker: BreakerLimits,
    /// How long a failed load is remembered: callers meanwhile do not start another. Default 1 s; at most
    /// 60 s.
    pub negative_for: Duration,
    /// How long a lease of SQLite or Redis lasts. A file lease ignores it: it lasts until its process
    /// releases it or ends. A process with nothing to serve waits at most twice this long, then loads too.
    /// Default 30 s; at most 1 h.
    pub lease_ttl: Duration,
    /// How long a process waits for the load of another one where it has a stale value to serve, or does
    /// not want to wait ([`or_busy`](crate::EntryOptions::or_busy)). Default 100 ms.
    pub lease_wait: Duration,
    /// The age of a copy in memory at which one reader asks the tiers below for a newer entry. Default
    /// 1 h.
    pub revalidate_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            ttl: Ttl {
                fresh_for: day,
                keep_for: day * 30,
            },
            breaker: BreakerLimits::default(),
            negative_for: Duration::from_secs(1),
            lease_ttl: Duration::from_secs(30),
            lease_wait: Duration::from_millis(100),
            revalidate_after: Duration::from_secs(3600),
        }
    }
}

impl Settings {
    /// # Errors
    /// A value is out of range.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let Ttl {
            fresh_for,
            keep_for,
        } = self.ttl;
        if keep_for < fresh_for {
            return Err(ConfigError::new(
                "keep for",
                format!("{keep_for:?}"),
                format!("at least fresh for, {fresh_for:?}"),
            ));
        }
        at_most("negative for", self.negative_for, Duration::from_secs(60))?;
        at_most("lease ttl", self.lease_ttl, Duration::from_secs(3600))?;
        at_most("lease wait", self.lease_wait, self.lease_ttl)?;
        at_most(
            "breaker pause",
            self.breaker.pause,
            Duration::from_secs(24 * 3600),
        )?;
        if self.breaker.failures == 0 {
            return Err(ConfigError::new("breaker failures", "0", "at least 1"));
        }
        Ok(())
    }
}

fn at_most(what: &str, is: Duration, most: Duration) -> Result<(), ConfigError> {
    if is > most {
        Err(ConfigError::new(
            what,
            format!("{is:?}"),
            format!("at most {most:?}"),
        ))
    } else {
        Ok(())
    }
}

/// A setting that cannot be used: its name, its value, and the allowed values. The only error of the cache
/// that reaches the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    setting: String,
    value: String,
    allowed: String,
}

impl ConfigError {
    pub(crate) fn new(
        setting: impl Into<String>,
        value: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        let mut value = value.into();
        value.truncate(value.floor_char_boundary(200));
        Self {
            setting: setting.into(),
            value,
            allowed: allowed.into(),
        }
    }

    /// The setting, or its variable.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// The value, cut to 200 bytes.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The allowed values, in words.
    #[must_use]
    pub fn allowed(&self) -> &str {
        &self.allowed
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {:?}; allowed: {}",
            self.setting, self.value, self.allowed
        )
    }
}

impl std::error::Error for ConfigError {}
