//! The environment of the process: homes, temp directories, the umask, the machine's clock. Child processes
//! use the platform's locations; no fault reaches the caller.
//!
//! The full figures run with `BEDROCK_CATALOG_LONG=1`. Tests that this machine does not allow are skipped
//! by name.
#![cfg(all(unix, not(portable_files), feature = "files"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bedrock_catalog_cache::{
    Cache, EntryOptions, FileTier, FilesOptions, Freshness, MemoryLimits, Settings, SystemClock,
    Ttl,
};
use support::{
    HOUR, child, child_under, count, figure, file_in, files, key, namespace, put, skip, tier_of,
};

/// The job of a child process.
#[test]
fn actor() {
    let Some((job, folder)) = support::job() else {
        return;
    };
    match job.as_str() {
        // In the platform's locations, by the environment that the parent set.
        "platform" => {
            let files = tier(&FilesOptions::platform("test-app"));
            let builder = Cache::builder().namespace(namespace());
            let cache = builder.memory(MemoryLimits::default()).tier(files);
            let cache = cache.build().unwrap();
            let stored = cache.put(&key(), "1", &EntryOptions::source("test"));
            let hit = cache.get(&key()).into_hit().expect("memory always has it");
            assert_eq!(
                (hit.data.as_ref(), stored.tiers[0]),
                (b"1".as_ref(), "memory")
            );
        }
        "put" => {
            let _ = put(&tier_of(&[&folder]), &support::entry(7, 100));
        }
        "write" => drop(files_only(&folder).put(&key(), "1", &EntryOptions::source("test"))),
        "read" => {
            let (state, age) = match files_only(&folder).get(&key()) {
                Freshness::Fresh(hit) => ("fresh", hit.age()),
                Freshness::Stale(hit) => ("stale", hit.age()),
                Freshness::Missing => ("missing", Duration::ZERO),
            };
            fs::write(folder.join("answer"), format!("{state} {}", age.as_secs())).unwrap();
        }
        other => panic!("unknown job {other}"),
    }
}

fn tier(options: &FilesOptions) -> FileTier {
    let options = options.clone().file_key(key(), "catalog");
    let codec = bedrock_catalog_cache::Codec::new(support::VERSION);
    FileTier::new(&options, codec, std::sync::Arc::new(SystemClock))
}

/// Fresh for an hour, kept for a day, by the clock of the machine.
fn files_only(folder: &Path) -> Cache {
    let mut settings = Settings::default();
    settings.ttl = Ttl {
        fresh_for: HOUR,
        keep_for: 24 * HOUR,
    };
    let files = tier(&FilesOptions::in_folders([folder]));
    let builder = Cache::builder().namespace(namespace()).settings(settings);
    builder.tier(files).build().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A user's home and temp directory, in a place where file systems can be mounted.
struct User {
    root: tempfile::TempDir,
    home: PathBuf,
    temp: PathBuf,
}

impl User {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (home, temp) = (root.path().join("home"), root.path().join("temp"));
        fs::create_dir(&home).unwrap();
        fs::create_dir(&temp).unwrap();
        fs::set_permissions(&temp, Permissions::from_mode(0o1777)).unwrap();
        Self { root, home, temp }
    }

    /// A child in the platform's locations, with this `HOME`.
    fn platform(&self, home: Option<&std::ffi::OsStr>) -> Command {
        let mut process = child("platform", self.root.path());
        process
            .env_remove("HOME")
            .env_remove("XDG_CACHE_HOME")
            .env("TMPDIR", &self.temp)
            .current_dir(self.root.path());
        if let Some(home) = home {
            process.env("HOME", home);
        }
        process
    }

    /// Whether the home and the temp directory have the entry.
    fn has(&self) -> (bool, bool) {
        let has = |folder| !files(folder, "catalog.jsonl").is_empty();
        (has(&self.home), has(&self.temp))
    }

    fn shell(&self, script: &str) -> bool {
        let (home, temp) = (self.home.display(), self.temp.display());
        support::shell(&format!("HOME_='{home}'; TEMP='{temp}'; {script}"))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.shell(
            "for p in \"$HOME_\" \"$TEMP\"; do chattr -i \"$p\" 2>/dev/null || true; \
             umount \"$p\" 2>/dev/null || true; done",
        );
    }
}

