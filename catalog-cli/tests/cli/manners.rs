//! Exit codes, streams, colours, pipes.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::{call, command};

#[test]
fn a_wrong_command_line_exits_2_and_says_nothing_on_stdout() {
    for line in [
        "",
        "nonsense",
        "route",
        "route amazon.nova-pro-v1:0",
        "route amazon.nova-pro-v1:0 eu-west-2 --policy near",
        "route amazon.nova-pro-v1:0 eu-west-2 --policy within",
        "access amazon.nova-pro-v1:0",
        "access --all amazon.nova-pro-v1:0 eu-west-2",
        "models --status gone",
        "models --at yesterday",
        "models --at 2026-02-30",
        "regions --color sometimes",
        "regions --live --offline",
    ] {
        let call = call(line);
        assert_eq!((call.code, &*call.stdout), (2, ""), "{line}");
        assert!(!call.stderr.is_empty(), "{line}");
    }
}

/// A build without the feature says so; the lint of the feature sets runs this one too.
#[cfg(not(feature = "aws"))]
#[test]
fn what_a_build_has_no_feature_for_exits_2() {
    for line in [
        "regions --live",
        "route amazon.nova-pro-v1:0 eu-west-2 --live --json",
        "refresh",
    ] {
        let call = call(line);
        assert_eq!((call.code, &*call.stdout), (2, ""), "{line}");
        assert!(call.stderr.contains("feature `aws`"), "{}", call.stderr);
    }
}

#[test]
fn help_and_version_are_answers() {
    for line in ["--help", "--version", "route --help"] {
        let call = call(line);
        assert_eq!((call.code, &*call.stderr), (0, ""), "{line}");
        assert!(!call.stdout.is_empty(), "{line}");
    }
}

#[test]
fn help_lists_the_words() {
    for (line, words) in [
        (
            "route --help",
            "[possible values: in-region, geography, any, global]",
        ),
        (
            "models --help",
            "[possible values: active, legacy, ended, retired, unknown]",
        ),
    ] {
        let help = call(line).stdout;
        assert!(help.contains(words), "{help}");
    }
}

#[test]
fn a_word_that_nothing_has_is_told() {
    for (line, note) in [
        (
            "models --input TEXTT",
            "note: no model takes `TEXTT`; the words are AUDIO, ",
        ),
        (
            "models --output TEXTT",
            "note: no model gives `TEXTT`; the words are ",
        ),
        (
            "models --provider nobody",
            "note: no model is of provider `nobody`; the words are ",
        ),
        (
            "profiles --geography europe",
            "note: no profile is of geography `europe`; the words are ",
        ),
    ] {
        let call = call(&format!("{line} --json"));
        assert_eq!((call.code, &*call.stdout), (0, "[]\n"), "{line}");
        assert!(call.stderr.starts_with(note), "{line}: {}", call.stderr);
    }
    for line in [
        "models --input text --provider AMAZON",
        "profiles --geography EU",
    ] {
        assert_eq!(call(line).stderr, "", "{line}");
    }
}

#[test]
fn a_yes_is_on_stdout_and_a_no_on_stderr() {
    for line in ["regions", "regions --json", "models --offline", "status"] {
        let call = call(line);
        assert_eq!((call.code, &*call.stderr), (0, ""), "{line}");
        assert!(call.stdout.ends_with('\n'), "{line}");
    }
    let no = call("model nonsense");
    assert_eq!((no.code, &*no.stdout), (1, ""));
    assert!(
        no.stderr.starts_with("error: unknown model `nonsense`"),
        "{}",
        no.stderr
    );
    let no = call("model nonsense --json");
    assert_eq!(no.code, 1);
    assert!(no.stdout.starts_with(r#"{"error":{"#), "{}", no.stdout);
}

#[test]
fn what_ends_is_warned_of_on_stderr() {
    let models = crate::json("models --status legacy");
    let Some(model) = models.as_array().unwrap().first() else {
        crate::leave_out(
            "what_ends_is_warned_of_on_stderr",
            "nothing is legacy today",
        );
        return;
    };
    let (id, region) = (
        model["id"].as_str().unwrap(),
        model["regions"][0].as_str().unwrap(),
    );
    let call = call(&format!("route {id} {region} --policy any --json"));
    if call.code == 0 {
        assert!(call.stderr.starts_with("warning: "), "{}", call.stderr);
        assert!(call.stderr.contains("is legacy"), "{}", call.stderr);
    }
}

#[test]
fn colour_is_asked_for() {
    let stderr = |color: &str, variables: &[(&str, &str)]| {
        let mut command = command();
        command
            .args(["model", "nonsense", "--color", color])
            .envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    let is_coloured = |text: String| text.contains('\u{1b}');
    assert!(is_coloured(stderr("always", &[])));
    assert!(!is_coloured(stderr("auto", &[])), "this is no terminal");
    assert!(!is_coloured(stderr("never", &[("CLICOLOR_FORCE", "1")])));
    assert!(!is_coloured(stderr("auto", &[("NO_COLOR", "1")])));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    for line in ["access --all --json", "access --all", "models --json"] {
        let mut child = command()
            .args(line.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // As `head -1`: one line, and the pipe is closed.
        let mut first = String::new();
        let mut reader = BufReader::with_capacity(64, child.stdout.take().unwrap());
        reader.read_line(&mut first).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        assert!(!first.is_empty());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{line}");
        assert_eq!(output.status.code(), Some(0), "{line}");
    }
}

#[test]
fn a_hostile_question_cannot_steer_the_terminal() {
    let hostile = "a\u{1b}[2J\u{202e}b\nc\u{9b}\u{7f}";
    for json in [&["--json"][..], &[]] {
        let output = command()
            .args(["model", hostile])
            .args(json)
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!printed.contains(raw), "{printed:?}");
        assert_eq!(printed.lines().count(), 1 + json.len(), "{printed:?}");
    }
}
