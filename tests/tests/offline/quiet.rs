//! Lookups in the bundle make no system call and no allocation.

use std::hint::black_box;
use std::process::Command;

use allocation_counter::{AllocationInfo, measure};
use bedrock_catalog::{Catalog, Filter, Modality, Policy, models, regions};
use bedrock_catalog_tests::skip;

#[test]
fn lookups_make_no_system_call() {
    const TEST: &str = "lookups_make_no_system_call";
    let trace = tempfile::NamedTempFile::new().unwrap();
    let program = env!("CARGO_BIN_EXE_offline-questions");
    let traced = Command::new("strace")
        .arg("-f")
        .arg("-o")
        .arg(trace.path())
        .arg(program)
        .output();
    let traced = match traced {
        Ok(output) if output.status.success() => output,
        Ok(output) => {
            // Tracing is not permitted here: runs untraced.
            skip(TEST, String::from_utf8_lossy(&output.stderr));
            assert!(Command::new(program).status().unwrap().success());
            return;
        }
        Err(error) => {
            skip(TEST, format_args!("strace: {error}"));
            return;
        }
    };
    let answers: usize = String::from_utf8(traced.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(answers > 1_000, "{answers} answers");
    let calls = std::fs::read_to_string(trace.path()).unwrap();
    let mut between = calls
        .lines()
        .skip_while(|call| !call.contains("/questions-begin"));
    assert!(between.next().is_some(), "the tracer sees the beginning");
    let first = between.next().unwrap_or_default();
    assert!(first.contains("/questions-end"), "{first}");
}

/// The allocations of a question on its first call.
fn cost(question: impl FnOnce()) -> AllocationInfo {
    measure(question)
}

#[test]
fn lookups_do_not_allocate() {
    // The counter works.
    assert!(cost(|| _ = black_box(vec![1u8])).count_total == 1);
    let filter = Filter::new()
        .region("eu-west-1")
        .provider("Amazon")
        .input(Modality::Text)
        .streaming(true)
        .status(
            bedrock_catalog::Status::Active,
            "2026-08-22".parse().unwrap(),
        );
    let strange = Filter::new().input(Modality::from("SMELL"));
    let bundle = Catalog::bundled();
    let ids: Vec<&str> = bundle.all_models().map(|model| model.id()).collect();
    let places: Vec<&str> = bundle.regions().map(|region| region.id()).collect();
    let within = ["eu-*", "us-east-1"];
    let info = cost(|| {
        let catalog = Catalog::bundled();
        for &id in ids.iter().chain(&["no.such-model"]) {
            black_box(catalog.model(id));
            black_box(catalog.profile(id));
            let Some(model) = catalog.model(id) else {
                continue;
            };
            black_box((
                model.is_listed(),
                model.last_seen(),
                model.profiles().count(),
            ));
            for access in model.accesses() {
                let region = access.region().id();
                black_box(catalog.access(id, region).is_ok());
                black_box(
                    access
                        .profiles()
                        .map(|(_, to)| to.iter().count())
                        .sum::<usize>(),
                );
                for way in access.routes() {
                    black_box((way.inference_id(), way.geography(), way.destinations()));
                }
                // Successes only: errors allocate their message.
                let bounded = access.routes().any(|way| !way.destinations().is_global());
                if bounded {
                    black_box(catalog.route(id, region, Policy::Geography).is_ok());
                }
                if access
                    .routes()
                    .any(|way| way.destinations().are_within(&within))
                {
                    black_box(catalog.route(id, region, Policy::Within(&within)).is_ok());
                }
            }
        }
        for &id in &places {
            black_box(catalog.region(id).map(|region| region.models().count()));
        }
        let (sonnet, here) = (models::ANTHROPIC_CLAUDE_SONNET_4_6, regions::EU_CENTRAL_1);
        black_box(catalog.route(&sonnet, &here, Policy::default()).is_ok());
        let handle = catalog.model(&sonnet);
        black_box(handle.map(|model| model.route(&here, Policy::Any).is_ok()));
        black_box((
            catalog.select(&filter).count(),
            catalog.select(&strange).count(),
        ));
    });
    assert_eq!((info.count_total, info.bytes_total), (0, 0));
}
