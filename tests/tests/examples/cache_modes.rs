//! The cache modes: where the catalog comes from, what was asked, and which files there are.

use std::path::Path;
use std::process::Command;

use bedrock_catalog::LiveCatalogBuilder;
use bedrock_catalog_tests::skip;

use super::{ONE_ASKING, REGIONS, aws, bedrock};

#[path = "../../examples/cache_modes.rs"]
#[allow(dead_code)]
mod example;

/// The same mode, of the regions of these tests, with a folder it may use.
fn in_folder(mode: LiveCatalogBuilder, folder: &Path) -> LiveCatalogBuilder {
    mode.regions(REGIONS).cache_dirs([folder])
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

#[tokio::test]
async fn files_serve_the_next_start() {
    let (fake, folder) = (bedrock(), tempfile::tempdir().unwrap());
    let aws = aws(&fake);
    let mode = || in_folder(example::file(&aws), folder.path());
    assert_eq!(example::two_starts(mode).await.unwrap(), ["api", "cache"]);
    assert_eq!(fake.stage().requests(), ONE_ASKING);
    assert!(!is_empty(folder.path()));
}

#[tokio::test]
async fn memory_serves_one_start_and_touches_no_file() {
    let (fake, folder) = (bedrock(), tempfile::tempdir().unwrap());
    let aws = aws(&fake);
    let mode = || in_folder(example::memory(&aws), folder.path());
    assert_eq!(example::two_starts(mode).await.unwrap(), ["api", "api"]);
    assert_eq!(fake.stage().requests(), 2 * ONE_ASKING);
    // What was listed for the catalog is there for other questions.
    let live = mode().build().unwrap();
    live.load().await.unwrap();
    let asked = fake.stage().requests();
    assert!(
        !live
            .discovery()
            .models("sa-east-1")
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(fake.stage().requests(), asked);
    assert!(is_empty(folder.path()));
}

#[tokio::test]
async fn none_keeps_nothing() {
    let (fake, folder) = (bedrock(), tempfile::tempdir().unwrap());
    let aws = aws(&fake);
    let mode = || in_folder(example::none(&aws), folder.path());
    assert_eq!(example::two_starts(mode).await.unwrap(), ["api", "api"]);
    assert_eq!(fake.stage().requests(), 2 * ONE_ASKING);
    assert!(is_empty(folder.path()));
}

/// What the traced process runs: one mode of the example, twice. In the test process, nothing.
#[tokio::test]
async fn traced() {
    let Ok(mode) = std::env::var("TRACED_MODE") else {
        return;
    };
    let aws = bedrock_catalog::fetch::sdk_config_from_env().await;
    let mode = || {
        let mode = match &*mode {
            "file" => example::file(&aws),
            "memory" => example::memory(&aws),
            _ => example::none(&aws),
        };
        mode.regions(REGIONS)
    };
    let [first, next] = example::two_starts(mode).await.unwrap();
    println!("from {first}, then from {next}");
}

/// The calls with a file's name that a process makes in this mode, in a HOME of its own; and what it
/// said. `None`, said by name, where nothing may be traced.
fn file_calls(test: &str, mode: &str, home: &Path) -> Option<(Vec<String>, String)> {
    let (fake, trace) = (bedrock(), home.join("trace"));
    let (cache, tmp) = (home.join("cache"), home.join("tmp"));
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::create_dir_all(&tmp).unwrap();
    let mut command = Command::new("strace");
    command
        .args([
            "-f",
            "-y",
            "-qq",
            "-e",
            "trace=%file,ftruncate,fchmod",
            "-o",
        ])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "cache_modes::traced", "--nocapture"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .env("XDG_CACHE_HOME", &cache)
        .env("TMPDIR", &tmp)
        .env("TRACED_MODE", mode)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "fake")
        .env("AWS_SECRET_ACCESS_KEY", "fake")
        .env("AWS_ENDPOINT_URL", fake.url());
    let output = match command.output() {
        Ok(output) if output.status.success() => output,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("strace:"), "{said}");
            skip(test, said);
            return None;
        }
        Err(error) => {
            skip(test, format_args!("strace: {error}"));
            return None;
        }
    };
    let calls = std::fs::read_to_string(trace).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Some((calls.lines().map(str::to_owned).collect(), said))
}

/// Whether a call makes, changes or removes a file, or opens one to do so. Devices are no files.
fn writes(call: &str) -> bool {
    let opened = [
        "O_WRONLY",
        "O_RDWR",
        "O_CREAT",
        "O_TRUNC",
        "O_APPEND",
        "O_TMPFILE",
    ];
    let changing = [
        "creat(",
        "mkdir",
        "mknod",
        "rename",
        "link",
        "unlink",
        "rmdir",
        "symlink",
        "truncate",
        "chmod",
        "chown",
        "utime",
        "setxattr",
        "removexattr",
    ];
    let Some((_, call)) = call.split_once(' ') else {
        return false;
    };
    let name = call.trim_start().split('(').next().unwrap_or_default();
    let changes = changing
        .iter()
        .any(|verb| format!("{name}(").contains(verb));
    let reads = name.starts_with("readlink");
    let opens = name.starts_with("open") && opened.iter().any(|flag| call.contains(flag));
    ((changes && !reads) || opens) && !call.contains("\"/dev/")
}

#[test]
fn strace_sees_no_file_of_ours_in_the_modes_memory_and_none() {
    const TEST: &str = "strace_sees_no_file_of_ours_in_the_modes_memory_and_none";
    for (mode, sources) in [
        ("file", "from api, then from cache"),
        ("memory", "from api, then from api"),
        ("none", "from api, then from api"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let Some((calls, said)) = file_calls(TEST, mode, home.path()) else {
            return;
        };
        assert!(said.contains(sources), "{mode}: {said}");
        let ours = [home.path().join("cache"), home.path().join("tmp")];
        let ours = ours.map(|folder| folder.display().to_string());
        let is_ours = |call: &&String| ours.iter().any(|folder| call.contains(folder));
        let writing: Vec<_> = calls.iter().filter(|call| writes(call)).collect();
        let touching: Vec<_> = calls.iter().filter(is_ours).collect();
        match mode {
            // The tracer sees it where it is there.
            "file" => {
                assert!(
                    writing.iter().any(|call| call.contains("catalog.jsonl")),
                    "{writing:#?}"
                );
                assert!(
                    writing.iter().any(|call| call.contains("rename")),
                    "{writing:#?}"
                );
                assert!(!touching.is_empty());
            }
            _ => {
                assert!(writing.is_empty(), "{mode}: {writing:#?}");
                // Not even looked for.
                assert!(touching.is_empty(), "{mode}: {touching:#?}");
                assert!(ours.iter().all(|folder| is_empty(Path::new(folder))));
            }
        }
    }
}
