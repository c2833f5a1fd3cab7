//! Faults that only the system can cause: power cuts, full and read-only file systems, errors of single
//! system calls. The tests need root, loop devices, mounts or `strace`, and are skipped by name without
//! them. The full figures run with `BEDROCK_CATALOG_LONG=1`.
#![cfg(all(target_os = "linux", not(portable_files), feature = "files"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bedrock_catalog_cache::Tier;
use support::{
    child, child_under, count, entry, figure, files, put, read, shell, skip, stored, tier_of,
};

/// The number of calls of each kind that a traced child makes before its write, and their file.
const AHEAD: usize = 100;
const MARK: &str = "/dev/null";

/// The job of a child process. It succeeds unless it panics: a failure of the cache is not the caller's.
#[test]
fn actor() {
    let Some((job, folder)) = support::job() else {
        return;
    };
    let (job, number) = job.split_once(' ').unwrap();
    let generation: u64 = number.parse().unwrap();
    match job {
        "put" => {
            get_ahead();
            let _ = put(&tier_of(&[&folder]), &entry(generation, 4_000));
        }
        "put-and-fallback" => {
            get_ahead();
            let tier = tier_of(&[folder.join("first"), folder.join("second")]);
            let _ = put(&tier, &entry(generation, 4_000));
            let _ = read(&tier);
        }
        other => panic!("unknown job {other}"),
    }
}

/// Raises this thread's number of calls above that of the process's start in other threads: `strace` counts
/// the calls of each thread separately.
fn get_ahead() {
    for _ in 0..AHEAD {
        let mut file = fs::File::options()
            .read(true)
            .write(true)
            .open(MARK)
            .unwrap();
        let _ = file.metadata();
        let _ = fs::symlink_metadata("/");
        let _ = file.write(b"x");
        let _ = file.read(&mut [0]);
    }
    let _ = fs::File::open(MARK);
}

/// A mounted file system, unmounted at the end.
struct Mount {
    root: tempfile::TempDir,
    point: PathBuf,
}

impl Mount {
    /// Mounts with this command, in which `$P` is the mount point and `$I` a file beside it. `None`, reported
    /// as skipped, if the machine does not allow it.
    fn new(name: &str, script: &str) -> Option<Self> {
        let root = tempfile::tempdir().unwrap();
        let point = root.path().join("mount");
        fs::create_dir(&point).unwrap();
        let mount = Self { root, point };
        if !support::is_root() || !mount.run(script) {
            skip(name, "mounting is not allowed here");
            return None;
        }
        Some(mount)
    }

    fn run(&self, script: &str) -> bool {
        let image = self.root.path().join("image");
        shell(&format!(
            "P='{}'; I='{}'; {script}",
            self.point.display(),
            image.display()
        ))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.run("umount \"$P\" 2>/dev/null || umount -l \"$P\" 2>/dev/null || true");
    }
}

/// A formatted image in `$I`, not mounted.
const IMAGE: &str = "truncate -s 16M \"$I\"; mkfs.ext4 -q -F \"$I\"; ";
const MOUNT_IMAGE: &str = "mount -o loop,noauto_da_alloc,commit=1 \"$I\" \"$P\"";

/// Cuts the power of a file system: ioctl `EXT4_IOC_SHUTDOWN`, without a flush of the log.
fn cut(point: &Path) -> bool {
    let script = format!(
        "import fcntl,os,struct; fd=os.open({:?},os.O_RDONLY); \
         fcntl.ioctl(fd,0x8004587d,struct.pack('I',2))",
        point.to_str().unwrap()
    );
    support::works("python3", &["-c", &script])
}

#[test]
fn after_a_power_cut_an_entry_is_old_or_new_and_whole() {
    let name = "power cut";
    let Some(mount) = Mount::new(name, &format!("{IMAGE}{MOUNT_IMAGE}")) else {
        return;
    };
    let cycles = figure(200, 4);
    let (mut lost, mut done) = (0, 0);
    for cycle in 1..=cycles {
        let folder = mount.point.join("cache");
        let tier = tier_of(&[&folder]);
        let put = put(&tier, &entry(cycle, 4_000)).is_ok();
        // The control: the same bytes, renamed without a sync.
        let (raw, control) = (mount.point.join("raw"), mount.point.join("control"));
        fs::write(&raw, format!("{cycle:08}").repeat(500)).unwrap();
        fs::rename(&raw, &control).unwrap();
        if !cut(&mount.point) {
            skip(name, "the file system does not take the ioctl");
            return;
        }
        assert!(mount.run(&format!("umount \"$P\"; {MOUNT_IMAGE}")));
        let now = read(&tier_of(&[&folder]));
        assert!(put, "the write failed in cycle {cycle}");
        assert_eq!(
            now,
            Some(cycle),
            "a write that returned is there after the cut"
        );
        let kept = fs::read_to_string(&control).unwrap_or_default();
        lost += u64::from(kept != format!("{cycle:08}").repeat(500));
        done = cycle;
    }
    assert!(
        lost > 0,
        "the control without a sync survived: the cut proves nothing"
    );
    let counts = format_args!("{done} cycles, without a sync {lost} of {done} lost");
    count(name, counts);
}

