//! `fetch` against a fake Bedrock: complete, partial and failed recordings.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use bedrock_catalog_recording::Recording;
use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Operation, Rule, Stage};
use bedrock_catalog_tests::recordings;

use crate::{Call, FILES, call, command, committed, committed_catalog, contents};

const TIME: &str = "2026-10-07T09:36:03Z";

/// The committed catalog, served in small pages.
fn stage() -> Stage {
    Stage::new(Recording::of_catalog(&committed_catalog())).profile_page_size(20)
}

/// The command with credentials and an otherwise empty environment.
fn fetch(folder: &Path, fake: &FakeBedrock, words: &[&str]) -> Call {
    let url = fake.url();
    let words = [
        &["fetch", "--out", "recording", "--endpoint-url", &url],
        words,
    ]
    .concat();
    fetch_with(
        folder,
        &words,
        &[
            ("AWS_ACCESS_KEY_ID", "fake"),
            ("AWS_SECRET_ACCESS_KEY", "fake"),
        ],
    )
}

fn fetch_with(folder: &Path, words: &[&str], environment: &[(&str, &str)]) -> Call {
    let mut command = command(folder);
    command.env_clear().env("HOME", folder).args(words);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    Call {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The files in a folder, with hidden ones.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn a_fetched_recording_builds_the_committed_bundle() {
    let rendered = Recording::of_catalog(&committed_catalog());
    let real = recordings::real("a_fetched_recording_builds_the_committed_bundle").unwrap();
    for recording in [Some(rendered), real].into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        recording.write(&folder.path().join("direct")).unwrap();
        let fake = FakeBedrock::start(Stage::new(recording).profile_page_size(20)).unwrap();
        let fetched = fetch(folder.path(), &fake, &["--observed-at", TIME]);
        assert_eq!((fetched.code, &*fetched.stderr), (0, ""));
        assert!(
            fetched.stdout.contains("31 of 31 regions"),
            "{}",
            fetched.stdout
        );
        let build = |recording: &str, out: &str, previous: &str| {
            let words = ["build", "--recording", recording, "--observed-at", TIME];
            let made = call(
                folder.path(),
                &[&words[..], &["--previous", previous, "--out", out]].concat(),
            );
            assert_eq!((made.code, &*made.stderr), (0, ""));
            contents(&folder.path().join(out))
        };
        let (fetched, direct) = (
            build("recording", "a", "none"),
            build("direct", "b", "none"),
        );
        assert!(fetched == direct && fetched.len() == FILES.len());
        // Retired models come from the previous catalog.
        let previous = committed().join("catalog.json");
        let renewed = build("recording", "c", previous.to_str().unwrap());
        for file in FILES {
            assert!(
                renewed[Path::new(file)] == fs::read(committed().join(file)).unwrap(),
                "{file}"
            );
        }
    }
}

#[test]
fn a_partial_recording_names_the_failed_regions() {
    let folder = tempfile::tempdir().unwrap();
    let denied = Rule::new(Fault::access_denied()).region("eu-west-1");
    let broken = Rule::new(Fault::html())
        .region("us-east-1")
        .operation(Operation::Profiles);
    let fake = FakeBedrock::start(stage().rule(denied).rule(broken)).unwrap();
    let part = fetch(folder.path(), &fake, &[]);
    assert_eq!(part.code, 0, "{}", part.stderr);
    let told: Vec<&str> = part.stderr.lines().collect();
    assert_eq!(told.len(), 2, "{}", part.stderr);
    assert!(
        told[0].starts_with("warning: eu-west-1: denied: "),
        "{}",
        told[0]
    );
    assert!(
        told[1].starts_with("warning: us-east-1: failed: "),
        "{}",
        told[1]
    );
    assert!(!part.stderr.contains("123456789012"), "an account id");
    let recording = Recording::read(&folder.path().join("recording"), None).unwrap();
    assert_eq!(recording.regions.len(), 29);
    assert!(recording.failures.keys().eq(["eu-west-1", "us-east-1"]));

    // Built over the committed catalog, nothing is lost, and the two regions are stale.
    let committed = committed().join("catalog.json");
    let previous = ["--previous", committed.to_str().unwrap()];
    let words = [
        &["build", "--recording", "recording", "--out", "data"],
        &previous[..],
    ]
    .concat();
    let built = call(folder.path(), &words);
    assert_eq!(built.code, 0, "{}", built.stderr);
    for region in ["eu-west-1", "us-east-1"] {
        let kept = format!("kept the rows of {region} from {TIME}");
        assert!(built.stdout.contains(&kept), "{}", built.stdout);
    }
    let refused = call(
        folder.path(),
        &[&words[..], &["--require-all-regions"]].concat(),
    );
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("eu-west-1, us-east-1"),
        "{}",
        refused.stderr
    );
}

#[test]
fn require_all_regions_fails_for_a_missing_region() {
    let folder = tempfile::tempdir().unwrap();
    let denied = Rule::new(Fault::access_denied()).region("eu-west-1");
    let fake = FakeBedrock::start(stage().rule(denied)).unwrap();
    let refused = fetch(folder.path(), &fake, &["--require-all-regions"]);
    assert_eq!((refused.code, &*refused.stdout), (1, ""));
    assert!(
        refused.stderr.contains("warning: eu-west-1: denied"),
        "{}",
        refused.stderr
    );
    assert!(
        names(folder.path()).is_empty(),
        "{:?}",
        names(folder.path())
    );
    let words = ["--require-all-regions", "--regions", "eu-west-2,eu-west-3"];
    assert_eq!(fetch(folder.path(), &fake, &words).code, 0);
    // A region that is not enabled is missing only if it is named.
    let words = [
        "--require-all-regions",
        "--regions",
        "eu-west-2,ap-southeast-9",
    ];
    fs::remove_dir_all(folder.path().join("recording")).unwrap();
    let refused = fetch(folder.path(), &fake, &words);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("ap-southeast-9: not enabled"),
        "{}",
        refused.stderr
    );
}

