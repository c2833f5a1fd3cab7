//! Settings from variables, where the caller asks for it. This file may not know the variables'
//! prefix, and never reads the process's environment unless that is what it is given.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::{ConfigError, Horizons};

/// A set of variables with a common prefix. An empty variable counts as absent.
pub struct Environment<'a> {
    prefix: &'a str,
    lookup: Box<Lookup<'a>>,
}

type Lookup<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

impl<'a> Environment<'a> {
    /// The variables of this process.
    #[must_use]
    pub fn process(prefix: &'a str) -> Self {
        Self::new(prefix, |name| std::env::var_os(name))
    }

    /// The variables that `lookup` finds.
    pub fn new(prefix: &'a str, lookup: impl Fn(&str) -> Option<OsString> + 'a) -> Self {
        Self {
            prefix,
            lookup: Box::new(lookup),
        }
    }

    /// The full name of a variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }

    fn raw(&self, name: &str) -> Option<OsString> {
        (self.lookup)(&self.variable(name)).filter(|value| !value.is_empty())
    }

    fn refuse<T>(
        &self,
        name: &str,
        value: &OsStr,
        allowed: impl Into<String>,
    ) -> Result<T, ConfigError> {
        Err(ConfigError::new(
            self.variable(name),
            value.to_string_lossy(),
            allowed,
        ))
    }

    /// Text.
    ///
    /// # Errors
    /// The variable is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        raw.into_string()
            .map(Some)
            .or_else(|raw| self.refuse(name, &raw, "UTF-8 text"))
    }

    /// One of some words.
    ///
    /// # Errors
    /// The variable is none of them.
    pub fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        match choices.iter().find(|(word, _)| raw == *word) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                self.refuse(name, &raw, words.join(", "))
            }
        }
    }

    /// Yes or no: `1`, `true`, `0` or `false`.
    ///
    /// # Errors
    /// The variable is none of these.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        self.choice(
            name,
            &[("1", true), ("true", true), ("0", false), ("false", false)],
        )
    }

    /// A whole number with a unit, such as `15min`; see [`parse_duration`].
    ///
    /// # Errors
    /// The variable is no such thing.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>, ConfigError> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        match raw.to_str().and_then(parse_duration) {
            Some(duration) => Ok(Some(duration)),
            None => self.refuse(
                name,
                &raw,
                "a whole number and a unit: ms, s, min, h or d, such as 24h; at most 36500d",
            ),
        }
    }

    /// A number of bytes, such as `64MiB`.
    ///
    /// # Errors
    /// The variable is no such thing.
    pub fn bytes(&self, name: &str) -> Result<Option<u64>, ConfigError> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        match raw.to_str().and_then(parse_bytes) {
            Some(bytes) => Ok(Some(bytes)),
            None => self.refuse(
                name,
                &raw,
                "a whole number of bytes, or one with KiB, MiB or GiB, such as 64MiB",
            ),
        }
    }

    /// A path.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from)
    }

    /// A list of paths with the platform's separator; empty ones are left out.
    #[must_use]
    pub fn paths(&self, name: &str) -> Option<Vec<PathBuf>> {
        let raw = self.raw(name)?;
        Some(
            std::env::split_paths(&raw)
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
        )
    }
}

impl std::fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// A whole number and one of `ms`, `s`, `m` or `min`, `h`, `d`; at most a hundred years.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ if number == 0 && unit.is_empty() => 0,
        _ => return None,
    };
    let millis = number
        .checked_mul(millis)
        .filter(|millis| *millis <= 36_500 * 86_400_000)?;
    Some(Duration::from_millis(millis))
}

fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

/// Where a cache keeps its entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Store {
    /// In memory and in files.
    #[default]
    File,
    /// In memory only: no file is touched.
    Memory,
    /// Nowhere: every question is a miss, no file is touched.
    None,
}

