//! Every case of a load against a table: the cached catalog, AWS and the settings decide the source.

use bedrock_catalog::{Catalog, LiveCatalog, PartialPolicy, Timestamp, catalog_to_json};
use bedrock_catalog_recording::transform;
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule};

use crate::stage::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Cached {
    Nothing,
    Fresh,
    /// Fresh, and one region in it could not be renewed.
    FreshInPart,
    Stale,
    Expired,
    /// Fresh by its envelope, as the next three, and yet too old.
    OlderThanTheBundle,
    OfTheFuture,
    OfAnotherPartition,
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Aws {
    NotGiven,
    Offline,
    Answers,
    AnswersInPart,
    Refuses,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    cached: Cached,
    aws: Aws,
    all_required: bool,
    bundle: bool,
    forced: bool,
}

/// The source; `None` is an error.
fn expected(case: Case) -> Option<&'static str> {
    let usable = match case.cached {
        Cached::Fresh | Cached::FreshInPart | Cached::Stale => true,
        // Served where no bundle is newer.
        Cached::OlderThanTheBundle => !case.bundle,
        _ => false,
    };
    let obtained = match case.aws {
        Aws::Answers => true,
        Aws::AnswersInPart => !case.all_required,
        _ => false,
    };
    match case {
        _ if as_cached(case) => Some("cache"),
        _ if obtained => Some("api"),
        _ if usable => Some("cache"),
        _ if case.bundle => Some("bundle"),
        _ => None,
    }
}

/// Whether the cached catalog is served without a request.
fn as_cached(case: Case) -> bool {
    match case.cached {
        Cached::Fresh => !case.forced,
        Cached::FreshInPart => !case.forced && !case.all_required,
        _ => false,
    }
}

/// Whether the catalog is degraded. Without a way to AWS, a fallback is what was requested.
fn degraded(case: Case) -> bool {
    let from_aws = expected(case) == Some("api");
    match case.aws {
        // A region is missing, whether or not it can be fetched.
        _ if case.cached == Cached::FreshInPart && !from_aws => true,
        Aws::NotGiven | Aws::Offline => false,
        _ if as_cached(case) => false,
        Aws::AnswersInPart if from_aws => true,
        _ => !from_aws,
    }
}

fn wire_for(aws: Aws) -> Memory {
    let refusing = Rule::new(Fault::access_denied());
    Memory::new(match aws {
        Aws::AnswersInPart => stage().rule(refusing.region("us-east-1")),
        Aws::Refuses => stage().rule(refusing),
        _ => stage(),
    })
}

async fn build(case: Case) -> (LiveCatalog, Memory) {
    let (clock, wire) = (clock(), wire_for(case.aws));
    let builder = match case.aws {
        Aws::NotGiven => LiveCatalog::builder().regions(REGIONS),
        _ => in_memory(&wire, &clock),
    };
    let builder = builder
        .cache_mode(bedrock_catalog::CacheMode::Memory)
        .clock(clock.clone())
        .offline(case.aws == Aws::Offline)
        .bundled_fallback(case.bundle)
        .force_refresh(case.forced)
        .partial(match case.all_required {
            true => PartialPolicy::RequireAllRegions,
            false => PartialPolicy::Merge,
        });
    let live = builder.build().unwrap();
    let age = match case.cached {
        Cached::Stale => 2 * DAY,
        Cached::Expired => 31 * DAY,
        _ => HOUR,
    };
    let mut recording = small();
    recording.observed_at = timestamp(later());
    let bundle = Catalog::bundled().observed_at().unix();
    match case.cached {
        Cached::OlderThanTheBundle => {
            recording.observed_at = Timestamp::from_unix(bundle - 1).unwrap();
        }
        Cached::OfTheFuture => {
            recording.observed_at = timestamp(later() + age + HOUR);
        }
        Cached::OfAnotherPartition => recording.partition = "aws-cn".to_owned(),
        _ => {}
    }
    let mut document = transform(&recording, None).0;
    if case.cached == Cached::FreshInPart {
        let whole = Catalog::from_document(&document).unwrap();
        recording.observed_at = timestamp(later() + HOUR / 2);
        recording.regions.remove("us-east-1");
        let failures = &mut recording.failures;
        failures.insert("us-east-1".to_owned(), "failed".to_owned());
        document = transform(&recording, Some(&whole)).0;
    }
    let json = match case.cached {
        Cached::Broken => "{\"format\":1}".to_owned(),
        _ => catalog_to_json(&Catalog::from_document(&document).unwrap()),
    };
    if case.cached != Cached::Nothing {
        live.cache().await.put(&catalog_key(), json, &options());
    }
    clock.advance(age);
    (live, wire)
}

#[tokio::test]
async fn each_case_has_the_source_of_the_table() {
    let cached = [
        Cached::Nothing,
        Cached::Fresh,
        Cached::FreshInPart,
        Cached::Stale,
        Cached::Expired,
        Cached::OlderThanTheBundle,
        Cached::OfTheFuture,
        Cached::OfAnotherPartition,
        Cached::Broken,
    ];
    let aws = [
        Aws::NotGiven,
        Aws::Offline,
        Aws::Answers,
        Aws::AnswersInPart,
        Aws::Refuses,
    ];
    let mut cases = 0;
    for (cached, aws, flags) in cached
        .into_iter()
        .flat_map(|cached| aws.map(|aws| (cached, aws)))
        .flat_map(|(cached, aws)| (0..8).map(move |flags| (cached, aws, flags)))
    {
        let case = Case {
            cached,
            aws,
            all_required: flags & 1 != 0,
            bundle: flags & 2 != 0,
            forced: flags & 4 != 0,
        };
        let (live, wire) = build(case).await;
        let loaded = live.load().await;
        let source = loaded
            .as_ref()
            .ok()
            .map(|snapshot| snapshot.source().as_str());
        assert_eq!(source, expected(case), "{case:?}: {:?}", loaded.err());
        if source.is_some() {
            assert_eq!(
                live.is_degraded(),
                degraded(case),
                "{case:?}: {:?}",
                live.status()
            );
        }
        let fetched = wire.stage().requests() > 0;
        let can_fetch = !matches!(aws, Aws::NotGiven | Aws::Offline);
        assert_eq!(fetched, can_fetch && !as_cached(case), "{case:?}");
        cases += 1;
    }
    assert_eq!(cases, 9 * 5 * 8);
}