#[test]
fn on_a_full_file_system_the_old_entry_stays_or_the_next_location_takes_it() {
    for (name, options) in [
        ("no space", "size=1m"),
        ("no inodes", "size=1m,nr_inodes=24"),
    ] {
        let Some(mount) = Mount::new(name, &format!("mount -t tmpfs -o {options} none \"$P\""))
        else {
            continue;
        };
        let levels = figure(50, 10);
        let folder = mount.point.join("cache");
        let second = mount.root.path().join("second");
        for level in 0..levels {
            let _ = fs::remove_dir_all(&folder);
            let alone = tier_of(&[&folder]);
            put(&alone, &entry(1, 4_000)).unwrap();
            // Leaves a few bytes or inodes free.
            let filler = mount.point.join("filler");
            fs::create_dir_all(&filler).unwrap();
            for index in 0..30 {
                let _ = fs::write(filler.join(format!("{index}")), "");
            }
            let free = level * 4_096;
            let _ = fs::write(filler.join("0"), vec![0; 1 << 20]);
            if options == "size=1m" {
                let held = fs::metadata(filler.join("0")).map_or(0, |meta| meta.len());
                let file = fs::File::options()
                    .write(true)
                    .open(filler.join("0"))
                    .unwrap();
                file.set_len(held.saturating_sub(free)).unwrap();
            }
            let wrote = put(&alone, &entry(2, 40_000)).is_ok();
            assert_eq!(
                read(&alone),
                Some(if wrote { 2 } else { 1 }),
                "level {level}"
            );
            assert!(files(&folder, ".tmp").is_empty(), "litter at level {level}");
            let both = tier_of(&[&folder, &second]);
            put(&both, &entry(3, 100_000)).unwrap();
            assert_eq!(read(&both), Some(3), "level {level}");
            fs::remove_dir_all(&filler).unwrap();
            let _ = fs::remove_dir_all(&second);
        }
        count(name, format_args!("{levels} fill levels"));
    }
}

#[test]
fn a_read_only_file_system_leaves_the_next_location() {
    let name = "read-only file system";
    let Some(mount) = Mount::new(name, "mount -t tmpfs none \"$P\"") else {
        return;
    };
    let first = mount.point.join("cache");
    put(&tier_of(&[&first]), &entry(1, 100)).unwrap();
    assert!(mount.run("mount -o remount,ro \"$P\""));
    let second = mount.root.path().join("second");
    let tier = tier_of(&[&first, &second]);
    assert_eq!(read(&tier), Some(1), "a read needs no right to write");
    let (path, failed) = stored(put(&tier, &entry(2, 100)).unwrap());
    assert!(path.starts_with(&second));
    assert_eq!(failed.len(), 1);
    // The older entry cannot be removed and shadows the newer; the cache above judges by age.
    assert_eq!(read(&tier), Some(1));
    assert_eq!(read(&tier_of(&[&second])), Some(2));
    assert!(put(&tier_of(&[&first]), &entry(2, 100)).is_err());
}

#[test]
fn an_immutable_folder_leaves_the_next_location() {
    let name = "immutable folder";
    let Some(mount) = Mount::new(name, &format!("{IMAGE}{MOUNT_IMAGE}")) else {
        return;
    };
    let first = mount.point.join("cache");
    put(&tier_of(&[&first]), &entry(1, 100)).unwrap();
    if !mount.run("chattr -R +i \"$P/cache\"") {
        skip(name, "chattr is not allowed here");
        return;
    }
    let second = mount.root.path().join("second");
    let tier = tier_of(&[&first, &second]);
    let (path, _) = stored(put(&tier, &entry(2, 100)).unwrap());
    assert!(path.starts_with(&second));
    assert_eq!(read(&tier), Some(1));
    assert!(mount.run("chattr -R -i \"$P/cache\""));
    put(&tier, &entry(3, 100)).unwrap();
    assert_eq!(read(&tier), Some(3), "it heals");
}

fn strace(name: &str) -> bool {
    let there = support::works(
        "strace",
        &[
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "inject=getpid:retval=1",
            "true",
        ],
    );
    if !there {
        skip(name, "strace does not run here");
    }
    there
}

