//! A hostile local user: the attacks on a folder that others can reach, on real files.
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

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bedrock_catalog_cache::{
    Deadline, FileTier, FilesOptions, ManualClock, Namespace, Tier, TierErrorKind,
};
use support::{
    child, count, entry, figure, file_in, files, get, key, put, read, skip, tier_of, tier_with,
};

/// The job of a child process.
#[test]
fn actor() {
    let Some((job, folder)) = support::job() else {
        return;
    };
    match job.as_str() {
        // In the platform's locations, by the environment that the parent set.
        "put" => {
            let _ = put(&platform(), &entry(7, 100));
            let _ = fs::write(folder.join("answer"), "done");
        }
        "read-foreign" => {
            assert_eq!(read(&platform()), None, "read from another user's folder");
        }
        other => panic!("unknown job {other}"),
    }
}

fn platform() -> FileTier {
    let clock = ManualClock::at(support::at(1_000_000));
    tier_with(&clock, FilesOptions::platform("test-app"), support::VERSION)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A location with an entry of generation 1 in it.
fn filled() -> (tempfile::TempDir, PathBuf, FileTier) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cache");
    let tier = tier_of(&[&folder]);
    put(&tier, &entry(1, 100)).unwrap();
    assert_eq!(read(&tier), Some(1));
    (root, folder, tier)
}

/// The entry is refused at once, and the next write replaces it.
fn refused_then_healed(tier: &FileTier, what: &str) {
    let start = Instant::now();
    let error = get(tier, &key()).unwrap_err();
    assert!(!error.is_tier_failure(), "{what}: {error}");
    let most = Duration::from_millis(figure(50, 1_000));
    assert!(start.elapsed() <= most, "{what} hangs");
    put(tier, &entry(2, 100)).unwrap();
    assert_eq!(read(tier), Some(2), "{what} heals");
}

#[test]
fn a_folder_with_another_mode_is_refused_and_left_as_it_is() {
    for (depth, bad) in [
        (0, 0o777),
        (0, 0o770),
        (0, 0o702),
        (1, 0o755),
        (1, 0o770),
        (2, 0o711),
    ] {
        let (_root, folder, tier) = filled();
        let inner = file_in(&folder);
        let target = match depth {
            0 => folder.clone(),
            1 => folder.join("v1"),
            _ => inner.parent().unwrap().to_path_buf(),
        };
        set_mode(&target, bad);
        let error = get(&tier, &key()).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::Unsafe, "{}", target.display());
        put(&tier, &entry(2, 100)).unwrap_err();
        assert_eq!(mode(&target), bad, "never chmod-ed");
        set_mode(&target, 0o700);
        assert_eq!(read(&tier), Some(1), "nothing was written");
    }
    // Others may look into a given folder, as into a home.
    let (_root, folder, tier) = filled();
    set_mode(&folder, 0o755);
    assert_eq!(read(&tier), Some(1));
}

