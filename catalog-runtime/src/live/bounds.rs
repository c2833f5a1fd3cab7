//! Which values a setting may have, and how one that is out of bounds is told.

use std::path::Path;
use std::time::Duration;

use crate::cache::{ConfigError, parse_duration};
use crate::error::{CatalogError, CatalogErrorKind};

/// The least and the most of a duration.
pub(super) type Bounds = (&'static str, &'static str);

pub(super) const DEADLINE: Bounds = ("1ms", "10min");
pub(super) const FRESH_FOR: Bounds = ("1s", "365d");
pub(super) const KEEP_FOR: Bounds = ("1s", "3650d");

/// Refuses what is out of bounds, told as it was written.
pub(super) fn in_bounds(
    name: &str,
    written: Option<String>,
    is: Duration,
    (least, most): Bounds,
) -> Result<(), CatalogError> {
    let inside = parse_duration(least).is_none_or(|least| is >= least)
        && parse_duration(most).is_none_or(|most| is <= most);
    match inside {
        true => Ok(()),
        false => {
            let written = written.unwrap_or_else(|| format!("{is:?}"));
            Err(refused(name, written, format!("{least} to {most}")))
        }
    }
}

/// Refuses what can be the id of no partition and no region.
pub(super) fn is_word(name: &str, text: &str) -> Result<(), CatalogError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        true => Ok(()),
        false => Err(refused(name, text, "lower-case letters, digits and `-`")),
    }
}

/// Refuses a path that is empty.
pub(super) fn is_path(name: &str, path: Option<&Path>) -> Result<(), CatalogError> {
    match path.is_some_and(|path| path.as_os_str().is_empty()) {
        true => Err(refused(name, "", "the path of a file")),
        false => Ok(()),
    }
}

/// The same words as [`ConfigError`]'s own.
pub(super) fn wrong(error: ConfigError) -> CatalogError {
    let message = format!("{} is {:?}", error.setting(), error.value());
    let told = CatalogError::new(CatalogErrorKind::InvalidConfiguration, message);
    told.advising(format!("allowed: {}", error.allowed()))
}

pub(super) fn refused(
    name: &str,
    value: impl Into<String>,
    allowed: impl Into<String>,
) -> CatalogError {
    wrong(ConfigError::new(name, value, allowed))
}
