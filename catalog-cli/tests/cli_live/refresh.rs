//! `refresh`, `status` and the lookups with `--live` and `--offline`.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::*;

#[test]
fn offline_a_refresh_asks_nobody() {
    let desk = Desk::new();
    let call = desk.call("refresh --offline --json");
    assert_eq!(call.code, 1, "{}", call.stderr);
    let error = &document(&call.stdout)["error"];
    let help = "leave out --offline, BEDROCK_CATALOG_OFFLINE or offline(true) to fetch from AWS";
    assert_eq!(error["suggestions"], serde_json::json!([help]));
    let message = error["message"].as_str().unwrap();
    assert_eq!(message, format!("nothing is fetched offline; {help}"));
    assert!(call.stderr.contains(help), "{}", call.stderr);
    assert_eq!(desk.requests(), 0);
}

#[test]
fn a_refresh_says_what_it_brought_and_is_kept() {
    let desk = Desk::new();
    let brought = desk.json("refresh");
    status_shape(&brought);
    assert_eq!(brought["source"], "api");
    assert_eq!(brought["degraded"], false);
    assert_eq!(brought["models"], 4);
    assert_eq!(
        brought["regions"]["answered"],
        serde_json::json!(["eu-west-1", "us-east-1"])
    );
    assert_eq!(desk.requests(), 4);
    // What is fresh is not asked for again, with AWS or without.
    for line in ["status --live", "status --offline"] {
        let kept = desk.json(line);
        status_shape(&kept);
        assert_eq!(
            (&kept["source"], &kept["tier"]),
            (&"cache".into(), &"files".into()),
            "{line}"
        );
        assert!(kept["path"].as_str().unwrap().ends_with("catalog.jsonl"));
        assert_eq!(kept["observed_at"], brought["observed_at"]);
    }
    assert_eq!(desk.requests(), 4);
    let id = "maker.model-2-v1:0";
    assert_eq!(desk.json(&format!("model {id} --offline"))["id"], id);
    assert_eq!(
        desk.json("models --live --region us-east-1")
            .as_array()
            .unwrap()
            .len(),
        3
    );
    // A refresh asks whatever there is.
    assert!(desk.text("refresh").starts_with("api\n"));
    assert_eq!(desk.requests(), 8);
    // The bundle knows nothing of that.
    let bundled = desk.json("status");
    assert_eq!(status_shape(&bundled)["source"], "bundle");
    assert_eq!(desk.no(&format!("model {id}")), "unknown_model");
}

#[test]
fn a_partial_refresh_is_done_and_names_the_regions_that_failed() {
    let desk = Desk::with_a_failing_region();
    let call = desk.call("refresh --json");
    assert_eq!(call.code, 0, "{}", call.stderr);
    assert!(
        call.stderr.contains("warning: eu-west-1: denied"),
        "{}",
        call.stderr
    );
    let brought = document(&call.stdout);
    status_shape(&brought);
    assert_eq!(
        (&brought["source"], &brought["degraded"]),
        (&"api".into(), &true.into())
    );
    assert_eq!(
        brought["regions"]["answered"],
        serde_json::json!(["us-east-1"])
    );
    let why = brought["regions"]["failed"]["eu-west-1"].as_str().unwrap();
    assert!(
        why.contains("denied") && !why.contains("123456789012"),
        "{why}"
    );
    let text = desk.text("refresh");
    assert!(
        text.contains("  eu-west-1: denied") && text.contains("1 answered, 1 failed"),
        "{text}"
    );
}

#[test]
fn where_all_regions_are_required_a_failure_replaces_nothing() {
    let desk = Desk::with(|stage| {
        stage.rule(
            Rule::new(Fault::access_denied())
                .region("eu-west-1")
                .requests(2..=u64::MAX),
        )
    });
    let good = desk.json("refresh --require-all-regions");
    assert_eq!(status_shape(&good)["degraded"], false);
    desk.no("refresh --require-all-regions");
    let call = desk.call("refresh --require-all-regions");
    assert_eq!((call.code, call.stdout.as_str()), (1, ""));
    assert!(call.stderr.contains("eu-west-1"), "{}", call.stderr);
    let kept = desk.json("status --offline");
    assert_eq!(kept["observed_at"], good["observed_at"]);
    assert_eq!(kept["regions"]["failed"], serde_json::json!({}));
}

