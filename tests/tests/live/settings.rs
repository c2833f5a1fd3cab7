//! Settings, by the builder and by the environment, and their bounds.

use std::time::Duration;

use bedrock_catalog::cache::Key;
use bedrock_catalog::{CacheMode, CatalogErrorKind, LiveCatalog};
use bedrock_catalog_test_support::FaultyTier;

use crate::stage::*;

#[test]
fn wrong_settings_fail_at_build_with_the_value_and_what_is_allowed() {
    let wire = wire();
    let base = || LiveCatalog::builder().sdk_config(&wire.sdk_config());
    let at = |url: &str| {
        let config = wire.sdk_config().into_builder().endpoint_url(url).build();
        LiveCatalog::builder().sdk_config(&config)
    };
    let regions = "lower-case letters, digits and `-`";
    let address = "an address like https://";
    let nowhere: [&str; 0] = [];
    let year = 365 * DAY;
    for (builder, setting, value, allowed) in [
        (
            base().deadline(Duration::ZERO),
            "deadline",
            "0ns",
            "1ms to 10min",
        ),
        (base().deadline(HOUR), "deadline", "3600s", "1ms to 10min"),
        (
            base().fresh_for(Duration::ZERO),
            "fresh for",
            "0ns",
            "1s to 365d",
        ),
        (
            base().fresh_for(2 * year),
            "fresh for",
            "63072000s",
            "1s to 365d",
        ),
        (
            base().keep_for(Duration::ZERO),
            "keep for",
            "0ns",
            "1s to 3650d",
        ),
        (
            base().keep_for(11 * year),
            "keep for",
            "346896000s",
            "1s to 3650d",
        ),
        (
            base().keep_for(HOUR),
            "keep for",
            "3600s",
            "at least fresh for, 86400s",
        ),
        (base().concurrency(0), "concurrency", "0", "1 to 62"),
        (base().concurrency(63), "concurrency", "63", "1 to 62"),
        (base().partition("AWS!"), "partition", "AWS!", regions),
        (base().partition(""), "partition", "", regions),
        (
            base().partition("aws-unheard-of"),
            "partition",
            "aws-unheard-of",
            "aws-us-gov",
        ),
        (
            base().regions(["eu_west_1"]),
            "regions",
            "eu_west_1",
            regions,
        ),
        (
            base().regions(["europe"]),
            "regions",
            "europe",
            "like eu-west-1",
        ),
        (
            base().regions(["cn-north-1"]),
            "regions",
            "cn-north-1",
            "of the partition aws",
        ),
        (
            base().endpoint_url("localhost:1"),
            "endpoint_url",
            "localhost:1",
            address,
        ),
        (base().endpoint_url(""), "endpoint_url", "", address),
        (
            base().endpoint_url("ftp://a"),
            "endpoint_url",
            "ftp://a",
            address,
        ),
        (
            base().endpoint_url("https://"),
            "endpoint_url",
            "https://",
            address,
        ),
        (
            base().endpoint_url("http://:80"),
            "endpoint_url",
            "http://:80",
            address,
        ),
        (
            base().endpoint_url("http://a:port"),
            "endpoint_url",
            "http://a:port",
            address,
        ),
        (
            base().endpoint_url("http://a:70000"),
            "endpoint_url",
            "http://a:70000",
            address,
        ),
        (
            base().endpoint_url("http://a b"),
            "endpoint_url",
            "http://a b",
            address,
        ),
        // A password is not repeated.
        (
            base().endpoint_url("http://me:secret@a:b"),
            "endpoint_url",
            "a:b",
            address,
        ),
        (
            base().offline(true).endpoint_url("no"),
            "endpoint_url",
            "no",
            address,
        ),
        (
            at("bedrock"),
            "endpoint_url of sdk_config",
            "bedrock",
            address,
        ),
        (
            base().cache_dirs(nowhere),
            "cache_dirs",
            "[]",
            "at least one folder",
        ),
        (base().namespace(""), "namespace", "", "a name"),
        (base().sqlite(""), "sqlite", "", "the path of a file"),
        (
            base().overlay_file(""),
            "overlay_file",
            "",
            "the path of a file",
        ),
        (
            base()
                .tier(FaultyTier::new("files"))
                .cache_dirs(["/nowhere"]),
            "tiers",
            "files",
            "each name once",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(
            error.kind(),
            CatalogErrorKind::InvalidConfiguration,
            "{error}"
        );
        let (suggestions, error) = (error.suggestions().to_vec(), error.to_string());
        let (is, may) = error.split_once("; allowed: ").expect(&error);
        assert!(is.ends_with(&format!("{setting} is {value:?}")), "{error}");
        assert!(may.contains(allowed), "{allowed}: {error}");
        assert_eq!(suggestions, [format!("allowed: {may}")]);
    }
    for (url, folders) in [
        ("http://127.0.0.1:8080", vec!["/nowhere"]),
        ("https://[::1]:8443/behind/a/path", vec!["/nowhere"]),
        ("https://vpce-1.bedrock.example", vec!["/nowhere"]),
    ] {
        base()
            .endpoint_url(url)
            .cache_dirs(folders)
            .build()
            .unwrap();
    }
    // Without files no folder is needed.
    let memory = base().cache_mode(CacheMode::Memory).cache_dirs(nowhere);
    memory.build().unwrap();
}

#[tokio::test]
async fn the_environment_changes_only_what_it_names() {
    use bedrock_catalog::cache::Environment;
    let env = |pairs: &'static [(&str, &str)]| {
        Environment::new("BEDROCK_CATALOG", move |name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.into())
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let live = |pairs| {
        LiveCatalog::builder()
            .offline(true)
            .cache_mode(CacheMode::None)
            .cache_dirs([folder.path()])
            .from_environment(&env(pairs))
            .unwrap()
            .build()
            .unwrap()
    };
    let put = async |live: &LiveCatalog| {
        let cache = live.cache().await;
        cache.put(&Key::new("a", "b", "c"), "1", &options()).tiers
    };
    assert_eq!(
        put(&live(&[])).await,
        [""; 0],
        "without variables nothing changes"
    );
    assert_eq!(
        put(&live(&[("BEDROCK_CATALOG_CACHE", "memory")])).await,
        ["memory"]
    );
    assert!(files(folder.path()).is_empty());
    let kept = LiveCatalog::builder().fresh_for(HOUR);
    let kept = kept.from_environment(&env(&[("BEDROCK_CATALOG_KEEP_FOR", "7d")]));
    let live = kept.unwrap().cache_mode(CacheMode::Memory).build().unwrap();
    let ttl = live.cache().await.settings().ttl;
    assert_eq!((ttl.fresh_for, ttl.keep_for), (HOUR, 7 * DAY));
    let none = LiveCatalog::builder().from_environment(&env(&[("BEDROCK_CATALOG_REGIONS", ",")]));
    assert!(none.unwrap_err().to_string().contains("REGIONS"));
    let wrong = LiveCatalog::builder().from_environment(&env(&[("BEDROCK_CATALOG_CACHE", "disc")]));
    assert!(
        wrong
            .unwrap_err()
            .to_string()
            .contains("file, memory, none")
    );
}

/// The error names the variable, its value as written, and what is allowed.
#[test]
fn a_variable_out_of_range_is_named() {
    use bedrock_catalog::cache::Environment;
    for (variable, value, expected) in [
        (
            "FRESH_FOR",
            "0s",
            r#"FRESH_FOR is "0s"; allowed: 1s to 365d"#,
        ),
        (
            "FRESH_FOR",
            "400d",
            r#"FRESH_FOR is "400d"; allowed: 1s to 365d"#,
        ),
        (
            "KEEP_FOR",
            "10ms",
            r#"KEEP_FOR is "10ms"; allowed: 1s to 3650d"#,
        ),
        ("DEADLINE", "0", r#"DEADLINE is "0"; allowed: 1ms to 10min"#),
        (
            "DEADLINE",
            "11min",
            r#"DEADLINE is "11min"; allowed: 1ms to 10min"#,
        ),
        (
            "REGIONS",
            "eu-west-1, EU_WEST",
            r#"REGIONS is "EU_WEST"; allowed: lower-case letters, digits and `-`"#,
        ),
    ] {
        let name = format!("BEDROCK_CATALOG_{variable}");
        let env = Environment::new("BEDROCK_CATALOG", |asked| {
            (asked == name).then(|| value.into())
        });
        let error = LiveCatalog::builder().from_environment(&env).unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::InvalidConfiguration);
        assert_eq!(error.to_string(), format!("BEDROCK_CATALOG_{expected}"));
    }
}

/// A region of another partition is found at build, and still named with its variable.
#[test]
fn a_region_that_cannot_be_fetched_is_named_with_its_variable() {
    use bedrock_catalog::cache::Environment;
    let wire = wire();
    let with = |region: &'static str| {
        let env = Environment::new("BEDROCK_CATALOG", move |name| {
            (name == "BEDROCK_CATALOG_REGIONS").then(|| region.into())
        });
        let builder = LiveCatalog::builder().sdk_config(&wire.sdk_config());
        builder.from_environment(&env).unwrap()
    };
    for (region, allowed) in [
        ("us-gov-west-1", "regions of the partition aws"),
        ("europe", "ids of regions, like eu-west-1"),
    ] {
        let error = with(region).build().unwrap_err().to_string();
        let expected = format!("BEDROCK_CATALOG_REGIONS is {region:?}; allowed: {allowed}");
        assert_eq!(error, expected);
    }
    // A region of the builder is named as such.
    let named = with("us-gov-west-1").regions(["cn-north-1"]);
    let error = named.build().unwrap_err().to_string();
    assert!(error.starts_with("regions is \"cn-north-1\""), "{error}");
    with("us-gov-west-1")
        .partition("aws-us-gov")
        .build()
        .unwrap();
}