#[test]
fn nothing_is_written_without_any_answer() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeBedrock::start(stage().rule(Rule::new(Fault::expired_token()))).unwrap();
    let failed = fetch(folder.path(), &fake, &[]);
    assert_eq!((failed.code, &*failed.stdout), (1, ""));
    assert_eq!(failed.stderr.lines().count(), 32, "{}", failed.stderr);
    assert!(
        failed.stderr.contains("nothing was written"),
        "{}",
        failed.stderr
    );
    assert!(
        names(folder.path()).is_empty(),
        "{:?}",
        names(folder.path())
    );
}

#[test]
fn without_credentials_the_message_says_what_to_set() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeBedrock::start(stage()).unwrap();
    // A metadata service that accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let metadata = format!("http://{}", silent.local_addr().unwrap());
    let url = fake.url();
    let words = ["fetch", "--out", "recording", "--endpoint-url", &url];
    for environment in [
        &[("AWS_EC2_METADATA_DISABLED", "true")][..],
        &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata)],
    ] {
        let started = std::time::Instant::now();
        let failed = fetch_with(folder.path(), &words, environment);
        assert_eq!((failed.code, &*failed.stdout), (1, ""));
        for part in ["no AWS credentials", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"] {
            assert!(failed.stderr.contains(part), "{}", failed.stderr);
        }
        if std::env::var_os("BEDROCK_CATALOG_LONG").is_some() {
            assert!(
                started.elapsed().as_secs_f32() < 5.0,
                "{:?}",
                started.elapsed()
            );
        }
    }
    assert_eq!(fake.stage().requests(), 0);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn an_existing_folder_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeBedrock::start(stage()).unwrap();
    let place = folder.path().join("recording");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("mine.txt"), "mine").unwrap();
    let refused = fetch(folder.path(), &fake, &[]);
    assert_eq!((refused.code, &*refused.stdout), (1, ""));
    for part in ["recording is there already", "remove it", "--out"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    assert_eq!(names(&place), ["mine.txt"]);
    assert_eq!(fake.stage().requests(), 0, "nobody is asked in vain");
    fs::remove_file(place.join("mine.txt")).unwrap();
    assert_eq!(
        fetch(folder.path(), &fake, &[]).code,
        0,
        "an empty folder is free"
    );
    assert_eq!(names(folder.path()), ["recording"]);
}

#[test]
fn a_wrong_command_line_exits_2_and_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeBedrock::start(stage()).unwrap();
    for words in [
        &["--regions", "US-EAST-1"][..],
        &["--regions", "us-east-1,us-gov-west-1"],
        &["--regions", "../../etc"],
        &["--regions", ""],
        &["--concurrency", "0"],
        &["--observed-at", "yesterday"],
        &["--endpoint-url", "nowhere"],
        &["--profile"],
    ] {
        let refused = fetch(folder.path(), &fake, words);
        assert_eq!((refused.code, &*refused.stdout), (2, ""), "{words:?}");
        assert!(!refused.stderr.is_empty());
    }
    assert_eq!(call(folder.path(), &["fetch"]).code, 2);
    assert_eq!(fake.stage().requests(), 0);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_suddenly_empty_list_is_suspicious() {
    let folder = tempfile::tempdir().unwrap();
    let empty = Rule::new(Fault::Empty)
        .region("eu-west-1")
        .operation(Operation::Models);
    let fake = FakeBedrock::start(stage().rule(empty)).unwrap();
    // Without a committed catalog there is nothing to compare with.
    let words = ["--regions", "eu-west-1,eu-west-2"];
    assert_eq!(fetch(folder.path(), &fake, &words).stderr, "");
    fs::remove_dir_all(folder.path().join("recording")).unwrap();
    let data = folder.path().join("catalog-data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("Cargo.toml"), "").unwrap();
    fs::copy(committed().join("catalog.json"), data.join("catalog.json")).unwrap();
    let doubted = fetch(folder.path(), &fake, &words);
    assert_eq!(doubted.code, 0);
    assert!(
        doubted
            .stderr
            .starts_with("warning: eu-west-1: suspicious: "),
        "{}",
        doubted.stderr
    );
    fs::remove_dir_all(folder.path().join("recording")).unwrap();
    fs::write(data.join("catalog.json"), "{").unwrap();
    let blind = fetch(folder.path(), &fake, &words);
    assert_eq!(blind.code, 0);
    assert!(
        blind.stderr.starts_with("warning: nothing to measure"),
        "{}",
        blind.stderr
    );
}

#[test]
fn control_characters_of_a_server_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let message = "\u{1b}[2J\u{202e}\r\n\u{7}::set-output name=x::y";
    let hostile =
        Rule::new(Fault::error(403, "AccessDeniedException", message)).region("eu-west-1");
    let fake = FakeBedrock::start(stage().rule(hostile)).unwrap();
    let part = fetch(folder.path(), &fake, &["--regions", "eu-west-1,eu-west-2"]);
    assert_eq!(part.code, 0, "{}", part.stderr);
    assert_eq!(part.stderr.lines().count(), 1, "{:?}", part.stderr);
    let harmless = |letter: char| letter == '\n' || (!letter.is_control() && letter != '\u{202e}');
    assert!(part.stderr.chars().all(harmless), "{:?}", part.stderr);
}
