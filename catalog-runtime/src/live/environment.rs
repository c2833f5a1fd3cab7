//! What the environment says of a live catalog, where the caller asks for it.

use super::bounds::{DEADLINE, FRESH_FOR, KEEP_FOR, in_bounds, is_word, refused, wrong};
use super::builder::LiveCatalogBuilder;
use super::laid_over::OverlaySource;
#[cfg(feature = "redis")]
use crate::cache::tier::redis::RedisOptions;
use crate::cache::{CacheConfig, Environment};
use crate::error::{CatalogError, CatalogErrorKind};

/// The beginning of the names of our environment variables.
const PREFIX: &str = "BEDROCK_CATALOG";

impl LiveCatalogBuilder {
    /// What the environment says of all this; see the crate's table of variables. Read here and now.
    ///
    /// # Errors
    /// A variable cannot be used: its name, its value, and what is allowed.
    pub fn from_env(self) -> Result<Self, CatalogError> {
        self.from_environment(&Environment::process(PREFIX))
    }

    /// The same from given variables.
    ///
    /// # Errors
    /// As [`LiveCatalogBuilder::from_env`].
    pub fn from_environment(mut self, env: &Environment<'_>) -> Result<Self, CatalogError> {
        // Here a value is still known by its variable.
        for (name, bounds) in [
            ("FRESH_FOR", FRESH_FOR),
            ("KEEP_FOR", KEEP_FOR),
            ("DEADLINE", DEADLINE),
        ] {
            if let Some(is) = env.duration(name).map_err(wrong)? {
                let written = env.text(name).map_err(wrong)?;
                in_bounds(&env.variable(name), written, is, bounds)?;
            }
        }
        let config = CacheConfig::from_env(env).map_err(wrong)?;
        // What is not named stays as it is.
        let named = |variable| env.path(variable).is_some();
        if named("CACHE") {
            self.store = config.store;
        }
        // Who fits one to the other means the one that is named.
        match (named("FRESH_FOR"), named("KEEP_FOR")) {
            (true, true) => self.horizons = config.horizons,
            (true, false) => {
                let fresh_for = config.horizons.fresh_for;
                self.horizons.fresh_for = fresh_for;
                self.horizons.keep_for = self.horizons.keep_for.max(fresh_for);
            }
            (false, true) => {
                let keep_for = config.horizons.keep_for;
                self.horizons.keep_for = keep_for;
                self.horizons.fresh_for = self.horizons.fresh_for.min(keep_for);
            }
            (false, false) => {}
        }
        if named("CACHE_MAX_BYTES") {
            self.max_bytes = config.max_bytes;
        }
        self.locations = config.locations.or(self.locations);
        self.namespace = config.namespace.or(self.namespace);
        self.offline = env.flag("OFFLINE").map_err(wrong)?.unwrap_or(self.offline);
        if let Some(regions) = env.text("REGIONS").map_err(wrong)? {
            let regions = regions
                .split(',')
                .map(str::trim)
                .filter(|region| !region.is_empty());
            self.regions = regions.map(str::to_owned).collect();
            if self.regions.is_empty() {
                let allowed = "region ids with commas between";
                return Err(refused(&env.variable("REGIONS"), "no region", allowed));
            }
            for region in &self.regions {
                is_word(&env.variable("REGIONS"), region)?;
            }
            self.regions_from = Some(env.variable("REGIONS"));
        }
        if let Some(path) = env.path("OVERLAY") {
            self.overlay = OverlaySource::File(path);
        }
        if let Some(deadline) = env.duration("DEADLINE").map_err(wrong)? {
            self.deadline = deadline;
        }
        #[cfg(feature = "redis")]
        if let Some(url) = &config.redis_url {
            let options = RedisOptions::named(&env.variable("REDIS_URL"), url).map_err(wrong)?;
            self.redis = Some(options);
        }
        #[cfg(feature = "sqlite")]
        if let Some(path) = config.sqlite.clone() {
            self.sqlite = Some(path);
        }
        for (variable, set, feature) in [
            (
                "REDIS_URL",
                config.redis_url.is_some() && !cfg!(feature = "redis"),
                "redis",
            ),
            (
                "SQLITE",
                config.sqlite.is_some() && !cfg!(feature = "sqlite"),
                "sqlite",
            ),
        ] {
            if set {
                let variable = env.variable(variable);
                let message =
                    format!("{variable} is set, but this build has no feature `{feature}`");
                return Err(CatalogError::new(
                    CatalogErrorKind::InvalidConfiguration,
                    message,
                ));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, BTreeSet};
    use std::ffi::OsString;
    use std::time::Duration;

    use super::*;
    use crate::CacheMode;

    /// The table of variables of the manual.
    fn manual() -> BTreeSet<String> {
        let manual = include_str!("../../../docs/operators.md");
        let rows = manual
            .lines()
            .filter_map(|line| line.strip_prefix("| `BEDROCK_CATALOG_"));
        let names = rows.filter_map(|row| row.split_once('`'));
        names.map(|(name, _)| format!("{PREFIX}_{name}")).collect()
    }

    #[test]
    fn the_manual_has_every_variable_and_no_other() {
        let asked = RefCell::new(BTreeSet::new());
        let env = Environment::new(PREFIX, |name| {
            asked.borrow_mut().insert(name.to_owned());
            None
        });
        LiveCatalogBuilder::default()
            .from_environment(&env)
            .unwrap();
        assert_eq!(*asked.borrow(), manual());
    }

    #[test]
    fn each_variable_sets_what_the_manual_says() {
        let set = BTreeMap::from([
            ("CACHE", "memory"),
            ("CACHE_DIR", "/var/cache/ours"),
            ("FRESH_FOR", "90s"),
            ("KEEP_FOR", "2d"),
            ("CACHE_MAX_BYTES", "3MiB"),
            ("SQLITE", "/var/cache/ours.sqlite"),
            ("REDIS_URL", "redis://127.0.0.1"),
            ("NAMESPACE", "ours"),
            ("REGIONS", "eu-west-1, us-east-1"),
            ("DEADLINE", "7s"),
            ("OFFLINE", "true"),
            ("OVERLAY", "/etc/ours.json"),
        ]);
        let names: BTreeSet<String> = set.keys().map(|name| format!("{PREFIX}_{name}")).collect();
        assert_eq!(names, manual());
        let env = Environment::new(PREFIX, |name| {
            let value = set.get(name.strip_prefix("BEDROCK_CATALOG_")?)?;
            // Said to be of other builds where it is not of this one.
            let is_here = match name {
                "BEDROCK_CATALOG_SQLITE" => cfg!(feature = "sqlite"),
                "BEDROCK_CATALOG_REDIS_URL" => cfg!(feature = "redis"),
                _ => true,
            };
            is_here.then(|| OsString::from(value))
        });
        let built = LiveCatalogBuilder::default()
            .from_environment(&env)
            .unwrap();
        assert_eq!(built.store, CacheMode::Memory);
        assert_eq!(built.locations, Some(vec!["/var/cache/ours".into()]));
        let horizons = (built.horizons.fresh_for, built.horizons.keep_for);
        assert_eq!(
            horizons,
            (Duration::from_secs(90), Duration::from_secs(2 * 24 * 3600))
        );
        assert_eq!(built.max_bytes, 3 << 20);
        assert_eq!(built.namespace.as_deref(), Some("ours"));
        assert_eq!(built.regions, ["eu-west-1", "us-east-1"]);
        assert_eq!(built.deadline, Duration::from_secs(7));
        assert!(built.offline);
        assert!(
            matches!(&built.overlay, OverlaySource::File(path) if path.as_os_str() == "/etc/ours.json")
        );
        #[cfg(feature = "sqlite")]
        assert_eq!(built.sqlite, Some("/var/cache/ours.sqlite".into()));
        #[cfg(feature = "redis")]
        assert!(built.redis.is_some());
    }
}