/// The SDK's own chain of credentials, where the metadata service takes the connection and never
/// answers, or never ends its answer.
#[test]
fn a_silent_metadata_service_leaves_the_bundle() {
    for begun in [
        "",
        "HTTP/1.1 200 OK\r\nX-aws-ec2-metadata-token-ttl-seconds: 600\r\nContent-Length: 56\r\n\r\n",
    ] {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", silent.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&taken);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for mut stream in silent.incoming().flatten() {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(begun.as_bytes());
                keep.lock().unwrap().push(stream);
            }
        });
        let desk = Desk::new()
            .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
            .set("BEDROCK_CATALOG_DEADLINE", "2s");
        let ask = |line: &str| {
            let mut command = desk.command_of(&[env!("CARGO_BIN_EXE_bedrock-catalog")], line);
            for given in [
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
                "AWS_EC2_METADATA_DISABLED",
            ] {
                command.env_remove(given);
            }
            let started = Instant::now();
            let call = run(command);
            // A program has to start, perhaps on a busy machine.
            let long = std::env::var_os("BEDROCK_CATALOG_LONG").is_some();
            let slack = Duration::from_secs(if long { 1 } else { 20 });
            let elapsed = started.elapsed();
            assert!(
                elapsed <= Duration::from_millis(2_200) + slack,
                "{line}: {elapsed:?}"
            );
            call
        };
        let served = ask("status --live --json");
        assert_eq!(served.code, 0, "{}", served.stderr);
        let served = document(&served.stdout);
        assert_eq!(status_shape(&served)["source"], "bundle");
        assert_eq!(served["degraded"], true);
        assert_eq!(served["error_kind"], "no_credentials", "{served}");
        let no = ask("refresh --json");
        assert_eq!(no.code, 1, "{}", no.stderr);
        let error = &document(&no.stdout)["error"];
        assert_eq!(error["kind"], "no_credentials");
        let help = error["suggestions"][0].as_str().unwrap();
        assert!(help.starts_with("set AWS_PROFILE"), "{help}");
        assert!(error["message"].as_str().unwrap().ends_with(help));
        assert_eq!(desk.requests(), 0);
        assert!(taken.lock().unwrap().len() >= 2, "{begun:?}: nobody asked");
    }
}

#[test]
fn without_an_answer_a_refresh_says_no_and_a_lookup_is_served_from_the_bundle() {
    let desk = Desk::with(|stage| stage.rule(Rule::new(Fault::access_denied())));
    desk.no("refresh");
    let served = desk.json("status --live");
    assert_eq!(status_shape(&served)["source"], "bundle");
    assert!(
        served["error"].as_str().unwrap().contains("denied"),
        "{served}"
    );
    assert_eq!(served["degraded"], true);
}

#[test]
fn regions_and_endpoint_are_those_of_the_command_line() {
    let desk = Desk::new().set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let line = format!(
        "refresh --regions us-east-1 --endpoint-url {}",
        desk.bedrock.url()
    );
    let brought = desk.json(&line);
    assert_eq!(
        status_shape(&brought)["regions"]["answered"],
        serde_json::json!(["us-east-1"])
    );
    assert_eq!(desk.requests(), 2);
    // Another endpoint and other regions are another catalog.
    assert_eq!(desk.json("status --offline")["source"], "bundle");
}

