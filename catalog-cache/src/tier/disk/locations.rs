//! Which folders the disk tier uses, in which order, and why a guess was left out.
//!
//! Paths in, paths out: no folder is made here, and the environment is read in one place
//! ([`Surroundings::of_process`]), only when the caller asks for a guess.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::files::{Absent, Folder, Ground, user_tag};
use super::reason::Reason;

/// The longest path that is tried, in bytes. Linux takes 4,095 and our own names need some.
const MAX_PATH: usize = 3_800;

/// The folders of the disk tier, in priority order.
///
/// ```
/// use bedrock_catalog_cache::tier::disk::Locations;
///
/// let given = Locations::given(["/var/cache/app", "/mnt/shared/app"]);
/// assert_eq!(given.paths().count(), 2);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Locations {
    pub(crate) list: Vec<Location>,
}

impl Locations {
    /// These folders, in this order, and no others. Relative ones are relative to the current
    /// folder. A folder that exists must belong to this user and be writable by no one else; one
    /// that does not is made, with mode 0700, when something is written. Impossible paths (empty, the
    /// root, NUL bytes, thousands of bytes) are left out with a warning. Touches no file.
    pub fn given<P: AsRef<Path>>(folders: impl IntoIterator<Item = P>) -> Self {
        let mut list = Vec::new();
        for folder in folders {
            let folder = folder.as_ref();
            let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
            match check_any(folder).and_then(|()| check_any(&absolute)) {
                Ok(()) => list.push(Location::own(absolute, None)),
                Err(reason) => skipped("given", folder, &reason),
            }
        }
        Self { list }
    }

    /// The platform's cache folder (`$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches`,
    /// `%LOCALAPPDATA%`), then a private folder under the temp directory, named after the user. Reads
    /// the environment; values that make no sense are left out with a warning that says why.
    ///
    /// `app` names the folders: letters, digits, `-` and `_`.
    #[must_use]
    pub fn guess(app: &str) -> Self {
        Self::guess_in(app, &Surroundings::of_process())
    }

    pub(crate) fn guess_in(app: &str, surroundings: &Surroundings) -> Self {
        let mut list = Vec::new();
        if let Some(value) = &surroundings.cache_variable
            && let Err(reason) = check_guess(Path::new(value))
        {
            skipped("XDG_CACHE_HOME", Path::new(value), &reason);
        }
        match surroundings.platform_folder() {
            Ok((folder, home)) => list.push(Location::own(folder.join(app), home)),
            Err((folder, reason)) => skipped("the platform's cache folder", &folder, &reason),
        }
        match check_guess(&surroundings.temp) {
            Ok(()) => list.push(Location {
                path: clean(&surroundings.temp).join(format!("{app}-{}", surroundings.user)),
                ground: Ground::Shared,
                needs: None,
            }),
            Err(reason) => skipped("the temp directory", &surroundings.temp, &reason),
        }
        Self { list }
    }

    /// The folders, first choice first.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.list.iter().map(|location| location.path.as_path())
    }
}

/// One folder of the disk tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) path: PathBuf,
    ground: Ground,
    /// A folder that is not ours to make: a home.
    needs: Option<PathBuf>,
}

impl Location {
    fn own(path: PathBuf, needs: Option<PathBuf>) -> Self {
        Self {
            path: clean(&path),
            ground: Ground::Own,
            needs,
        }
    }

    /// The open, verified folder; `None` where it is missing and stays so.
    pub(crate) fn open(&self, absent: Absent) -> Result<Option<Folder>, Reason> {
        if absent == Absent::Make
            && let Some(home) = &self.needs
            && !home.is_dir()
        {
            return Err(Reason::Missing);
        }
        Folder::locate(&self.path, self.ground, absent)
    }
}

/// What the guess depends on.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// `XDG_CACHE_HOME` as it stands, where the platform has it.
    pub(crate) cache_variable: Option<OsString>,
    /// The platform's cache folder, and the home it is in or beside.
    pub(crate) cache: Option<(PathBuf, PathBuf)>,
    /// The temp directory.
    pub(crate) temp: PathBuf,
    /// What tells this user from the others.
    pub(crate) user: String,
}

impl Surroundings {
    fn of_process() -> Self {
        use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_xdg = cfg!(not(any(windows, target_vendor = "apple")));
        let cache_variable = set("XDG_CACHE_HOME").filter(|_| is_xdg);
        // A process without `HOME` is a service or a sandbox. The home that the user database names
        // is not looked up for it: it would be a surprise there.
        let is_at_home = cfg!(windows) || set("HOME").is_some();
        let by_variable = cache_variable
            .as_ref()
            .is_some_and(|value| Path::new(value).is_absolute());
        Self {
            cache_variable,
            cache: choose_native_strategy()
                .ok()
                .filter(|_| is_at_home || by_variable)
                .map(|strategy| (strategy.cache_dir(), strategy.home_dir().to_path_buf())),
            temp: std::env::temp_dir(),
            user: user_tag(),
        }
    }