/// What variables say of a cache; what they do not say has its default.
///
/// | variable | meaning | default |
/// |---|---|---|
/// | `PREFIX_CACHE` | `file`, `memory` or `none` | `file` |
/// | `PREFIX_CACHE_DIR` | folders in order, with the platform's separator | the platform's |
/// | `PREFIX_FRESH_FOR` | until when an entry is served without asking again | `24h` |
/// | `PREFIX_KEEP_FOR` | until when it may still be served | `30d` |
/// | `PREFIX_CACHE_MAX_BYTES` | the bound of the files, and of memory | `64MiB` |
/// | `PREFIX_NAMESPACE` | the caller's name for its own entries | none |
/// | `PREFIX_REDIS_URL` | a Redis below the other tiers | none |
/// | `PREFIX_SQLITE` | a SQLite file below the other tiers | none |
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheConfig {
    /// Where entries are kept.
    pub store: Store,
    /// Folders in order; `None`: the platform's.
    pub locations: Option<Vec<PathBuf>>,
    /// How long entries hold.
    pub horizons: Horizons,
    /// The bound of the files, and of memory, in bytes.
    pub max_bytes: u64,
    /// The caller's name for its own entries.
    pub namespace: Option<String>,
    /// A Redis. May hold a password: not in the `Debug` output.
    pub redis_url: Option<String>,
    /// A SQLite file.
    pub sqlite: Option<PathBuf>,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            store: Store::default(),
            locations: None,
            horizons: super::Settings::default().horizons,
            max_bytes: 64 << 20,
            namespace: None,
            redis_url: None,
            sqlite: None,
        }
    }
}

impl CacheConfig {
    /// What these variables say.
    ///
    /// # Errors
    /// A variable cannot be used; the error names it, its value and what is allowed.
    ///
    /// ```
    /// use bedrock_catalog_cache::{CacheConfig, Environment};
    ///
    /// let typo = Environment::new("MY_APP", |name| (name == "MY_APP_CACHE").then(|| "disc".into()));
    /// let error = CacheConfig::from_env(&typo).unwrap_err();
    /// assert_eq!(error.to_string(), r#"MY_APP_CACHE is "disc"; allowed: file, memory, none"#);
    /// ```
    pub fn from_env(env: &Environment<'_>) -> Result<Self, ConfigError> {
        let default = Self::default();
        let stores = [
            ("file", Store::File),
            ("memory", Store::Memory),
            ("none", Store::None),
        ];
        let fresh_for = env.duration("FRESH_FOR")?;
        let keep_for = env.duration("KEEP_FOR")?;
        let max_bytes = env.bytes("CACHE_MAX_BYTES")?;
        // Who keeps for less than the default freshness wants less of that too, and the reverse.
        let horizons = match (fresh_for, keep_for) {
            (Some(fresh), Some(keep)) if keep < fresh => {
                return Err(ConfigError::new(
                    env.variable("KEEP_FOR"),
                    format!("{keep:?}"),
                    format!("at least {}, which is {fresh:?}", env.variable("FRESH_FOR")),
                ));
            }
            (fresh, keep) => {
                let fresh_for = fresh.unwrap_or(
                    default
                        .horizons
                        .fresh_for
                        .min(keep.unwrap_or(Duration::MAX)),
                );
                Horizons {
                    fresh_for,
                    keep_for: keep.unwrap_or(default.horizons.keep_for.max(fresh_for)),
                }
            }
        };
        if max_bytes == Some(0) {
            let none = format!("more than 0; {}=none caches nothing", env.variable("CACHE"));
            return Err(ConfigError::new(env.variable("CACHE_MAX_BYTES"), "0", none));
        }
        Ok(Self {
            store: env.choice("CACHE", &stores)?.unwrap_or(default.store),
            locations: env.paths("CACHE_DIR").filter(|paths| !paths.is_empty()),
            horizons,
            max_bytes: max_bytes.unwrap_or(default.max_bytes),
            namespace: env.text("NAMESPACE")?,
            redis_url: env.text("REDIS_URL")?,
            sqlite: env.path("SQLITE"),
        })
    }
}

impl std::fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheConfig")
            .field("store", &self.store)
            .field("locations", &self.locations)
            .field("horizons", &self.horizons)
            .field("max_bytes", &self.max_bytes)
            .field("redis", &self.redis_url.is_some())
            .field("sqlite", &self.sqlite)
            .finish_non_exhaustive()
    }
}