/// A container's volume: root's or a group's, open to all, perhaps behind a link.
#[test]
fn a_trusted_folder_is_used_whatever_its_owner_and_mode() {
    let root = tempfile::tempdir().unwrap();
    let volume = root.path().join("volume");
    fs::create_dir(&volume).unwrap();
    set_mode(&volume, 0o2777);
    if std::os::unix::fs::chown(&volume, Some(65_534), None).is_err() {
        skip("a volume of another user", "chown is not allowed here");
    }
    let link = root.path().join("link");
    symlink(&volume, &link).unwrap();
    let clock = ManualClock::at(support::at(1_000_000));
    for (n, folder) in [&volume, &link, &volume.join("a/b")]
        .into_iter()
        .enumerate()
    {
        let untrusted = tier_of(&[folder]);
        put(&untrusted, &entry(9, 100)).unwrap_err();
        assert_eq!(read(&untrusted), None);
        let options = FilesOptions::in_folders([folder]).trust_folders();
        let tier = tier_with(&clock, options, support::VERSION);
        let generation = n as u64 + 1;
        put(&tier, &entry(generation, 100)).unwrap();
        assert_eq!(read(&tier), Some(generation));
        let file = file_in(folder);
        assert_eq!(mode(&file), 0o600);
        // A platform may open all files of a volume to a group.
        set_mode(&file, 0o660);
        assert_eq!(read(&tier), Some(generation));
        // Other users' entries, links and second names are refused all the same.
        fs::hard_link(&file, root.path().join("second")).unwrap();
        refused_then_healed(&tier, "a hard link");
        fs::remove_file(root.path().join("second")).unwrap();
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_refused_location_is_one_warning_that_says_what_to_do() {
    let (root, folder, _) = filled();
    set_mode(&folder, 0o777);
    let tier = tier_of(&[folder, root.path().join("second")]);
    let ((), lines) = support::logs::captured(|| {
        for generation in 2..20 {
            let _ = read(&tier);
            put(&tier, &entry(generation, 100)).unwrap();
            let _ = tier.cleanup(support::at(1_000_000));
        }
    });
    let warnings: Vec<_> = lines
        .iter()
        .filter(|line| line.level == tracing::Level::WARN)
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let text = &warnings[0].text;
    assert!(
        text.contains("its mode is 0777") && text.contains("trusted explicitly"),
        "{text}"
    );
}

#[test]
fn a_folder_that_is_a_link_or_a_file_is_refused() {
    let (root, folder, _) = filled();
    let link = root.path().join("link");
    symlink(&folder, &link).unwrap();
    for path in [link.clone(), link.join("")] {
        let tier = tier_of(&[&path]);
        assert_eq!(read(&tier), None, "never read through a link");
        put(&tier, &entry(2, 100)).unwrap_err();
        let message = tier.status().message;
        assert!(message.ends_with("it is a symbolic link"), "{message}");
    }
    assert_eq!(read(&tier_of(&[&folder])), Some(1));

    // Also below the location.
    let other = root.path().join("other");
    fs::create_dir(&other).unwrap();
    set_mode(&other, 0o700);
    symlink(folder.join("v1"), other.join("v1")).unwrap();
    let tier = tier_of(&[&other]);
    assert_eq!(read(&tier), None);
    put(&tier, &entry(3, 100)).unwrap_err();
    assert_eq!(read(&tier_of(&[&folder])), Some(1));

    let file = root.path().join("file");
    fs::write(&file, "mine").unwrap();
    put(&tier_of(&[&file]), &entry(2, 100)).unwrap_err();
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn an_entry_that_is_a_link_is_refused_and_its_target_untouched() {
    let (root, folder, tier) = filled();
    let path = file_in(&folder);
    // To a valid entry, which a reader that follows links would accept.
    let target = root.path().join("target");
    fs::rename(&path, &target).unwrap();
    let before = fs::read(&target).unwrap();
    symlink(&target, &path).unwrap();
    refused_then_healed(&tier, "a link to our file");
    assert_eq!(fs::read(&target).unwrap(), before);
    assert!(fs::symlink_metadata(&path).unwrap().is_file());

    for (what, to) in [
        ("dangling", root.path().join("nowhere")),
        ("loop", path.clone()),
    ] {
        fs::remove_file(&path).unwrap();
        symlink(&to, &path).unwrap();
        let error = get(&tier, &key()).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::Corrupt, "{what}");
        put(&tier, &entry(3, 100)).unwrap();
        assert_eq!(read(&tier), Some(3), "{what}");
        assert!(
            what == "loop" || !to.exists(),
            "{what}: the target was made"
        );
    }
}

/// Sets a flag on drop.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_entry_swapped_for_a_link_during_reads_and_writes_never_leads_out() {
    let (root, folder, tier) = filled();
    let path = file_in(&folder);
    // Valid except for its place: a read of it is an escape.
    let escape = root.path().join("escape");
    put(&tier_of(&[&escape]), &entry(666_666, 100)).unwrap();
    let target = file_in(&escape);
    let before = fs::read(&target).unwrap();
    let spare = path.with_file_name("spare");
    let stop = AtomicBool::new(false);
    let rounds = figure(100_000, 2_000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = symlink(&target, &spare);
                let _ = fs::rename(&spare, &path);
            }
        });
        // Also if an assertion fails.
        let _stop = Raise(&stop);
        for round in 0..rounds {
            if round % 8 == 0 {
                let _ = put(&tier, &entry(1, 100));
            }
            assert_ne!(read(&tier), Some(666_666), "escaped in round {round}");
        }
    });
    assert_eq!(fs::read(&target).unwrap(), before, "the target was written");
    count(
        "links swapped during a write",
        format_args!("{rounds} rounds"),
    );
}

