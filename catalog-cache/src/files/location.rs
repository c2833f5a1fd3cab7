//! The locations of the tier: given folders, or the platform's cache folder and a private folder in the
//! temp directory.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::error::{missing, refused};
use super::folder::{Folder, IfMissing, TrustCheck, user_suffix};
use crate::{TierError, TierErrorKind};

/// The longest path, in bytes. Linux accepts 4,095, and the names inside a location need some of them.
const MAX_PATH: usize = 3_800;

/// One folder of the tier.
#[derive(Debug)]
pub(crate) struct Location {
    pub(crate) path: PathBuf,
    check: TrustCheck,
    /// The home that has to exist: it is never created.
    home: Option<PathBuf>,
    /// A warning was logged since the location last worked.
    warned: AtomicBool,
    /// An upper bound of its entries, in bytes: as last counted, plus the writes since. `u64::MAX` before
    /// the first count.
    bytes: AtomicU64,
}

impl Location {
    fn new(path: &Path, check: TrustCheck, home: Option<PathBuf>) -> Self {
        Self {
            // Without a trailing slash, which makes the system follow a link.
            path: path.components().collect(),
            check,
            home,
            warned: AtomicBool::new(false),
            bytes: AtomicU64::new(u64::MAX),
        }
    }

    /// Given folders; a relative one counts from the current folder. An impossible path is left out with
    /// a warning.
    pub(crate) fn given<P: AsRef<Path>>(folders: &[P], check: TrustCheck) -> Vec<Self> {
        let mut locations = Vec::new();
        for folder in folders {
            let folder = folder.as_ref();
            let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
            match check_path(folder).and_then(|()| check_path(&absolute)) {
                Ok(()) => locations.push(Self::new(&absolute, check, None)),
                Err(error) => warn_left_out("given", folder, &error),
            }
        }
        locations
    }

    /// The platform's locations for an application, as this process's environment has them.
    pub(crate) fn platform(app: &str) -> Vec<Self> {
        Platform::of_process().locations(app)
    }

    /// The open, verified folder.
    pub(crate) fn open(&self, if_missing: IfMissing) -> Result<Option<Folder>, TierError> {
        if if_missing == IfMissing::Create
            && let Some(home) = &self.home
            && !home.is_dir()
        {
            return Err(missing());
        }
        Folder::open(&self.path, self.check, if_missing).map_err(|error| match error.kind() {
            TierErrorKind::Unsafe => {
                let advice =
                    "the folder has to be this user's, with mode 0700, or to be trusted explicitly";
                refused(advice).with_source(error)
            }
            _ => error,
        })
    }

    /// Counts written bytes; the new upper bound.
    pub(crate) fn add_bytes(&self, bytes: u64) -> u64 {
        let add = |held: u64| Some(held.saturating_add(bytes));
        let before = self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        before.unwrap_or(u64::MAX).saturating_add(bytes)
    }

    /// Sets the upper bound to a count.
    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Logs the first failure since the location last worked as a warning, and later ones at DEBUG.
    pub(crate) fn warn_once(&self, error: &TierError) {
        let path = self.path.display();
        if self.warned.swap(true, Ordering::Relaxed) {
            tracing::debug!(%path, %error, "cache location not used");
        } else {
            tracing::warn!(%path, %error, "cache location not used");
        }
    }

    /// The location works: its next failure is a warning again.
    pub(crate) fn works(&self) {
        self.warned.store(false, Ordering::Relaxed);
    }
}

/// The parts of the environment that decide on the platform's locations.
#[derive(Debug, Clone)]
struct Platform {
    /// `XDG_CACHE_HOME`, on platforms that have it.
    cache_variable: Option<OsString>,
    /// The platform's cache folder and the user's home.
    cache: Option<(PathBuf, PathBuf)>,
    temp: PathBuf,
    /// Distinguishes the users' folders in the temp directory.
    user: String,
}

impl Platform {
    fn of_process() -> Self {
        use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_xdg = cfg!(not(any(windows, target_vendor = "apple")));
        let cache_variable = set("XDG_CACHE_HOME").filter(|_| is_xdg);
        // A process without HOME is a service or a sandbox; the home in the user database is not looked
        // up for it.
        let has_home = cfg!(windows) || set("HOME").is_some();
        let by_variable = cache_variable
            .as_ref()
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let cache = match by_variable {
            // Without a look at the home, which a user id without an account does not have.
            Some(cache) => Some((cache, PathBuf::new())),
            None => choose_native_strategy()
                .ok()
                .filter(|_| has_home)
                .map(|strategy| (strategy.cache_dir(), strategy.home_dir().to_path_buf())),
        };
        Self {
            cache_variable,
            cache,
            temp: std::env::temp_dir(),
            user: user_suffix(),
        }
    }

    fn locations(&self, app: &str) -> Vec<Location> {
        let mut locations = Vec::new();
        if let Some(value) = &self.cache_variable
            && let Err(error) = check_absolute(Path::new(value))
        {
            warn_left_out("XDG_CACHE_HOME", Path::new(value), &error);
        }
        match self.cache_folder() {
            Ok((folder, home)) => {
                locations.push(Location::new(&folder.join(app), TrustCheck::Own, home));
            }
            Err((folder, error)) => warn_left_out("the platform's", &folder, &error),
        }
        match check_absolute(&self.temp) {
            Ok(()) => {
                let folder = self.temp.join(format!("{app}-{}", self.user));
                locations.push(Location::new(&folder, TrustCheck::Private, None));
            }
            Err(error) => warn_left_out("in the temp directory", &self.temp, &error),
        }
        locations
    }

