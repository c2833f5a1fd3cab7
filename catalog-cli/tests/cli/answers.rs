//! The examples of the design, and a useful answer to each kind of wrong question.

use serde_json::{Value, json as value};

use crate::shapes::assert_error;
use crate::{call, is_known_bundle, json, texts};

/// A whole call as a text, for a snapshot.
fn told(line: &str) -> String {
    let call = call(line);
    let part = |name: &str, text: &str| match text {
        "" => String::new(),
        text => format!("[{name}]\n{text}"),
    };
    let parts = [part("stdout", &call.stdout), part("stderr", &call.stderr)].concat();
    format!("$ bedrock-catalog {line}\n{parts}[exit {}]\n", call.code)
}

#[test]
fn the_examples_of_the_design() {
    if !is_known_bundle("the_examples_of_the_design") {
        return;
    }
    let answer = |line: &str| json(&format!("route {line}"));
    let of = |answer: &Value| {
        (
            answer["inference_id"].clone(),
            answer["destinations"].clone(),
        )
    };
    assert_eq!(
        of(&answer("amazon.nova-pro-v1:0 eu-west-2")),
        (value!("amazon.nova-pro-v1:0"), value!(["eu-west-2"]))
    );
    assert_eq!(
        of(&answer("anthropic.claude-sonnet-4-6 ca-central-1")),
        (
            value!("us.anthropic.claude-sonnet-4-6"),
            value!(["ca-central-1", "us-east-1", "us-east-2", "us-west-2"])
        )
    );
    let europe = answer("anthropic.claude-sonnet-4-6 eu-central-1");
    assert_eq!(europe["inference_id"], "eu.anthropic.claude-sonnet-4-6");
    assert_eq!(europe["geography"], "eu");
    assert!(texts(&europe["destinations"]).len() > 1);
    assert_eq!(
        of(&answer(
            "anthropic.claude-sonnet-4-6 sa-east-1 --policy any"
        )),
        (
            value!("global.anthropic.claude-sonnet-4-6"),
            value!("global")
        )
    );
    let no = answer("anthropic.claude-sonnet-4-6 sa-east-1");
    assert_eq!(no["error"]["kind"], "policy_forbids");
    assert_eq!(no["error"]["suggestions"], value!(["any", "global"]));
    let no = answer("amazon.nova-pro-v1:0:300k us-east-1");
    assert_eq!(no["error"]["kind"], "provisioned_only");
    let access = json("access meta.llama3-2-1b-instruct-v1:0 eu-west-1");
    assert_eq!(access["listed"], false);
    assert!(access["profiles"]["eu.meta.llama3-2-1b-instruct-v1:0"].is_array());
}

#[test]
fn what_people_see() {
    if !is_known_bundle("what_people_see") {
        return;
    }
    let lines = [
        "route amazon.nova-pro-v1:0 eu-west-2",
        "route anthropic.claude-sonnet-4-6 ca-central-1",
        "route anthropic.claude-sonnet-4-6 eu-central-1 --within eu-*",
        "route anthropic.claude-sonnet-4-6 sa-east-1",
        "route anthropic.claude-sonnet-4-6 sa-east-1 --policy any",
        "route anthropic.claude-sonnet-4-6 ca-central-1 --within ca-*",
        "route amazon.nova-pro-v1:0:300k us-east-1",
        "route anthropic.claude-sonet-4-6 eu-west-1",
        "route amazon.nova-pro-v1:0 eu-west-9",
        "route us.amazon.nova-pro-v1:0 us-east-1",
        "access meta.llama3-2-1b-instruct-v1:0 eu-west-1",
        "access amazon.nova-pro-v1:0 us-east-1",
        "access amazon.nova-pro-v1:0 af-south-1",
        "model amazon.nova-micro-v1:0:24k",
        "model meta.llama3-2-1b-instruct-v1:0",
        "models --region mx-central-1 --at 2026-10-07",
        "models --status retired",
        "profiles --model anthropic.claude-sonnet-4-6",
        "profiles --geography jp --region ap-northeast-1",
        "regions",
    ];
    insta::assert_snapshot!(lines.map(told).join("\n"));
}

#[test]
fn what_programs_see() {
    if !is_known_bundle("what_programs_see") {
        return;
    }
    let lines = [
        "route anthropic.claude-sonnet-4-6 ca-central-1 --json",
        "route anthropic.claude-sonnet-4-6 sa-east-1 --json",
        "access amazon.nova-pro-v1:0 us-east-1 --json",
        "access anthropic.claude-sonnet-4-6 us-east-1 --json",
        "models --region mx-central-1 --provider twelvelabs --at 2026-10-07 --json",
        "models --status retired --json",
        "profiles --geography jp --model anthropic.claude-sonnet-4-6 --json",
    ];
    insta::assert_snapshot!(lines.map(told).join("\n"));
}