#[test]
fn without_a_usable_home_the_next_location_or_memory_serves() {
    let (mut rows, mut skipped) = (0, Vec::new());
    let mut row = |what: &'static str, script: &str, home: Option<&str>, expected| {
        let user = User::new();
        let is_made = || support::is_root() && user.shell(script);
        if !script.is_empty() && !is_made() {
            skipped.push(what);
            return;
        }
        let own = user.home.clone().into_os_string();
        let home = match home {
            Some("") => Some(own),
            other => other.map(OsString::from),
        };
        let status = user.platform(home.as_deref()).status().unwrap();
        assert!(status.success(), "{what}: the child failed");
        assert_eq!(user.has(), expected, "{what}");
        rows += 1;
    };
    const NOWHERE: (bool, bool) = (false, false);
    const HOME: (bool, bool) = (true, false);
    const TEMP: (bool, bool) = (false, true);
    let ro = |what: &str| {
        format!("mount --bind \"{what}\" \"{what}\"; mount -o remount,ro,bind \"{what}\"; ")
    };
    // On a file system that knows the flag.
    let immutable = |what: &str| {
        format!(
            "truncate -s 16M \"{what}.image\"; mkfs.ext4 -q -F \"{what}.image\"; \
             mount -o loop \"{what}.image\" \"{what}\"; chmod 1777 \"{what}\"; \
             rmdir \"{what}/lost+found\"; chattr +i \"{what}\"; "
        )
    };
    row("a home like any", "", Some(""), HOME);
    row("HOME is missing", "", Some("/nonexistent/home"), TEMP);
    row("HOME is unset", "", None, TEMP);
    row("HOME is relative", "", Some("home"), TEMP);
    row("HOME is /", "", Some("/"), TEMP);
    row("HOME is read-only", &ro("$HOME_"), Some(""), TEMP);
    row("HOME is immutable", &immutable("$HOME_"), Some(""), TEMP);
    row(
        "the temp folder is immutable",
        &immutable("$TEMP"),
        None,
        NOWHERE,
    );
    row(
        "all is read-only",
        &(ro("$HOME_") + &ro("$TEMP")),
        Some(""),
        NOWHERE,
    );
    for what in skipped {
        skip(what, "mounting or chattr is not allowed here");
    }
    count("homes", format_args!("{rows} homes"));
}

#[test]
fn hostile_environments_are_skipped_and_nothing_fails() {
    let long = format!("/tmp/{}", "x".repeat(5_000));
    let values: Vec<OsString> = vec![
        "relative".into(),
        "../up".into(),
        "/tmp/../tmp/up".into(),
        "/".into(),
        "".into(),
        long.into(),
        OsString::from_vec(b"/tmp/\xff\xfe".to_vec()),
        "/nonexistent/home".into(),
    ];
    for value in &values {
        for name in ["HOME", "XDG_CACHE_HOME", "TMPDIR"] {
            // The XDG specification has a missing cache folder made; a home is never made.
            if name == "XDG_CACHE_HOME" && *value == "/nonexistent/home" {
                continue;
            }
            let user = User::new();
            let mut process = user.platform(Some(user.home.as_os_str()));
            process.env(name, value);
            assert!(process.status().unwrap().success(), "{name}={value:?}");
            // The entry is in one good place, and not where the value points.
            let found = files(user.root.path(), "catalog.jsonl");
            assert_eq!(found.len(), 1, "{name}={value:?}: {found:?}");
            assert!(!Path::new("/nonexistent").exists());
        }
    }
    // Without a home, the variable alone is enough.
    let user = User::new();
    let mut process = user.platform(None);
    process
        .env("XDG_CACHE_HOME", user.root.path().join("xdg"))
        .env("TMPDIR", "/");
    assert!(process.status().unwrap().success());
    assert_eq!(
        files(&user.root.path().join("xdg"), "catalog.jsonl").len(),
        1
    );
}