#[test]
fn an_entry_that_is_no_regular_file_is_refused_at_once() {
    let (_root, folder, tier) = filled();
    let path = file_in(&folder);
    fs::remove_file(&path).unwrap();
    assert!(support::works(
        "mkfifo",
        &["-m", "600", path.to_str().unwrap()]
    ));
    refused_then_healed(&tier, "a FIFO");

    fs::remove_file(&path).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    refused_then_healed(&tier, "a socket");
    drop(socket);

    // A folder cannot be replaced by a file: the next location, or none, takes the entry.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(get(&tier, &key()).is_err());
    assert!(put(&tier, &entry(2, 100)).is_err());
    assert!(files(&folder, ".tmp").is_empty());
    fs::remove_dir(&path).unwrap();

    let device = format!("mknod -m 600 '{}' c 1 5", path.display());
    if support::is_root() && support::shell(&device) {
        refused_then_healed(&tier, "a device");
    } else {
        skip("an entry that is a device", "mknod is not allowed here");
    }
}

#[test]
fn an_entry_with_a_second_name_or_another_mode_is_refused() {
    let (root, folder, tier) = filled();
    let path = file_in(&folder);
    fs::hard_link(&path, root.path().join("second")).unwrap();
    refused_then_healed(&tier, "a hard link");
    for bad in [0o644, 0o660, 0o602, 0o400, 0o700, 0o4600] {
        set_mode(&path, bad);
        let error = get(&tier, &key()).unwrap_err();
        assert!(!error.is_tier_failure(), "{bad:o}");
        assert_eq!(mode(&path), bad, "left as it is");
    }
    refused_then_healed(&tier, "another mode");
}

#[test]
fn files_and_folders_of_another_user_are_refused() {
    let (_root, folder, tier) = filled();
    let path = file_in(&folder);
    if std::os::unix::fs::chown(&path, Some(65_534), None).is_err() {
        skip("files of another user", "chown is not allowed here");
        return;
    }
    refused_then_healed(&tier, "an entry of another");
    let lock = path.with_file_name("lock");
    std::os::unix::fs::chown(&lock, Some(65_534), None).unwrap();
    put(&tier, &entry(3, 100)).unwrap_err();
    assert_eq!(read(&tier), Some(2));
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::chown(&folder, Some(65_534), None).unwrap();
    assert_eq!(read(&tier), None);
    put(&tier, &entry(3, 100)).unwrap_err();
    let message = tier.status().message;
    assert!(message.ends_with("its owner is user 65534"), "{message}");
    assert_eq!(
        fs::metadata(&folder).unwrap().uid(),
        65_534,
        "never chown-ed"
    );
}

#[test]
fn the_temp_folder_needs_a_parent_that_keeps_others_out() {
    let uid = fs::metadata(std::env::temp_dir())
        .map(|_| nix_uid())
        .unwrap();
    for (parent_mode, works) in [
        (0o1777, true),
        (0o700, true),
        (0o755, true),
        (0o777, false),
        (0o775, false),
    ] {
        let root = tempfile::tempdir().unwrap();
        let temp = root.path().join("temp");
        fs::create_dir(&temp).unwrap();
        set_mode(&temp, parent_mode);
        let mut process = child("put", root.path());
        process
            .env("TMPDIR", &temp)
            .env("XDG_CACHE_HOME", "relative")
            .env("HOME", "/");
        assert!(process.status().unwrap().success());
        let ours = temp.join(format!("test-app-{uid}"));
        assert_eq!(file_in(&ours).exists(), works, "{parent_mode:o}");
        assert_eq!(ours.exists(), works, "nothing is made where it is not safe");
    }
}

