//! What may be set, and changed while the cache runs. This file may not know where the values come
//! from; `environment` reads them from variables.

use std::fmt;
use std::time::Duration;

use super::{BreakerLimits, Horizons};

/// The settings of a cache. All of them may be changed while it runs, with
/// [`Cache::reconfigure`](super::Cache::reconfigure); entries already written keep their horizons.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How long entries hold where the caller does not say. Default 24 h and 30 d.
    pub horizons: Horizons,
    /// When a tier's breaker opens. Default 5 failures in a row, 60 s.
    pub breaker: BreakerLimits,
    /// How long a failed computation is remembered: who asks meanwhile is not made to wait for the
    /// next failure. Default 1 s; at most 60 s.
    pub negative_for: Duration,
    /// How long another process may take to compute a value, before this one stops waiting for it.
    /// Default 30 s; at most 1 h.
    pub lease: Duration,
    /// How long to wait for another process that computes the value, where a stale one can be
    /// served instead. Default 100 ms.
    pub patience: Duration,
    /// After how long the memory tier has the tiers below asked whether they have a newer entry.
    /// Default 1 h.
    pub ask_below_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            horizons: Horizons {
                fresh_for: day,
                keep_for: day * 30,
            },
            breaker: BreakerLimits::default(),
            negative_for: Duration::from_secs(1),
            lease: Duration::from_secs(30),
            patience: Duration::from_millis(100),
            ask_below_after: Duration::from_secs(3600),
        }
    }
}

impl Settings {
    /// # Errors
    /// A value is out of range.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let Horizons {
            fresh_for,
            keep_for,
        } = self.horizons;
        if keep_for < fresh_for {
            return Err(ConfigError::new(
                "keep for",
                format!("{keep_for:?}"),
                format!("at least fresh for, {fresh_for:?}"),
            ));
        }
        at_most("negative for", self.negative_for, Duration::from_secs(60))?;
        at_most("lease", self.lease, Duration::from_secs(3600))?;
        at_most("patience", self.patience, self.lease)?;
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

/// A setting that cannot be used: which one, its value, and what is allowed. The only error of the
/// cache that reaches the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    setting: String,
    value: String,
    allowed: String,
}

impl ConfigError {
    #[doc(hidden)]
    pub fn new(
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

    /// The setting, or the variable it came from.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// The value it has, cut to 200 bytes.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What would be allowed, in words.
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