/// The system calls of the writing thread of a child, from its write on, in order: each with its number
/// among the thread's calls of this name.
fn calls(job: &str, folder: &Path) -> Vec<(String, usize)> {
    let log = folder.join("calls.log");
    let log_path = log.to_str().unwrap();
    let prefix = ["strace", "-f", "-qq", "-o", log_path];
    assert!(
        child_under(&prefix, job, folder)
            .status()
            .unwrap()
            .success()
    );
    let text = fs::read_to_string(&log).unwrap();
    fs::remove_file(&log).unwrap();
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let (writer, _) = lines
        .iter()
        .find(|(_, call)| call.trim().starts_with("flock"))
        .unwrap();
    let of_writer = lines.iter().filter(|(thread, _)| thread == writer);
    let (mut counts, mut found) = (BTreeMap::new(), Vec::new());
    for (_, call) in of_writer {
        if let Some((name, _)) = call.trim().split_once('(') {
            let count = counts.entry(name.to_owned()).or_insert(0);
            *count += 1;
            found.push((name.to_owned(), *count));
        }
        if call.contains(MARK) {
            found.clear();
        }
    }
    found
}

#[test]
fn killed_at_every_system_call_an_entry_is_old_or_new() {
    let name = "killed at every system call";
    if !strace(name) {
        return;
    }
    let mut kills = 0;
    for overwrite in [false, true] {
        let probe = tempfile::tempdir().unwrap();
        if overwrite {
            put(&tier_of(&[probe.path()]), &entry(1, 4_000)).unwrap();
        }
        let all = calls("put 2", probe.path());
        let step = if support::long() { 1 } else { 3 };
        for (call, when) in all.iter().step_by(step) {
            let root = tempfile::tempdir().unwrap();
            let tier = tier_of(&[root.path()]);
            if overwrite {
                put(&tier, &entry(1, 4_000)).unwrap();
            }
            let inject = format!("inject={call}:signal=KILL:when={when}");
            let prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
            let mut traced = child_under(&prefix, "put 2", root.path());
            kills += u64::from(!traced.status().unwrap().success());
            let now = read(&tier);
            match overwrite {
                true => assert!(matches!(now, Some(1 | 2)), "{call} {when}: {now:?}"),
                false => assert!(matches!(now, None | Some(2)), "{call} {when}: {now:?}"),
            }
            // The next start heals.
            put(&tier, &entry(3, 100)).unwrap();
            assert_eq!(read(&tier), Some(3), "{call} {when}");
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(7_200);
            tier.cleanup(later).unwrap();
            assert!(files(root.path(), ".tmp").is_empty(), "{call} {when}");
        }
    }
    assert!(
        kills >= 40,
        "{kills} children were killed: the calls are counted wrong"
    );
    count(name, format_args!("{kills} kills"));
}