/// The SDK's client may have an endpoint of its own: what it answers is not AWS's.
#[test]
fn an_endpoint_of_the_service_alone_has_entries_of_its_own() {
    let profile = |desk: &Desk| {
        let path = desk.home.path().join("config");
        let url = desk.bedrock.url();
        let said = format!(
            "[default]\nservices = own\n[services own]\nbedrock =\n  endpoint_url = {url}\n"
        );
        std::fs::write(&path, said).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let variable = |desk: &Desk| desk.bedrock.url();
    type Given = fn(&Desk) -> String;
    let cases: [(&str, Given); 2] = [
        ("AWS_ENDPOINT_URL_BEDROCK", variable),
        ("AWS_CONFIG_FILE", profile),
    ];
    for (name, given) in cases {
        let desk = Desk::new();
        let own = given(&desk);
        let ask = |line: &str, more: &[(&str, &str)]| {
            let mut command = desk.command_of(&[env!("CARGO_BIN_EXE_bedrock-catalog")], line);
            command.env_remove("AWS_ENDPOINT_URL").envs(more.to_vec());
            let call = run(command);
            assert_eq!(call.code, 0, "{name}: {}", call.stderr);
            document(&call.stdout)["source"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let status = "status --offline --json";
        let own = (name, own.as_str());
        assert_eq!(ask("refresh --json", &[own]), "api");
        assert_eq!(ask(status, &[own]), "cache", "{name}");
        assert_eq!(ask(status, &[]), "bundle", "{name}: AWS's own");
        // Which of two goes first is the SDK's to say: a variable before the profile.
        let all = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let first = if name == "AWS_CONFIG_FILE" {
            "bundle"
        } else {
            "cache"
        };
        assert_eq!(ask(status, &[own, all]), first, "{name}");
        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        assert_eq!(ask(status, &[own, ignored]), "bundle", "{name}");
    }
}

#[test]
fn wrong_command_lines_are_told_from_work_that_failed() {
    let desk = Desk::new();
    for line in [
        "refresh --regions",
        "refresh --endpoint-url",
        "refresh --all",
        "refresh now",
        "status --live --offline",
        "status --cache-dir",
        "cache",
        "cache status --recent many",
        "cache status --recent -1",
        "cache clear --pattern",
        "cache clear everything",
        "cache warm --detailed",
        "cache polish",
    ] {
        let call = desk.call(line);
        assert_eq!(
            (call.code, call.stdout.as_str()),
            (2, ""),
            "{line}: {}",
            call.stderr
        );
        assert!(
            call.stderr.contains("error:") || call.stderr.contains("Usage:"),
            "{line}: {}",
            call.stderr
        );
    }
    for (name, value) in [
        ("BEDROCK_CATALOG_FRESH_FOR", "soon"),
        ("BEDROCK_CATALOG_CACHE", "tape"),
        ("BEDROCK_CATALOG_DEADLINE", "0s"),
    ] {
        let desk = Desk::new().set(name, value);
        assert_eq!(
            desk.no("status --offline"),
            "invalid_configuration",
            "{name}"
        );
        assert_eq!(desk.requests(), 0);
    }
    assert_eq!(desk.requests(), 0);
}

/// What was written when the clock showed another time. (The other way round `faketime` does not reach
/// the clock that a cache reads on its hot path.)
#[test]
fn what_is_fresh_kept_or_past_is_judged_by_the_clock() {
    let name = "what_is_fresh_kept_or_past_is_judged_by_the_clock";
    let mut faketime = Command::new("faketime");
    if !faketime
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return skip(name, "there is no faketime");
    }
    for (written, offline, live) in [
        ("-23h", "cache", "cache"),
        ("+4m", "cache", "cache"),
        // Old, and served because nobody may be asked.
        ("-25h", "cache", "api"),
        ("-29d", "cache", "api"),
        // Past keep for; before the bundle.
        ("-31d", "bundle", "api"),
        ("-10y", "bundle", "api"),
        // From beyond what clocks differ it is not believed.
        ("+1h", "bundle", "api"),
        ("+31d", "bundle", "api"),
    ] {
        let desk = Desk::new();
        let program = [
            "faketime",
            "-f",
            written,
            env!("CARGO_BIN_EXE_bedrock-catalog"),
        ];
        let call = run(desk.command_of(&program, "refresh --json"));
        assert_eq!(call.code, 0, "{written}: {}", call.stderr);
        status_shape(&document(&call.stdout));
        let asked = desk.requests();
        let kept = desk.json("status --offline");
        assert_eq!(status_shape(&kept)["source"], offline, "{written}: {kept}");
        assert_eq!(desk.requests(), asked);
        let served = desk.json("status --live");
        assert_eq!(status_shape(&served)["source"], live, "{written}: {served}");
        assert_eq!(desk.requests() > asked, live == "api", "{written}");
        // And from then on it is the new one.
        let kept = desk.json("status --offline");
        assert_eq!(
            (&kept["source"], &kept["observed_at"]),
            (&"cache".into(), &served["observed_at"]),
            "{written}"
        );
    }
}

#[cfg(unix)]
#[test]
fn the_credentials_may_come_from_a_program_that_the_profile_names() {
    let desk = Desk::new().set("AWS_PROFILE", "ours");
    let aws = desk.home.path().join(".aws");
    std::fs::create_dir(&aws).unwrap();
    let told = r#"{"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "secret"}"#;
    std::fs::write(aws.join("told.json"), told).unwrap();
    let program = format!("/bin/cat {}", aws.join("told.json").display());
    let profile = format!("[profile ours]\ncredential_process = {program}\n");
    std::fs::write(aws.join("config"), profile).unwrap();
    let mut command = desk.command_of(&[env!("CARGO_BIN_EXE_bedrock-catalog")], "refresh");
    command.env_remove("AWS_ACCESS_KEY_ID");
    command.env_remove("AWS_SECRET_ACCESS_KEY");
    let call = run(command);
    assert_eq!(call.code, 0, "{}", call.stderr);
    assert_eq!(desk.requests(), 4);
}

#[test]
fn a_setting_that_cannot_be_is_a_wrong_command_line() {
    let desk = Desk::new();
    for wrong in [
        "--regions eu_west",
        "--regions us-gov-west-1",
        "--endpoint-url foo",
    ] {
        let call = desk.call(&format!("refresh {wrong}"));
        assert_eq!(call.code, 2, "{wrong}: {}", call.stderr);
        let value = wrong.split_once(' ').unwrap().1;
        assert!(call.stderr.contains(value), "{}", call.stderr);
    }
    // The work may fail all the same, and so may what the environment says.
    let call = desk.call("refresh --endpoint-url http://127.0.0.1:1");
    assert_eq!(call.code, 1, "{}", call.stderr);
    let desk = desk.set("BEDROCK_CATALOG_REGIONS", "us-gov-west-1");
    for line in ["refresh", "refresh --endpoint-url http://127.0.0.1:1"] {
        let call = desk.call(line);
        assert_eq!(call.code, 1, "{line}: {}", call.stderr);
        let told = "BEDROCK_CATALOG_REGIONS is \"us-gov-west-1\"";
        assert!(call.stderr.contains(told), "{}", call.stderr);
    }
    assert_eq!(desk.requests(), 0);
}