#[test]
fn a_policy_and_regions_hold_together() {
    if !is_known_bundle("a_policy_and_regions_hold_together") {
        return;
    }
    let answer = |line: &str| json(&format!("route anthropic.claude-sonnet-4-6 {line}"));
    let both = answer("eu-central-1 --policy geography --within eu-*");
    assert_eq!(both["inference_id"], "eu.anthropic.claude-sonnet-4-6");
    assert_eq!(both["policy"], "geography");
    assert_eq!(answer("eu-central-1 --within eu-*")["policy"], "within");
    assert_eq!(answer("eu-central-1")["policy"], "geography");
    // Each of the two may be what forbids.
    for line in [
        "eu-central-1 --policy in-region --within eu-*",
        "eu-central-1 --policy global --within eu-*",
        "eu-central-1 --policy any --within us-*",
    ] {
        let no = answer(line);
        assert_error(&no);
        assert_eq!(no["error"]["kind"], "policy_forbids", "{line}");
    }
}

/// All pairs as the command line tells them.
fn pairs() -> Vec<Value> {
    let all = call("access --all --json").stdout;
    let lines = all.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn names(pair: &Value) -> String {
    let name = |key: &str| pair[key].as_str().unwrap();
    format!("{} {}", name("model"), name("region"))
}

fn only_through(pair: &Value, is_kind: fn(&Value) -> bool) -> bool {
    let profiles = pair["profiles"].as_object().unwrap();
    pair["on_demand"] == false && !profiles.is_empty() && profiles.values().all(is_kind)
}

#[test]
fn each_no_says_what_would_be_a_yes() {
    let pairs = pairs();
    let kind = |answer: &Value| {
        assert_error(answer);
        answer["error"]["kind"].as_str().unwrap().to_owned()
    };
    let global_only = |pair: &&Value| only_through(pair, |to| to == "global");
    let pair = names(
        pairs
            .iter()
            .find(global_only)
            .expect("a global profile alone"),
    );
    let no = json(&format!("route {pair}"));
    assert_eq!(kind(&no), "policy_forbids");
    for policy in texts(&no["error"]["suggestions"]) {
        let yes = json(&format!("route {pair} --policy {policy}"));
        assert_eq!(yes["kind"], "global");
    }
    let help = call(&format!("route {pair}")).stderr;
    assert!(help.contains("only a global profile"), "{help}");
    assert!(help.contains("--policy any"), "{help}");

    let bounded_only = |pair: &&Value| only_through(pair, Value::is_array);
    let pair = names(
        pairs
            .iter()
            .find(bounded_only)
            .expect("a bounded profile alone"),
    );
    assert_eq!(
        kind(&json(&format!("route {pair} --policy in-region"))),
        "policy_forbids"
    );
    assert_eq!(
        kind(&json(&format!("route {pair} --policy global"))),
        "policy_forbids"
    );
    assert_eq!(
        kind(&json(&format!("route {pair} --within me-south-1"))),
        "policy_forbids"
    );
    assert_eq!(
        kind(&json(&format!("route {pair} --within nowhere-1"))),
        "unknown_residency"
    );
    let both = format!("route {pair} --policy any --within *,nowhere-1");
    assert_eq!(kind(&json(&both)), "unknown_residency");
    assert_eq!(json(&format!("route {pair}"))["kind"], "geography");

    let bought = |pair: &&Value| {
        pair["on_demand"] == false
            && pair["provisioned"] == true
            && pair["profiles"].as_object().unwrap().is_empty()
    };
    if let Some(pair) = pairs.iter().find(bought) {
        let no = json(&format!("route {} --policy any", names(pair)));
        assert_eq!(kind(&no), "provisioned_only");
        assert!(
            no["error"]["message"]
                .as_str()
                .unwrap()
                .contains("provisioned throughput")
        );
    }
    let no_way = |pair: &&Value| pair["inference_types"] == value!([]) && pair["listed"] == true;
    let no_way = |pair: &&Value| no_way(pair) && pair["profiles"].as_object().unwrap().is_empty();
    if let Some(pair) = pairs.iter().find(no_way) {
        assert_eq!(kind(&json(&format!("route {}", names(pair)))), "no_way_in");
    }
}

#[test]
fn an_unknown_id_names_its_neighbours() {
    for (line, kind, near) in [
        (
            "model anthropic.claude-sonet-4-6",
            "unknown_model",
            "anthropic.claude-sonnet-4-6",
        ),
        (
            "model Claude-Sonnet-4-6",
            "unknown_model",
            "anthropic.claude-sonnet-4-6",
        ),
        (
            "model global.anthropic.claude-sonnet-4-6",
            "unknown_model",
            "anthropic.claude-sonnet-4-6",
        ),
        (
            "access anthropic.claude-sonnet-4-6 eu-centrall-1",
            "unknown_region",
            "eu-central-1",
        ),
        (
            "route anthropic.claude-sonnet-4-6 eu-central1",
            "unknown_region",
            "eu-central-1",
        ),
        (
            "models --region eu-central1",
            "unknown_region",
            "eu-central-1",
        ),
        (
            "profiles --region eu-central1",
            "unknown_region",
            "eu-central-1",
        ),
        (
            "profiles --model anthropic.claude-sonnet-4.6",
            "unknown_model",
            "anthropic.claude-sonnet-4-6",
        ),
    ] {
        let no = json(line);
        assert_error(&no);
        assert_eq!(no["error"]["kind"], kind, "{line}");
        assert!(
            texts(&no["error"]["suggestions"]).contains(&near),
            "{line}: {no}"
        );
    }
    let no = json("model gpt-5-of-somebody-else-entirely");
    assert_eq!(no["error"]["suggestions"], value!([]));
}

#[test]
fn a_model_absent_from_a_region_names_those_that_have_it() {
    let models = json("models");
    let absent = |model: &&Value| !texts(&model["regions"]).contains(&"af-south-1");
    let model = models.as_array().unwrap().iter().find(absent).unwrap();
    let id = model["id"].as_str().unwrap();
    for verb in ["access", "route"] {
        let no = json(&format!("{verb} {id} af-south-1"));
        assert_eq!(no["error"]["kind"], "not_in_region");
        assert_eq!(no["error"]["suggestions"], model["regions"]);
    }
}

#[test]
fn models_are_filtered() {
    let ids = |line: &str| -> Vec<String> {
        let answer = json(&format!("models --at 2026-10-07 {line}"));
        let ids = answer.as_array().unwrap().iter();
        ids.map(|model| model["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let everything = json("models --all --at 2026-10-07");
    let everything = everything.as_array().unwrap();
    let those = |wanted: &dyn Fn(&Value) -> bool| -> Vec<String> {
        let those = everything.iter().filter(|model| wanted(model));
        those
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let has = |model: &Value, key: &str, word: &str| {
        model[key]
            .as_array()
            .is_some_and(|list| list.iter().any(|w| w == word))
    };
    let is = |key: &'static str, word: &'static str| move |model: &Value| model[key] == word;
    assert_eq!(
        ids("--all --provider amazon"),
        those(&is("provider", "Amazon"))
    );
    assert_eq!(
        ids("--all --input image"),
        those(&|m| has(m, "input_modalities", "IMAGE"))
    );
    assert_eq!(
        ids("--all --output EMBEDDING"),
        those(&|m| has(m, "output_modalities", "EMBEDDING"))
    );
    assert_eq!(ids("--all --streaming"), those(&|m| m["streaming"] == true));
    assert_eq!(ids("--all --status legacy"), those(&is("status", "legacy")));
    assert_eq!(
        ids("--all --status unknown"),
        those(&|m| m["status"].is_null())
    );
    assert_eq!(
        ids("--all --region eu-west-1 --input image --streaming"),
        those(&|m| has(m, "regions", "eu-west-1")
            && has(m, "input_modalities", "IMAGE")
            && m["streaming"] == true)
    );
    assert_eq!(ids("--all --provider nobody"), Vec::<String>::new());

    // Without --all: those with a way in, in the region where one is named.
    let way_in = |pair: &&Value| {
        let profiles = !pair["profiles"].as_object().unwrap().is_empty();
        pair["on_demand"] == true || pair["provisioned"] == true || profiles
    };
    let pairs = pairs();
    let with_way_in = |region: Option<&str>| -> Vec<String> {
        let found = pairs.iter().filter(way_in);
        let found = found.filter(|pair| region.is_none_or(|region| pair["region"] == region));
        let mut ids: Vec<String> = found
            .map(|pair| pair["model"].as_str().unwrap().to_owned())
            .collect();
        ids.dedup();
        ids
    };
    assert_eq!(ids(""), with_way_in(None));
    for region in ["eu-west-1", "us-east-1", "af-south-1"] {
        assert_eq!(
            ids(&format!("--region {region}")),
            with_way_in(Some(region))
        );
    }
    // The status is the day's: all that have an end have ended long after it.
    let end = |m: &Value| !m["lifecycle"]["end_of_life"].is_null();
    let answer = json("models --all --status ended --at 9999-12-31");
    assert_eq!(answer.as_array().unwrap().len(), those(&end).len());
}

#[test]
fn profiles_are_filtered() {
    let all = json("profiles");
    let all = all.as_array().unwrap();
    let those = |wanted: &dyn Fn(&Value) -> bool| -> Value {
        all.iter()
            .filter(|profile| wanted(profile))
            .cloned()
            .collect()
    };
    let model = "anthropic.claude-sonnet-4-6";
    let serves = |p: &Value| texts(&p["models"]).contains(&model);
    let from = |p: &Value| p["sources"].get("eu-west-1").is_some();
    assert_eq!(json(&format!("profiles --model {model}")), those(&serves));
    assert_eq!(json("profiles --region eu-west-1"), those(&from));
    assert_eq!(
        json("profiles --geography EU"),
        those(&|p| p["geography"] == "eu")
    );
    assert_eq!(
        json(&format!(
            "profiles --model {model} --region eu-west-1 --geography global"
        )),
        those(&|p| serves(p) && from(p) && p["geography"] == "global")
    );
}
