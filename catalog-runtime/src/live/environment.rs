//! What the environment says of a live catalog, where the caller asks for it.

use super::bounds::{DEADLINE, FRESH_FOR, KEEP_FOR, in_bounds, is_word, refused, wrong};
use super::builder::LiveCatalogBuilder;
use super::laid_over::OverlaySource;
#[cfg(feature = "redis")]
use crate::cache::tier::redis::RedisOptions;
use crate::cache::{CacheConfig, Environment};
use crate::error::{Error, ErrorKind};

/// The beginning of the names of our environment variables.
const PREFIX: &str = "BEDROCK_CATALOG";

impl LiveCatalogBuilder {
    /// What the environment says of all this; see the crate's table of variables. Read here and now.
    ///
    /// # Errors
    /// A variable cannot be used: its name, its value, and what is allowed.
    pub fn from_env(self) -> Result<Self, Error> {
        self.from_environment(&Environment::process(PREFIX))
    }

    /// The same from given variables.
    ///
    /// # Errors
    /// As [`LiveCatalogBuilder::from_env`].
    pub fn from_environment(mut self, env: &Environment<'_>) -> Result<Self, Error> {
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
                return Err(Error::new(ErrorKind::InvalidConfiguration, message));
            }
        }
        Ok(self)
    }
}
