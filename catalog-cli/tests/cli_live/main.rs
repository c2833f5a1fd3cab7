//! The command line with a live catalog behind it: the real program, over HTTP, against a fake Bedrock.
//! Every JSON answer is checked by its shape.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod cache;
mod refresh;

use std::path::Path;
use std::process::Command;

use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Rule, Stage};
use bedrock_catalog_tests::skip;
use serde_json::Value;

/// Nothing of the caller's environment, a home of its own, and a Bedrock of two regions.
struct Desk {
    bedrock: FakeBedrock,
    home: tempfile::TempDir,
    extra: Vec<(String, String)>,
}

struct Call {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Desk {
    fn new() -> Self {
        Self::with(|stage| stage)
    }

    fn with(script: impl FnOnce(Stage) -> Stage) -> Self {
        let recording =
            bedrock_catalog_tests::synthetic::recording(&["eu-west-1", "us-east-1"], 4, 3);
        Self {
            bedrock: FakeBedrock::start(script(Stage::new(recording))).unwrap(),
            home: tempfile::tempdir().unwrap(),
            extra: Vec::new(),
        }
    }

    /// The same, where one region of the two is denied.
    fn with_a_failing_region() -> Self {
        Self::with(|stage| stage.rule(Rule::new(Fault::access_denied()).region("eu-west-1")))
    }

    fn set(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        let value = value.as_ref().to_str().unwrap().to_owned();
        self.extra.push((name.to_owned(), value));
        self
    }

    /// With a SQLite file too.
    fn with_sqlite(self) -> Self {
        let path = self.home.path().join("shared").join("cache.sqlite");
        self.set("BEDROCK_CATALOG_SQLITE", path)
    }

    fn command_of(&self, program: &[&str], line: &str) -> Command {
        let mut command = Command::new(program[0]);
        let home = self.home.path();
        command
            .args(&program[1..])
            .args(line.split_whitespace())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", home)
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("TMPDIR", home)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", self.bedrock.url())
            .env("BEDROCK_CATALOG_REGIONS", "eu-west-1,us-east-1")
            .envs(self.extra.iter().map(|(name, value)| (name, value)));
        command
    }

    fn call(&self, line: &str) -> Call {
        run(self.command_of(&[env!("CARGO_BIN_EXE_bedrock-catalog")], line))
    }

    /// The text of a call that says yes.
    fn text(&self, line: &str) -> String {
        let call = self.call(line);
        assert_eq!(call.code, 0, "{line}: {}{}", call.stdout, call.stderr);
        call.stdout
    }

    /// The document of a call that says yes.
    fn json(&self, line: &str) -> Value {
        document(&self.text(&format!("{line} --json")))
    }

    /// The kind of the error of a call that says no.
    fn no(&self, line: &str) -> String {
        let call = self.call(&format!("{line} --json"));
        assert_eq!(call.code, 1, "{line}: {}", call.stdout);
        assert!(call.stderr.contains("error:"), "{}", call.stderr);
        let answer = document(&call.stdout);
        let error = shape(&answer["error"], &["kind", "message", "suggestions"], &[]);
        assert!(error["message"].is_string() && error["suggestions"].is_array());
        error["kind"].as_str().unwrap().to_owned()
    }

    fn requests(&self) -> usize {
        self.bedrock.stage().requests()
    }
}

fn run(mut command: Command) -> Call {
    let output = command.output().unwrap();
    Call {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// One document, on one line.
fn document(stdout: &str) -> Value {
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(stdout).unwrap()
}

/// Exactly these keys, and any of the others.
fn shape<'v>(value: &'v Value, keys: &[&str], also: &[&str]) -> &'v Value {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"));
    for key in keys {
        assert!(object.contains_key(*key), "no {key} in {value}");
    }
    for key in object.keys() {
        assert!(
            [keys, also].concat().contains(&key.as_str()),
            "unknown {key} in {value}"
        );
    }
    value
}

/// The shape of `status` and `refresh`, design §6.
fn status_shape(value: &Value) -> &Value {
    shape(
        value,
        &[
            "source",
            "tier",
            "path",
            "observed_at",
            "age_seconds",
            "degraded",
            "partition",
            "regions",
            "models",
            "profiles",
            "retired",
            "overlay",
            "error",
        ],
        &[
            "asked_at",
            "error_kind",
            "format",
            "overlay_error",
            "version",
        ],
    );
    let source = value["source"].as_str().unwrap();
    assert!(["api", "cache", "bundle"].contains(&source));
    let is_text_or_null = |key: &str| value[key].is_string() || value[key].is_null();
    assert!(is_text_or_null("tier") && is_text_or_null("path") && is_text_or_null("error"));
    assert_eq!(value["tier"].is_string(), source == "cache", "{value}");
    assert!(value["age_seconds"].is_i64() && value["degraded"].is_boolean());
    for number in ["models", "profiles", "retired", "overlay"] {
        assert!(value[number].is_u64(), "{number}");
    }
    let regions = shape(&value["regions"], &["answered", "failed"], &[]);
    assert!(
        regions["answered"]
            .as_array()
            .unwrap()
            .is_sorted_by_key(|id| id.as_str().unwrap())
    );
    assert!(
        regions["failed"]
            .as_object()
            .unwrap()
            .values()
            .all(Value::is_string)
    );
    value
}
