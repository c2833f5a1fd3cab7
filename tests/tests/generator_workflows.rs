//! The workflows: every action is pinned, every permission is named, nothing is interpolated into a
//! script, and cloud credentials are separated from write tokens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// Every workflow by name, as text and parsed.
fn workflows() -> BTreeMap<String, (String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/workflows");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let workflows = files.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let parsed = serde_yaml_ng::from_str(&text).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, (text, parsed))
    });
    workflows.collect()
}

fn jobs(workflow: &Value) -> &Map<String, Value> {
    workflow["jobs"].as_object().unwrap()
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_array().unwrap()
}

fn allows(job: &Value, right: &str) -> bool {
    job["permissions"][right] == "write"
}

#[test]
fn there_are_four_workflows_without_top_level_permissions() {
    let workflows = workflows();
    assert!(
        workflows
            .keys()
            .eq(["ci", "regenerate", "release", "weekly"])
    );
    for (name, (_, workflow)) in &workflows {
        assert_eq!(workflow["permissions"], Value::Object(Map::new()), "{name}");
        for (job, text) in jobs(workflow) {
            assert!(text["permissions"].is_object(), "{name}.{job}");
            assert!(text["timeout-minutes"].is_u64(), "{name}.{job}");
        }
        assert!(workflow.get("pull_request_target").is_none());
        assert!(workflow["on"].get("pull_request_target").is_none());
        assert!(workflow["on"].get("workflow_run").is_none());
    }
}

#[test]
fn every_action_is_pinned_with_a_version_comment() {
    for (name, (text, workflow)) in workflows() {
        let mut used = 0;
        for step in jobs(&workflow).values().flat_map(steps) {
            let Some(action) = step["uses"].as_str() else {
                continue;
            };
            used += 1;
            let (action_name, commit) = action.split_once('@').unwrap();
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            assert!(
                commit.len() == 40 && commit.bytes().all(hex),
                "{name}: {action}"
            );
            let line = text.lines().find(|line| line.contains(action)).unwrap();
            let version = line.split_once(" # v").expect(line).1;
            assert!(
                version.split('.').all(|part| part.parse::<u32>().is_ok()),
                "{line}"
            );
            if action_name == "actions/checkout" {
                assert_eq!(step["with"]["persist-credentials"], false, "{name}");
            }
            // Of GitHub, AWS and the Rust project only.
            let owner = action_name.split('/').next().unwrap();
            assert!(
                ["actions", "aws-actions", "rust-lang"].contains(&owner),
                "{action}"
            );
        }
        assert_eq!(used, text.matches("uses:").count(), "{name}: all were seen");
    }
}

#[test]
fn nothing_is_interpolated_into_a_script() {
    for (name, (_, workflow)) in workflows() {
        for step in jobs(&workflow).values().flat_map(steps) {
            if let Some(run) = step["run"].as_str() {
                assert!(!run.contains("${{"), "{name}: {run}");
                assert_eq!(run.lines().count(), 1, "{name}: scripts are files: {run}");
            }
        }
    }
}

#[test]
fn cloud_credentials_and_write_tokens_are_in_different_jobs() {
    let workflows = workflows();
    for (name, (_, workflow)) in &workflows {
        for (job, text) in jobs(workflow) {
            let writes = ["contents", "pull-requests", "packages", "actions"];
            let writes = writes.iter().any(|right| allows(text, right));
            assert!(!(writes && allows(text, "id-token")), "{name}.{job}");
        }
    }
    let regenerate = jobs(&workflows["regenerate"].1);
    let (fetch, propose) = (&regenerate["fetch"], &regenerate["propose"]);
    assert_eq!(regenerate.len(), 2);
    assert_eq!(propose["needs"], "fetch");
    let uses = |job: &Value, action: &str| {
        steps(job).iter().any(|step| {
            step["uses"]
                .as_str()
                .is_some_and(|uses| uses.starts_with(action))
        })
    };
    assert!(uses(fetch, "aws-actions/") && uses(fetch, "actions/upload-artifact@"));
    assert!(!uses(propose, "aws-actions/") && uses(propose, "actions/download-artifact@"));
    assert!(
        !fetch.to_string().contains("token }}"),
        "the fetching job is given no token"
    );
    assert!(allows(propose, "contents") && allows(propose, "pull-requests"));
    // Only the last step has the token, after everything is built.
    let with_token = |step: &&Value| step["env"].to_string().contains("github.token");
    let with_token: Vec<_> = steps(propose).iter().filter(with_token).collect();
    assert_eq!(with_token, [steps(propose).last().unwrap()]);
    // Credentials come after every step that compiles.
    let place = |test: &dyn Fn(&Value) -> bool| steps(fetch).iter().position(test).unwrap();
    let built = place(&|step| {
        step["run"]
            .as_str()
            .is_some_and(|run| run.starts_with("cargo build"))
    });
    let role = place(&|step| {
        step["uses"]
            .as_str()
            .is_some_and(|uses| uses.starts_with("aws-actions/"))
    });
    assert!(built < role);
}

#[test]
fn pipelines_call_existing_scripts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, (_, workflow)) in workflows() {
        for step in jobs(&workflow).values().flat_map(steps) {
            let script = step["run"].as_str().and_then(|run| run.split(' ').next());
            let ours = |script: &&str| [".ci/", "scripts/"].iter().any(|at| script.starts_with(at));
            if let Some(script) = script.filter(ours) {
                assert!(root.join(script).is_file(), "{name}: {script}");
            }
        }
    }
    // Checks beside the tests that nothing else runs.
    for script in [
        "test", "lint", "trees", "zizmor", "deny", "fuzz", "counts", "as-root",
    ] {
        let local = fs::read_to_string(root.join(".ci/run")).unwrap();
        let all = workflows().into_values().map(|(text, _)| text);
        let said: String = all.chain([local]).collect();
        assert!(said.contains(&format!("scripts/{script}")), "{script}");
    }
    let release = jobs(&workflows()["release"].1).clone();
    let runs = |job: &str| -> Vec<String> {
        let runs = steps(&release[job])
            .iter()
            .filter_map(|step| step["run"].as_str());
        runs.filter(|run| run.starts_with("scripts/"))
            .map(str::to_owned)
            .collect()
    };
    let verbs = ["tag", "check", "semver", "package"].map(|verb| format!("scripts/release {verb}"));
    assert_eq!(runs("package"), verbs);
    assert_eq!(
        runs("publish"),
        [
            "scripts/release compare packages",
            "scripts/release publish"
        ]
    );
}

#[test]
fn the_iam_policy_has_exactly_the_two_used_actions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/aws-permissions.md");
    let text = fs::read_to_string(path).unwrap();
    let block = text
        .split("```json\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let policy: Value = serde_json::from_str(block).unwrap();
    let actions = &policy["Statement"][0]["Action"];
    assert_eq!(
        actions,
        &serde_json::json!([
            "bedrock:ListFoundationModels",
            "bedrock:ListInferenceProfiles"
        ])
    );
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
    let digits = |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_digit());
    assert!(
        !text
            .split(|letter: char| !letter.is_alphanumeric())
            .any(digits),
        "an account id"
    );
}