#[test]
fn a_write_syncs_before_and_after_it_renames() {
    let name = "the order of system calls";
    if !strace(name) {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let all = calls("put 1", root.path());
    let at = |wanted: &[&str]| {
        all.iter()
            .enumerate()
            .filter(|(_, (call, _))| wanted.contains(&call.as_str()))
            .map(|(index, _)| index)
            .collect::<Vec<_>>()
    };
    let (syncs, renames) = (
        at(&["fsync", "fdatasync"]),
        at(&["rename", "renameat", "renameat2"]),
    );
    assert_eq!(renames.len(), 1, "{all:?}");
    assert!(
        syncs.iter().any(|sync| *sync < renames[0]),
        "not synced before: {all:?}"
    );
    assert!(
        syncs.iter().any(|sync| *sync > renames[0]),
        "not synced after: {all:?}"
    );
}

/// Network shares and FUSE: an operation that they do not have is no failure of theirs, any other error is.
#[test]
fn a_file_system_without_folder_syncs_or_locks_is_used() {
    let name = "no folder syncs, no locks";
    if !strace(name) {
        return;
    }
    let probe = tempfile::tempdir().unwrap();
    let made = calls("put 1", probe.path());
    let nth = |kind: &str, n: usize| {
        let mut of_kind = made.iter().filter(|(call, _)| call == kind);
        of_kind.nth(n).unwrap().1
    };
    let (file, folder, lock) = (nth("fsync", 0), nth("fsync", 1), nth("flock", 0));
    for (plan, is_stored) in [
        (format!("fsync:error=EINVAL:when={folder}"), true),
        (format!("fsync:error=EOPNOTSUPP:when={folder}"), true),
        (format!("fsync:error=EINVAL:when={file}"), false),
        (format!("flock:error=ENOLCK:when={lock}"), true),
        (format!("flock:error=EOPNOTSUPP:when={lock}"), true),
        (format!("flock:error=EIO:when={lock}"), false),
    ] {
        let root = tempfile::tempdir().unwrap();
        let folders = [root.path().join("first"), root.path().join("second")];
        let inject = format!("inject={plan}");
        let prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
        let mut traced = child_under(&prefix, "put-and-fallback 1", root.path());
        assert!(traced.status().unwrap().success(), "{plan}");
        assert_eq!(read(&tier_of(&folders)), Some(1), "{plan}");
        assert_eq!(folders[1].exists(), !is_stored, "{plan}: the next location");
    }
}

#[test]
fn errors_of_system_calls_never_surface_and_keep_an_entry() {
    let name = "errors of system calls";
    if !strace(name) {
        return;
    }
    let errors = [
        "EDQUOT",
        "EIO",
        "EROFS",
        "EMFILE",
        "EXDEV",
        "ENOSPC",
        "EACCES",
        "EPERM",
        "ENOMEM",
        "ENFILE",
        "ELOOP",
        "EINVAL",
        "ENOLCK",
        "ESTALE",
        "EOPNOTSUPP",
    ];
    let kinds = [
        "openat", "mkdirat", "statx", "fchmod", "fsync", "renameat", "flock", "unlinkat", "write",
        "read",
    ];
    // The first call of each kind in the write, with an older entry, and with a second location to create.
    let job = "put-and-fallback 2";
    let start = |root: &Path| {
        let folders = [root.join("first"), root.join("second")];
        put(&tier_of(&folders[..1]), &entry(1, 4_000)).unwrap();
        folders
    };
    let probe = tempfile::tempdir().unwrap();
    start(probe.path());
    let made = calls(job, probe.path());
    // A call that comes only after a failure counts from the first.
    let first = |kind: &str| {
        let made = made.iter().find(|(call, _)| call == kind);
        made.map_or(1, |(_, when)| *when)
    };
    let (mut once, mut for_ever, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    for (n, kind) in kinds.iter().enumerate() {
        let when = first(kind);
        for (m, error) in errors.iter().enumerate() {
            once.push(vec![format!("{kind}:error={error}:when={when}")]);
            for_ever.push(vec![format!("{kind}:error={error}:when={when}+")]);
            // A third of them beside another call and another error.
            let (other, with) = (
                kinds[(n + m / 3 + 1) % kinds.len()],
                errors[(m + n + 5) % 15],
            );
            if m % 3 == 0 && other != *kind {
                pairs.push(vec![
                    format!("{kind}:error={error}:when={when}+"),
                    format!("{other}:error={with}:when={}+", first(other)),
                ]);
            }
        }
    }
    let counts = [once.len(), for_ever.len(), pairs.len()];
    assert!(
        counts[0] >= 150 && counts[1] >= 150 && counts[2] >= 50,
        "{counts:?}"
    );
    let (write, fsync) = (first("write"), first("fsync"));
    let mut plans = vec![
        // Writes that the system claims to have made, byte by byte.
        vec![format!("write:retval=1:when={write}+")],
        vec![format!("write:retval=1:when={write}")],
        vec![format!("fsync:delay_exit=500000:when={fsync}")],
        vec![format!("openat:error=EMFILE:when={}+", first("openat") + 3)],
    ];
    plans.extend(once.into_iter().chain(for_ever).chain(pairs));
    let step = if support::long() { 1 } else { 23 };
    let (mut runs, mut kept) = (0, 0);
    for plan in plans.iter().step_by(step) {
        let root = tempfile::tempdir().unwrap();
        let folders = start(root.path());
        let injected: Vec<_> = plan.iter().map(|one| format!("inject={one}")).collect();
        let mut prefix = vec!["strace", "-f", "-qq", "-o", "/dev/null"];
        prefix.extend(injected.iter().flat_map(|one| ["-e", one]));
        let status = child_under(&prefix, job, root.path()).status().unwrap();
        let plan = plan.join(" and ");
        assert!(status.success(), "{plan}: {status}");
        let tier = tier_of(&folders);
        let now = read(&tier);
        assert!(matches!(now, Some(1 | 2)), "{plan}: {now:?}");
        kept += u64::from(now == Some(1));
        put(&tier, &entry(3, 100)).unwrap();
        assert_eq!(read(&tier), Some(3), "{plan} heals");
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(7_200);
        tier.cleanup(later).unwrap();
        assert!(files(root.path(), ".tmp").is_empty(), "litter after {plan}");
        runs += 1;
    }
    assert!(
        kept > 0,
        "no plan stopped a write: the calls are counted wrong"
    );
    let [once, for_ever, pairs] = counts;
    let counts = format!(
        "{runs} of {once} once, {for_ever} for ever, {pairs} in pairs; {kept} kept the old entry"
    );
    count(name, counts);
}

#[test]
fn untraced_the_child_writes() {
    // The traced tests rely on this.
    let root = tempfile::tempdir().unwrap();
    assert!(child("put 2", root.path()).status().unwrap().success());
    assert_eq!(read(&tier_of(&[root.path()])), Some(2));
}