    /// The folder, and the home that must be there.
    fn platform_folder(&self) -> Result<(PathBuf, Option<PathBuf>), (PathBuf, Reason)> {
        let Some((cache, home)) = &self.cache else {
            return Err((PathBuf::from("$HOME"), Reason::Missing));
        };
        check_guess(cache).map_err(|reason| (cache.clone(), reason))?;
        let by_variable = self.cache_variable.as_deref() == Some(cache.as_os_str());
        if by_variable || !(home.as_os_str().is_empty() || cache.starts_with(home)) {
            return Ok((cache.clone(), None));
        }
        // A home at `/`, as in many containers, is no home.
        check_guess(home).map_err(|reason| (home.clone(), reason))?;
        Ok((cache.clone(), Some(home.clone())))
    }
}

/// Whether a path from the environment can be a folder of ours: absolute, UTF-8, not the root, without
/// `..` and NUL, and of a length that leaves room for our names. Touches no file.
///
/// # Errors
/// What is wrong with it.
pub fn check_guess(path: &Path) -> Result<(), Reason> {
    check_any(path)?;
    if path.to_str().is_none() {
        return Err(Reason::NotUtf8);
    }
    if !path.is_absolute() {
        return Err(Reason::Relative);
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(Reason::ParentComponent);
    }
    Ok(())
}

/// What holds for every path.
fn check_any(path: &Path) -> Result<(), Reason> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() {
        return Err(Reason::Empty);
    }
    if bytes.contains(&0) {
        return Err(Reason::Nul);
    }
    if bytes.len() > MAX_PATH {
        return Err(Reason::TooLong(bytes.len()));
    }
    if path.is_absolute() && path.parent().is_none() {
        return Err(Reason::Root);
    }
    Ok(())
}

/// Without a trailing slash, which would make the system follow a link at the end.
fn clean(path: &Path) -> PathBuf {
    path.components().collect()
}

fn skipped(what: &str, path: &Path, reason: &Reason) {
    // Thousands of bytes help no one.
    let shown: String = path.to_string_lossy().chars().take(200).collect();
    tracing::warn!(path = %shown.escape_debug(), %reason, "cache folder left out: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(cache: &str, home: &str, temp: &str) -> Surroundings {
        Surroundings {
            cache_variable: None,
            cache: Some((cache.into(), home.into())),
            temp: temp.into(),
            user: "1234".to_owned(),
        }
    }

    fn guessed(surroundings: &Surroundings) -> Vec<String> {
        Locations::guess_in("app", surroundings)
            .paths()
            .map(|path| path.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_platform_comes_first_and_a_private_temp_folder_second() {
        let usual = surroundings("/home/u/.cache/", "/home/u", "/tmp");
        assert_eq!(guessed(&usual), ["/home/u/.cache/app", "/tmp/app-1234"]);
    }

    #[test]
    fn senseless_homes_and_temps_are_left_out() {
        let long = format!("/{}", "x".repeat(5_000));
        for bad in ["relative", "/a/../b", "/", "/nul\0/b", "", &long] {
            let cache = format!("{bad}/.cache");
            let cache = if bad == "/" { "/.cache" } else { &cache };
            assert_eq!(
                guessed(&surroundings(cache, bad, "/tmp")),
                ["/tmp/app-1234"],
                "home {bad:.20}"
            );
            assert_eq!(
                guessed(&surroundings("/home/u/.cache", "/home/u", bad)),
                ["/home/u/.cache/app"],
                "temp {bad:.20}"
            );
        }
    }

    #[test]
    fn a_cache_variable_of_root_is_left_out_and_one_outside_home_needs_no_home() {
        let mut here = surroundings("/", "/home/u", "/tmp");
        here.cache_variable = Some("/".into());
        assert_eq!(guessed(&here), ["/tmp/app-1234"]);
        here.cache = Some(("/var/c".into(), "/nonexistent".into()));
        here.cache_variable = Some("/var/c".into());
        assert_eq!(guessed(&here), ["/var/c/app", "/tmp/app-1234"]);
        here.cache = None;
        assert_eq!(guessed(&here), ["/tmp/app-1234"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf8_is_no_guess() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/tmp/\xff"));
        assert!(matches!(check_guess(path), Err(Reason::NotUtf8)));
    }

    #[test]
    fn given_folders_may_be_relative_but_not_impossible() {
        let given = Locations::given(["here", "../there", "/", "", "nul\0"]);
        let paths: Vec<_> = given.paths().collect();
        assert_eq!(paths.len(), 2);
        assert!(paths.iter().all(|path| path.is_absolute()));
    }

    #[test]
    fn a_home_that_is_missing_is_not_made() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("nobody");
        let cache = home.join(".cache");
        let here = surroundings(cache.to_str().unwrap(), home.to_str().unwrap(), "/tmp");
        let locations = Locations::guess_in("app", &here);
        assert!(matches!(
            locations.list[0].open(Absent::Make),
            Err(Reason::Missing)
        ));
        assert!(!home.exists());
    }
}