    /// The cache folder, and the home that has to exist.
    fn cache_folder(&self) -> Result<(PathBuf, Option<PathBuf>), (PathBuf, TierError)> {
        let Some((cache, home)) = &self.cache else {
            return Err((PathBuf::from("$HOME"), missing()));
        };
        check_absolute(cache).map_err(|error| (cache.clone(), error))?;
        let by_variable = self.cache_variable.as_deref() == Some(cache.as_os_str());
        if by_variable || !(home.as_os_str().is_empty() || cache.starts_with(home)) {
            return Ok((cache.clone(), None));
        }
        // A home at `/`, as in many containers, is no home.
        check_absolute(home).map_err(|error| (home.clone(), error))?;
        Ok((cache.clone(), Some(home.clone())))
    }
}

/// Checks a path from the environment: absolute, UTF-8, and without `..`.
fn check_absolute(path: &Path) -> Result<(), TierError> {
    check_path(path)?;
    if path.to_str().is_none() {
        return Err(refused("the path is not UTF-8"));
    }
    if !path.is_absolute() {
        return Err(refused("the path is relative"));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(refused("the path contains `..`"));
    }
    Ok(())
}

/// Checks any path.
fn check_path(path: &Path) -> Result<(), TierError> {
    let bytes = path.as_os_str().as_encoded_bytes();
    Err(refused(if bytes.is_empty() {
        "the path is empty"
    } else if bytes.contains(&0) {
        "the path contains a NUL byte"
    } else if bytes.len() > MAX_PATH {
        "the path is too long"
    } else if path.is_absolute() && path.parent().is_none() {
        "the path is the root of the file system"
    } else {
        return Ok(());
    }))
}

fn warn_left_out(which: &str, path: &Path, error: &TierError) {
    // The beginning of a path of thousands of bytes is enough.
    let path: String = path.to_string_lossy().chars().take(200).collect();
    tracing::warn!(path = %path.escape_debug(), %error, "cache folder {which} left out");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(cache: &str, home: &str, temp: &str) -> Platform {
        Platform {
            cache_variable: None,
            cache: Some((cache.into(), home.into())),
            temp: temp.into(),
            user: "1234".to_owned(),
        }
    }

    fn paths(platform: &Platform) -> Vec<String> {
        let text = |location: Location| location.path.to_str().unwrap().to_owned();
        platform.locations("app").into_iter().map(text).collect()
    }

    #[test]
    fn the_platform_comes_first_and_a_private_temp_folder_second() {
        let usual = platform("/home/u/.cache/", "/home/u", "/tmp");
        assert_eq!(paths(&usual), ["/home/u/.cache/app", "/tmp/app-1234"]);
    }

    #[test]
    fn impossible_homes_and_temp_directories_are_left_out() {
        let long = format!("/{}", "x".repeat(5_000));
        for bad in ["relative", "/a/../b", "/", "/nul\0/b", "", &long] {
            let cache = format!("{bad}/.cache");
            let cache = if bad == "/" { "/.cache" } else { &cache };
            assert_eq!(
                paths(&platform(cache, bad, "/tmp")),
                ["/tmp/app-1234"],
                "home {bad:.20}"
            );
            assert_eq!(
                paths(&platform("/home/u/.cache", "/home/u", bad)),
                ["/home/u/.cache/app"],
                "temp {bad:.20}"
            );
        }
    }

    #[test]
    fn a_cache_variable_of_root_is_left_out_and_one_outside_home_needs_no_home() {
        let mut here = platform("/", "/home/u", "/tmp");
        here.cache_variable = Some("/".into());
        assert_eq!(paths(&here), ["/tmp/app-1234"]);
        here.cache = Some(("/var/c".into(), "/nonexistent".into()));
        here.cache_variable = Some("/var/c".into());
        assert_eq!(paths(&here), ["/var/c/app", "/tmp/app-1234"]);
        here.cache = None;
        assert_eq!(paths(&here), ["/tmp/app-1234"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_from_the_environment_that_is_not_utf8_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/tmp/\xff"));
        let error = check_absolute(path).unwrap_err();
        assert_eq!(error.to_string(), "the path is not UTF-8");
    }

    #[test]
    fn given_folders_may_be_relative_but_not_impossible() {
        let given = ["here", "../there", "/", "", "nul\0"];
        let given = Location::given(&given, TrustCheck::Own);
        assert_eq!(given.len(), 2);
        assert!(given.iter().all(|location| location.path.is_absolute()));
    }

    #[test]
    fn a_missing_home_is_not_created() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("missing");
        let cache = home.join(".cache");
        let here = platform(cache.to_str().unwrap(), home.to_str().unwrap(), "/tmp");
        let locations = here.locations("app");
        let error = locations[0].open(IfMissing::Create).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::Unavailable);
        assert!(!home.exists());
    }
}
