//! The command line to the letter of its promise: examples, shapes, exit codes, and every answer
//! against a reading of the recording that shares no code with it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod answers;
mod independent;
mod manners;
mod shapes;

use std::process::{Command, Output};

use bedrock_catalog_tests::leave_out;
use serde_json::Value;

/// What one call of the command line came to.
struct Call {
    code: i32,
    stdout: String,
    stderr: String,
}

/// The command, with nothing of the caller's environment that changes what it prints.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedrock-catalog"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "TERM"] {
        command.env_remove(name);
    }
    command
}

impl From<Output> for Call {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Calls with words separated by spaces.
fn call(line: &str) -> Call {
    command()
        .args(line.split_whitespace())
        .output()
        .unwrap()
        .into()
}

/// The JSON document of a call, whatever the exit code, which it must fit.
fn json(line: &str) -> Value {
    let call = call(&format!("{line} --json"));
    assert_eq!(
        call.stdout.lines().count(),
        1,
        "{line}: one document, one line"
    );
    let answer: Value = serde_json::from_str(&call.stdout).unwrap();
    let is_no = answer.get("error").is_some_and(Value::is_object);
    assert_eq!(call.code, i32::from(is_no), "{line}: {answer}");
    answer
}

/// Whether the bundle is still that of the recording of which these tests speak. The data is
/// renewed without a person; what is said of these days then has no bundle to be asked of.
fn is_known_bundle(test: &str) -> bool {
    let is_known = json("status")["observed_at"] == "2026-10-07T09:36:03Z";
    if !is_known {
        leave_out(test, "the bundle is not that of 2026-10-07 any more");
    }
    is_known
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|text| text.as_str().unwrap()).collect()
}
