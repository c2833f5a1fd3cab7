//! Settings from environment variables, where the caller asks for it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "files")]
use crate::FilesOptions;
#[cfg(feature = "sqlite")]
use crate::SqliteOptions;
use crate::{ConfigError, Ttl};

/// Variables with a common prefix. An empty variable counts as absent.
///
/// ```
/// use bedrock_catalog_cache::Environment;
///
/// let env = Environment::new("MY_APP", |name| (name == "MY_APP_WAIT").then(|| "15min".into()));
/// assert_eq!(env.duration("WAIT")?.map(|wait| wait.as_secs()), Some(900));
/// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
/// ```
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

    /// The variables that `lookup` returns, by full name.
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

    #[cfg(not(all(feature = "redis", feature = "sqlite")))]
    pub(crate) fn without_feature(&self, name: &str, value: &str, feature: &str) -> ConfigError {
        let allowed = format!("a build with the feature `{feature}`");
        ConfigError::new(self.variable(name), value, allowed)
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
    /// The variable has another value.
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

    /// A flag: `1`, `true`, `0` or `false`.
    ///
    /// # Errors
    /// The variable has another value.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        self.choice(
            name,
            &[("1", true), ("true", true), ("0", false), ("false", false)],
        )
    }

    /// A whole number with a unit, such as `15min`; see [`parse_duration`].
    ///
    /// # Errors
    /// The variable has another form.
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
    /// The variable has another form.
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

    /// A path. A leading `~/` is the home folder, `HOME`.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).map(|path| self.expand(path.into()))
    }

    /// A list of paths with the platform's separator, without the empty ones. A leading `~/` is the home
    /// folder, `HOME`.
    #[must_use]
    pub fn paths(&self, name: &str) -> Option<Vec<PathBuf>> {
        let raw = self.raw(name)?;
        let paths = std::env::split_paths(&raw).filter(|path| !path.as_os_str().is_empty());
        Some(paths.map(|path| self.expand(path)).collect())
    }

    fn expand(&self, path: PathBuf) -> PathBuf {
        let home = || (self.lookup)("HOME").filter(|home| !home.is_empty());
        match path.strip_prefix("~").ok().zip(home()) {
            Some((rest, home)) => PathBuf::from(home).join(rest),
            None => path,
        }
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

/// The tiers of a cache, in one word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreKind {
    /// Memory and files.
    #[default]
    File,
    /// Memory only: no file is touched.
    Memory,
    /// None: every read is a miss, no file is touched.
    None,
}

/// The configuration of a cache in variables. A variable that is absent has its default.
///
/// | variable | meaning | default |
/// |---|---|---|
/// | `PREFIX_CACHE` | `file`, `memory` or `none` | `file` |
/// | `PREFIX_CACHE_DIR` | folders in order, with the platform's separator | the platform's |
/// | `PREFIX_FRESH_FOR` | how long an entry is served without a refresh | `24h` |
/// | `PREFIX_KEEP_FOR` | how long it may be served because a refresh failed | `30d` |
/// | `PREFIX_CACHE_MAX_BYTES` | the bound of the files, and of memory | `64MiB` |
/// | `PREFIX_NAMESPACE` | the caller's name for its own entries | none |
/// | `PREFIX_REDIS_URL` | a Redis below the other tiers | none |
/// | `PREFIX_SQLITE` | a SQLite file below the other tiers | none |
/// | `PREFIX_TRUST_CACHE_DIR` | `1`: the folders given by name are trusted whatever their owner and mode | `0` |
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheConfig {
    /// The tiers.
    pub store: StoreKind,
    /// Folders in order; `None`: the platform's.
    pub locations: Option<Vec<PathBuf>>,
    /// The lifetimes of entries.
    pub ttl: Ttl,
    /// The bound of the files, and of memory, in bytes.
    pub max_bytes: u64,
    /// The caller's name for its own entries.
    pub namespace: Option<String>,
    /// A Redis. It may hold a password, so it is not in the `Debug` output.
    pub redis_url: Option<String>,
    /// A SQLite file.
    pub sqlite: Option<PathBuf>,
    /// Whether folders given by name are trusted whatever their owner and mode.
    pub trusts_folders: bool,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            store: StoreKind::default(),
            locations: None,
            ttl: crate::Settings::default().ttl,
            max_bytes: 64 << 20,
            namespace: None,
            redis_url: None,
            sqlite: None,
            trusts_folders: false,
        }
    }
}

impl CacheConfig {
    /// The configuration in these variables.
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
            ("file", StoreKind::File),
            ("memory", StoreKind::Memory),
            ("none", StoreKind::None),
        ];
        let fresh_for = env.duration("FRESH_FOR")?;
        let keep_for = env.duration("KEEP_FOR")?;
        let max_bytes = env.bytes("CACHE_MAX_BYTES")?;
        // One that is given limits or extends the default of the other.
        let ttl = match (fresh_for, keep_for) {
            (Some(fresh), Some(keep)) if keep < fresh => {
                return Err(ConfigError::new(
                    env.variable("KEEP_FOR"),
                    format!("{keep:?}"),
                    format!("at least {}, which is {fresh:?}", env.variable("FRESH_FOR")),
                ));
            }
            (fresh, keep) => {
                let fresh_for =
                    fresh.unwrap_or(default.ttl.fresh_for.min(keep.unwrap_or(Duration::MAX)));
                Ttl {
                    fresh_for,
                    keep_for: keep.unwrap_or(default.ttl.keep_for.max(fresh_for)),
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
            ttl,
            max_bytes: max_bytes.unwrap_or(default.max_bytes),
            namespace: env.text("NAMESPACE")?,
            redis_url: env.text("REDIS_URL")?,
            sqlite: env.path("SQLITE"),
            trusts_folders: env.flag("TRUST_CACHE_DIR")?.unwrap_or(false),
        })
    }
}

impl CacheConfig {
    /// The options of the file tier.
    #[cfg(feature = "files")]
    pub(crate) fn files(&self, env: &Environment<'_>) -> FilesOptions {
        let options = match &self.locations {
            Some(folders) if self.trusts_folders => {
                FilesOptions::in_folders(folders).trust_folders()
            }
            Some(folders) => FilesOptions::in_folders(folders),
            None => FilesOptions::platform(&env.prefix.to_ascii_lowercase().replace('_', "-")),
        };
        options.max_bytes(self.max_bytes)
    }

    /// The options of the SQLite tier.
    #[cfg(feature = "sqlite")]
    pub(crate) fn sqlite(&self, path: &std::path::Path) -> SqliteOptions {
        let options = SqliteOptions::new(path).max_bytes(self.max_bytes);
        match self.trusts_folders {
            true => options.trust_folder(),
            false => options,
        }
    }
}

impl std::fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheConfig")
            .field("store", &self.store)
            .field("locations", &self.locations)
            .field("ttl", &self.ttl)
            .field("max_bytes", &self.max_bytes)
            .field("redis", &self.redis_url.is_some())
            .field("sqlite", &self.sqlite)
            .finish_non_exhaustive()
    }
}
