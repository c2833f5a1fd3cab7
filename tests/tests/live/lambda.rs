//! A function as in Lambda: HOME is read-only; `/tmp` is writable, read-only or full.

use std::path::{Path, PathBuf};
use std::process::Command;

use bedrock_catalog::Catalog;
use bedrock_catalog::cache::Key;
use bedrock_catalog_tests::skip;

use crate::stage::*;

/// Whether this process has a mount namespace of its own. If not, the test runs in a child that has one,
/// without root; it is skipped, by name, where the machine allows none.
fn has_a_mount_namespace(test: &str) -> bool {
    const THERE: &str = "LAMBDA_HAS_A_MOUNT_NAMESPACE";
    if std::env::var_os(THERE).is_some() {
        return true;
    }
    let in_a_namespace = |program: &Path| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--user", "--map-root-user"]);
        command.arg(program);
        command
    };
    let tried = in_a_namespace(Path::new("true")).output();
    if !tried.as_ref().is_ok_and(|tried| tried.status.success()) {
        skip(test, format_args!("no mount namespaces here: {tried:?}"));
        return false;
    }
    let output = in_a_namespace(&std::env::current_exe().unwrap())
        .args([&format!("lambda::{test}"), "--exact", "--nocapture"])
        .env(THERE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// A mounted tmpfs, unmounted at the end.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(options: &str) -> Self {
        let point = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(point.path())
            .output()
            .unwrap();
        assert!(mount.status.success(), "{mount:?}");
        Self(point)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

/// Cold start, warm start, freeze: the fetched catalog is served each time. The log says why each of the
/// `refused` folders stored nothing.
async fn scenario(
    name: &str,
    home: PathBuf,
    tmp: PathBuf,
    stored_in: Option<&Path>,
    refused: &[(&Path, &str)],
) {
    let (clock, wire) = (clock(), wire());
    let (lines, _guard) = Lines::listen();
    let build = || {
        let builder = in_memory(&wire, &clock).cache_mode(bedrock_catalog::CacheMode::File);
        builder.cache_dirs([&home, &tmp]).build().unwrap()
    };
    let live = build();
    let cold = live.load().await.unwrap();
    assert_eq!(cold.source().as_str(), "api", "{name}");
    assert_eq!(cold.models().count(), 4, "{name}: nothing of the bundle");
    let stored = files(&home)
        .into_iter()
        .chain(files(&tmp))
        .find(|path| path.ends_with("catalog.jsonl"));
    match stored_in {
        Some(folder) => assert!(
            stored.is_some_and(|path| path.starts_with(folder)),
            "{name}"
        ),
        None => assert!(stored.is_none(), "{name}"),
    }
    let warm = live.load().await.unwrap();
    assert_eq!(warm.observed_at(), cold.observed_at(), "{name}");
    // Another cold start on the same machine.
    let second = build().load().await.unwrap();
    assert_eq!(
        second.source().as_str(),
        if stored_in.is_some() { "cache" } else { "api" },
        "{name}"
    );
    // Thawed a day later: served at once, and renewed.
    clock.advance(30 * HOUR);
    assert_eq!(
        live.load().await.unwrap().observed_at(),
        cold.observed_at(),
        "{name}"
    );
    clock.advance(HOUR);
    let refreshed = live.refresh().await.unwrap();
    assert_eq!(
        refreshed.observed_at(),
        timestamp(later() + 31 * HOUR),
        "{name}"
    );
    assert_eq!(refreshed.source().as_str(), "api", "{name}");
    // A write on this thread, whose log is collected.
    let key = Key::new("test", "write", name);
    build().cache().await.put(&key, "true", &options());
    for (folder, why) in refused {
        let folder = folder.to_str().unwrap();
        let says = |line: &String| line.contains(folder) && line.contains(why);
        assert!(lines.all().iter().any(says), "{name}: {:?}", lines.all());
    }
    let bundled = |line: &String| line.contains("bundled");
    assert!(!lines.all().iter().any(bundled), "{name}");
    assert_ne!(**refreshed, *Catalog::bundled());
}

#[tokio::test]
async fn home_is_read_only_and_tmp_is_not() {
    let name = "home_is_read_only_and_tmp_is_not";
    if !has_a_mount_namespace(name) {
        return;
    }
    let home = Mount::new("ro,size=1m");
    let tmp = tempfile::tempdir().unwrap();
    scenario(
        name,
        home.path().join(".cache"),
        tmp.path().join("cache"),
        Some(tmp.path()),
        &[(home.path(), "(os error 30)")],
    )
    .await;
}

#[tokio::test]
async fn both_are_read_only() {
    let name = "both_are_read_only";
    if !has_a_mount_namespace(name) {
        return;
    }
    let home = Mount::new("ro,size=1m");
    let tmp = Mount::new("ro,size=1m");
    scenario(
        name,
        home.path().join(".cache"),
        tmp.path().join("cache"),
        None,
        &[
            (home.path(), "(os error 30)"),
            (tmp.path(), "(os error 30)"),
        ],
    )
    .await;
}

#[tokio::test]
async fn both_are_full() {
    let name = "both_are_full";
    if !has_a_mount_namespace(name) {
        return;
    }
    let home = Mount::new("size=64k");
    let tmp = Mount::new("size=64k");
    for mount in [&home, &tmp] {
        let _ = std::fs::write(mount.path().join("filler"), vec![0; 1 << 20]);
    }
    scenario(
        name,
        home.path().join("cache"),
        tmp.path().join("cache"),
        None,
        &[
            (home.path(), "(os error 28)"),
            (tmp.path(), "(os error 28)"),
        ],
    )
    .await;
}

/// Folders that cannot be made, without a mount.
#[tokio::test]
async fn neither_folder_can_be_made() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let name = "neither_folder_can_be_made";
    scenario(
        name,
        file.path().join("home"),
        file.path().join("tmp"),
        None,
        &[(file.path(), "not a folder")],
    )
    .await;
}