fn nix_uid() -> u32 {
    let probe = tempfile::tempfile().unwrap();
    probe.metadata().unwrap().uid()
}

#[test]
fn a_temp_folder_that_another_user_created_is_never_used() {
    if !support::is_root() {
        skip(
            "a temp folder of another user",
            "needs root to act as two users",
        );
        return;
    }
    let root = tempfile::tempdir().unwrap();
    set_mode(root.path(), 0o755);
    let temp = root.path().join("temp");
    fs::create_dir(&temp).unwrap();
    set_mode(&temp, 0o1777);
    // Other users cannot read the test binary in its place: they get a copy.
    let exe = root.path().join("actor");
    fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    set_mode(&exe, 0o755);
    let victim = |job: &str| {
        let mut command = std::process::Command::new("setpriv");
        command
            .args(["--reuid=1234", "--regid=1234", "--clear-groups"])
            .arg(&exe)
            .args(["actor", "--exact", "--quiet", "--test-threads=1"])
            .env(support::JOB, job)
            .env(support::FOLDER, &temp)
            .env("TMPDIR", &temp)
            .env("HOME", "/nonexistent")
            .env_remove("XDG_CACHE_HOME")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        command.status().unwrap().success()
    };
    let ours = temp.join("test-app-1234");
    let attacker = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    // The attacker creates a valid tree before the victim's first run.
    put(&tier_of(&[&ours]), &entry(666_666, 100)).unwrap();
    assert!(support::shell(&format!(
        "chown -R 65534:65534 '{}'",
        ours.display()
    )));
    assert!(victim("read-foreign"));
    assert!(victim("put"));
    assert_eq!(fs::metadata(&ours).unwrap().uid(), 65_534);
    assert_eq!(
        fs::read(file_in(&ours)).unwrap().len(),
        fs::metadata(file_in(&ours)).unwrap().len() as usize
    );
    fs::remove_dir_all(&ours).unwrap();
    let _ = fs::remove_file(temp.join("answer"));

    // The attacker creates a link to a folder of the victim.
    let home = root.path().join("home");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(1_234), Some(1_234)).unwrap();
    set_mode(&home, 0o700);
    assert!(support::shell(&format!(
        "{attacker} ln -s '{}' '{}'",
        home.display(),
        ours.display()
    )));
    assert!(victim("put"));
    assert_eq!(
        fs::read_dir(&home).unwrap().count(),
        0,
        "nothing was written through the link"
    );
    fs::remove_file(&ours).unwrap();
    let _ = fs::remove_file(temp.join("answer"));

    // Without an attacker it works, and the attacker can then neither read nor replace it.
    assert!(victim("put"));
    assert!(file_in(&ours).exists());
    assert!(!support::shell(&format!(
        "{attacker} cat '{}'",
        file_in(&ours).display()
    )));
    assert!(!support::shell(&format!(
        "{attacker} mv '{}' '{}-gone'",
        ours.display(),
        ours.display()
    )));
}

#[test]
fn a_lock_held_for_ever_costs_200_ms_and_reads_go_on() {
    let (_root, folder, tier) = filled();
    let lock = file_in(&folder).with_file_name("lock");
    let held = fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    let start = Instant::now();
    let error = put(&tier, &entry(2, 100)).unwrap_err();
    let took = start.elapsed();
    assert_eq!(error.kind(), TierErrorKind::Timeout);
    assert!(took >= Duration::from_millis(190), "{took:?}");
    // Twice the bound, for a busy machine.
    let most = Duration::from_millis(figure(400, 2_000));
    assert!(took <= most, "{took:?}");
    assert_eq!(read(&tier), Some(1), "stale is served");
    // A call with less time waits less.
    let start = Instant::now();
    let soon = Deadline::after(Duration::from_millis(20));
    tier.put(&entry(2, 100), soon).unwrap_err();
    let took = start.elapsed();
    assert!(
        took <= Duration::from_millis(figure(100, 1_000)),
        "{took:?}"
    );
    drop(held);
    put(&tier, &entry(2, 100)).unwrap();
    assert_eq!(read(&tier), Some(2));
}