#[test]
fn folders_and_files_have_modes_0700_and_0600_under_any_umask() {
    for umask in ["000", "022", "077"] {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b/cache");
        let exe = std::env::current_exe().unwrap();
        let script = format!(
            "umask {umask}; exec '{}' actor --exact --quiet",
            exe.display()
        );
        let mut process = child_under(&["sh", "-c", &script], "put", &folder);
        assert!(process.status().unwrap().success());
        let file = file_in(&folder);
        assert_eq!(mode(&file), 0o600, "umask {umask}");
        for folder in file.ancestors().skip(1).take(5) {
            assert_eq!(mode(folder), 0o700, "umask {umask}: {}", folder.display());
        }
        assert_eq!(mode(&file.with_file_name("lock")), 0o600);
    }
}

/// Nine times of writing against nine of reading, with the machine's clock as `faketime` sets it for a
/// process. `disk_faults.rs` has the same grid on an injected clock.
#[test]
fn no_clock_of_the_machine_keeps_an_entry_fresh_for_ever() {
    let name = "faketime";
    let answer = Command::new("faketime")
        .args(["-f", "2030-01-01 00:00:00", "date", "+%Y"])
        .output();
    if !answer.is_ok_and(|answer| answer.stdout.starts_with(b"2030")) {
        skip(name, "faketime does not run here");
        return;
    }
    let (day, base) = (24 * HOUR, UNIX_EPOCH + Duration::from_secs(1_767_225_600));
    let times = [
        UNIX_EPOCH + day, // In `faketime`, 1970 itself depends on the time zone.
        base - 2 * day,
        base - HOUR - Duration::from_secs(60),
        base - Duration::from_secs(240),
        base,
        base + Duration::from_secs(240),
        base + Duration::from_secs(360),
        base + 2 * day,
        base + 3_650 * day,
    ];
    let at = |time: SystemTime, job: &str, folder: &Path| {
        // The time of the start; the clock goes on from there.
        let since = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let time = format!("@{}", date(since));
        let prefix = ["env", "TZ=UTC", "faketime", "-f", &time];
        assert!(
            child_under(&prefix, job, folder)
                .status()
                .unwrap()
                .success()
        );
    };
    let step = figure(1, 4) as usize;
    let mut pairs = 0;
    for written in times {
        for read in times.into_iter().skip(pairs % step).step_by(step) {
            let root = tempfile::tempdir().unwrap();
            at(written, "write", root.path());
            at(read, "read", root.path());
            let answer = fs::read_to_string(root.path().join("answer")).unwrap();
            let age = read.duration_since(written).unwrap_or_default();
            let ahead = written.duration_since(read).unwrap_or_default();
            let expected = if age >= day || ahead >= day {
                "missing"
            } else if age >= HOUR || ahead > Duration::from_secs(300) {
                "stale"
            } else {
                "fresh"
            };
            let (state, seconds) = answer.split_once(' ').unwrap();
            assert_eq!(state, expected, "age {age:?}, ahead {ahead:?}");
            let seconds = Duration::from_secs(seconds.parse().unwrap());
            assert!(state == "missing" || seconds < age + Duration::from_secs(30));
            pairs += 1;
        }
    }
    count(name, format_args!("{pairs} pairs of clocks"));
}

/// Seconds since 1970 as `YYYY-MM-DD hh:mm:ss`, by the system's `date`.
fn date(seconds: u64) -> String {
    let output = Command::new("date")
        .args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%d %H:%M:%S"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
