//! The settings of a live catalog from environment variables.

#[cfg(feature = "redis")]
use bedrock_catalog_cache::RedisOptions;
use bedrock_catalog_cache::{CacheConfig, Environment};

use super::builder::{DEADLINE, FRESH_FOR, KEEP_FOR, LiveCatalogBuilder, check_bounds, check_id};
use super::overlay_file::OverlaySource;
use crate::error::CatalogError;

/// The prefix of the variables' names.
const PREFIX: &str = "BEDROCK_CATALOG";

impl LiveCatalogBuilder {
    /// Applies the variables of this process that are set, read here and now: see the table of variables
    /// in the manual. Settings without a variable stay.
    ///
    /// # Errors
    /// A variable cannot be used: its name, its value, and what is allowed.
    pub fn from_env(self) -> Result<Self, CatalogError> {
        self.from_environment(&Environment::process(PREFIX))
    }

    /// The same with given variables.
    ///
    /// # Errors
    /// As [`LiveCatalogBuilder::from_env`].
    pub fn from_environment(mut self, env: &Environment<'_>) -> Result<Self, CatalogError> {
        // Checked here, where a value is still known by its variable.
        for (name, bounds) in [
            ("FRESH_FOR", FRESH_FOR),
            ("KEEP_FOR", KEEP_FOR),
            ("DEADLINE", DEADLINE),
        ] {
            if let Some(is) = env.duration(name)? {
                check_bounds(&env.variable(name), env.text(name)?, is, bounds)?;
            }
        }
        let config = CacheConfig::from_env(env)?;
        let is_set = |variable| env.path(variable).is_some();
        if is_set("CACHE") {
            self.store = config.store;
        }
        // One TTL alone bounds the other.
        match (is_set("FRESH_FOR"), is_set("KEEP_FOR")) {
            (true, true) => self.ttl = config.ttl,
            (true, false) => {
                self.ttl.fresh_for = config.ttl.fresh_for;
                self.ttl.keep_for = self.ttl.keep_for.max(config.ttl.fresh_for);
            }
            (false, true) => {
                self.ttl.keep_for = config.ttl.keep_for;
                self.ttl.fresh_for = self.ttl.fresh_for.min(config.ttl.keep_for);
            }
            (false, false) => {}
        }
        if is_set("CACHE_MAX_BYTES") {
            self.max_bytes = config.max_bytes;
        }
        self.folders = config.locations.or(self.folders);
        if is_set("TRUST_CACHE_DIR") {
            self.trusts_folders = config.trusts_folders;
        }
        self.namespace = config.namespace.or(self.namespace);
        self.offline = env.flag("OFFLINE")?.unwrap_or(self.offline);
        if let Some(partition) = env.text("PARTITION")? {
            check_id(&env.variable("PARTITION"), &partition)?;
            self.partition = Some(partition);
        }
        if let Some(regions) = env.text("REGIONS")? {
            let name = env.variable("REGIONS");
            let regions = regions.split(',').map(str::trim);
            let regions = regions.filter(|region| !region.is_empty());
            self.regions = regions.map(str::to_owned).collect();
            if self.regions.is_empty() {
                let allowed = "region ids separated by commas";
                return Err(CatalogError::setting(&name, "no region", allowed));
            }
            for region in &self.regions {
                check_id(&name, region)?;
            }
            self.regions_from = Some(name);
        }
        if let Some(path) = env.path("OVERLAY") {
            self.overlay = OverlaySource::File(path);
        }
        if let Some(deadline) = env.duration("DEADLINE")? {
            self.deadline = deadline;
        }
        for (variable, is_set, feature, is_built) in [
            (
                "REDIS_URL",
                config.redis_url.is_some(),
                "redis",
                cfg!(feature = "redis"),
            ),
            (
                "SQLITE",
                config.sqlite.is_some(),
                "sqlite",
                cfg!(feature = "sqlite"),
            ),
        ] {
            if is_set && !is_built {
                let allowed = format!("none: this build has no feature `{feature}`");
                return Err(CatalogError::setting(
                    &env.variable(variable),
                    "set",
                    &allowed,
                ));
            }
        }
        #[cfg(feature = "redis")]
        if let Some(url) = &config.redis_url {
            let name = env.variable("REDIS_URL");
            let options = RedisOptions::from_url(url);
            self.redis =
                Some(options.map_err(|error| {
                    CatalogError::setting(&name, error.value(), error.allowed())
                })?);
        }
        #[cfg(feature = "sqlite")]
        if let Some(path) = config.sqlite {
            self.sqlite = Some(path);
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
        let built = LiveCatalogBuilder::default().from_environment(&env);
        assert!(built.is_ok());
        assert_eq!(*asked.borrow(), manual());
    }

    #[test]
    fn each_variable_sets_what_the_manual_says() {
        let set = BTreeMap::from([
            ("CACHE", "memory"),
            ("CACHE_DIR", "/var/cache/ours"),
            ("TRUST_CACHE_DIR", "1"),
            ("FRESH_FOR", "90s"),
            ("KEEP_FOR", "2d"),
            ("CACHE_MAX_BYTES", "3MiB"),
            ("SQLITE", "/var/cache/ours.sqlite"),
            ("REDIS_URL", "redis://127.0.0.1"),
            ("NAMESPACE", "ours"),
            ("PARTITION", "aws-us-gov"),
            ("REGIONS", "eu-west-1, us-east-1"),
            ("DEADLINE", "7s"),
            ("OFFLINE", "true"),
            ("OVERLAY", "/etc/ours.json"),
        ]);
        let names: BTreeSet<String> = set.keys().map(|name| format!("{PREFIX}_{name}")).collect();
        assert_eq!(names, manual());
        let env = Environment::new(PREFIX, |name| {
            let value = set.get(name.strip_prefix("BEDROCK_CATALOG_")?)?;
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
        assert_eq!(built.folders, Some(vec!["/var/cache/ours".into()]));
        assert!(built.trusts_folders);
        let ttl = (built.ttl.fresh_for, built.ttl.keep_for);
        assert_eq!(
            ttl,
            (Duration::from_secs(90), Duration::from_secs(2 * 24 * 3600))
        );
        assert_eq!(built.max_bytes, 3 << 20);
        assert_eq!(built.partition_id(), "aws-us-gov");
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