#[test]
fn a_lock_file_swapped_for_a_link_truncates_nothing() {
    let (root, folder, tier) = filled();
    let lock = file_in(&folder).with_file_name("lock");
    let target = root.path().join("precious");
    fs::write(&target, "precious").unwrap();
    set_mode(&target, 0o600);
    fs::remove_file(&lock).unwrap();
    symlink(&target, &lock).unwrap();
    put(&tier, &entry(2, 100)).unwrap_err();
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    fs::remove_file(&lock).unwrap();
    symlink(root.path().join("nowhere"), &lock).unwrap();
    put(&tier, &entry(2, 100)).unwrap_err();
    assert!(!root.path().join("nowhere").exists());
    assert_eq!(read(&tier), Some(1));
}

#[test]
fn a_deleted_folder_is_created_again() {
    let (_root, folder, tier) = filled();
    let file = file_in(&folder);
    for gone in [
        folder.clone(),
        folder.join("v1"),
        file.parent().unwrap().into(),
    ] {
        fs::remove_dir_all(gone).unwrap();
        assert_eq!(read(&tier), None);
        put(&tier, &entry(2, 100)).unwrap();
        assert_eq!(read(&tier), Some(2));
    }
}

#[test]
fn an_entry_of_another_namespace_is_a_miss_and_names_no_account() {
    let (_root, folder, tier) = filled();
    let account = "123456789012";
    let other = Namespace::of(["aws", account]);
    let get_other = || tier.get(&other, &key(), Deadline::NONE);
    assert!(get_other().unwrap().is_none());
    // Even if the folder gets the other's name.
    let from = file_in(&folder).parent().unwrap().to_path_buf();
    fs::rename(&from, from.with_file_name(other.to_string())).unwrap();
    let error = get_other().unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Foreign);
    for file in files(&folder, "") {
        assert!(!file.to_str().unwrap().contains(account));
        assert!(!String::from_utf8_lossy(&fs::read(file).unwrap()).contains(account));
    }
}

/// The kernel's protections, which could hide a missing check.
struct Protected(Vec<(PathBuf, String)>);

impl Protected {
    fn set(value: &str) -> Option<Self> {
        let mut before = Self(Vec::new());
        for name in ["symlinks", "hardlinks", "fifos", "regular"] {
            let path = Path::new("/proc/sys/fs").join(format!("protected_{name}"));
            let was = fs::read_to_string(&path).ok()?;
            fs::write(&path, value).ok()?;
            before.0.push((path, was));
        }
        Some(before)
    }
}

impl Drop for Protected {
    fn drop(&mut self) {
        for (path, value) in &self.0 {
            let _ = fs::write(path, value.trim());
        }
    }
}

#[test]
fn the_attacks_fail_whatever_the_kernel_protects() {
    let name = "fs.protected_*";
    for value in ["0", "1"] {
        let Some(_restored) = Protected::set(value) else {
            skip(name, "the kernel's switches cannot be set here");
            return;
        };
        // All other tests of this binary, in another process.
        let mut all = std::process::Command::new(std::env::current_exe().unwrap());
        all.args(["--skip", "the_attacks_fail_whatever", "--test-threads=2"]);
        let output = all.env("BEDROCK_CATALOG_LONG", "0").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name} = {value}: {text}");
        let passed = text.matches("... ok").count();
        assert!(passed >= 16, "{name} = {value}: {passed} tests ran");
        let counts = format_args!("{passed} attacks");
        count(&format!("{name} = {value}"), counts);
    }
}
