//! Settings, variables, the shared instance and the builder's checks.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use bedrock_catalog_cache::{
    Cache, CacheConfig, ConfigError, Environment, MemoryLimits, Settings, SharedCache, StoreKind,
};
use bedrock_catalog_test_support::FaultyTier;

use crate::stage::{DAY, HOUR, data, key, ok, options};

fn config(variables: &[(&str, &str)]) -> Result<CacheConfig, ConfigError> {
    let variables: HashMap<String, OsString> = variables
        .iter()
        .map(|(name, value)| (format!("APP_{name}"), OsString::from(value)))
        .collect();
    CacheConfig::from_env(&Environment::new("APP", |name| {
        variables.get(name).cloned()
    }))
}

#[test]
fn nothing_said_means_the_defaults() {
    let config = config(&[]).unwrap();
    assert_eq!(config, CacheConfig::default());
    assert_eq!(
        (config.store, config.max_bytes),
        (StoreKind::File, 64 << 20)
    );
    assert_eq!((config.ttl.fresh_for, config.ttl.keep_for), (DAY, DAY * 30));
    assert_eq!(
        self::config(&[("CACHE", ""), ("CACHE_DIR", "")]).unwrap(),
        config
    );
}

#[test]
fn every_variable_is_read() {
    let config = config(&[
        ("CACHE", "memory"),
        ("CACHE_DIR", "/a:/b"),
        ("FRESH_FOR", "15min"),
        ("KEEP_FOR", "2 d"),
        ("CACHE_MAX_BYTES", "1GiB"),
        ("NAMESPACE", "team"),
        ("REDIS_URL", "redis://:secret@host"),
        ("SQLITE", "/c.db"),
    ])
    .unwrap();
    assert_eq!(config.store, StoreKind::Memory);
    #[cfg(unix)]
    assert_eq!(config.locations, Some(vec!["/a".into(), "/b".into()]));
    assert_eq!(config.ttl.fresh_for, Duration::from_secs(900));
    assert_eq!(config.ttl.keep_for, DAY * 2);
    assert_eq!(config.max_bytes, 1 << 30);
    assert_eq!(config.namespace.as_deref(), Some("team"));
    assert_eq!(config.sqlite.as_deref(), Some("/c.db".as_ref()));
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn a_refusal_names_the_variable_the_value_and_what_is_allowed() {
    for (name, value, allowed) in [
        ("CACHE", "disc", "file, memory, none"),
        ("FRESH_FOR", "1 fortnight", "24h"),
        ("FRESH_FOR", "-1h", "a whole number"),
        ("KEEP_FOR", "99999999999d", "at most"),
        ("CACHE_MAX_BYTES", "lots", "MiB"),
        ("CACHE_MAX_BYTES", "0", "APP_CACHE=none"),
        ("CACHE_MAX_BYTES", "99999999999GiB", "MiB"),
    ] {
        let error = config(&[(name, value)]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&format!("APP_{name}")) && text.contains(value) && text.contains(allowed),
            "{text}"
        );
    }
    let error = config(&[("FRESH_FOR", "2h"), ("KEEP_FOR", "1h")]).unwrap_err();
    assert!(
        error.to_string().contains("APP_KEEP_FOR") && error.to_string().contains("APP_FRESH_FOR"),
        "{error}"
    );
    // One said, the other follows.
    assert_eq!(config(&[("KEEP_FOR", "1h")]).unwrap().ttl.fresh_for, HOUR);
    assert_eq!(
        config(&[("FRESH_FOR", "90d")]).unwrap().ttl.keep_for,
        DAY * 90
    );
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_text_is_refused_not_a_panic() {
    use std::os::unix::ffi::OsStringExt;
    let odd = || Some(OsString::from_vec(vec![0xff, 0xfe]));
    let env = Environment::new("APP", |name| (name == "APP_FRESH_FOR").then(odd).flatten());
    assert_eq!(
        CacheConfig::from_env(&env).unwrap_err().setting(),
        "APP_FRESH_FOR"
    );
    let env = Environment::new("APP", |name| (name == "APP_NAMESPACE").then(odd).flatten());
    assert_eq!(
        CacheConfig::from_env(&env).unwrap_err().setting(),
        "APP_NAMESPACE"
    );
}

#[cfg(unix)]
#[test]
fn a_leading_tilde_is_the_home_folder() {
    let config = |home: &'static str| {
        let env = Environment::new("APP", move |name| match name {
            "HOME" => Some(home.into()),
            "APP_CACHE_DIR" => Some("~/a:/b/~:~c".into()),
            "APP_SQLITE" => Some("~/c.db".into()),
            _ => None,
        });
        CacheConfig::from_env(&env).unwrap()
    };
    let at_home = config("/home/me");
    let folders = ["/home/me/a", "/b/~", "~c"].map(std::path::PathBuf::from);
    assert_eq!(at_home.locations, Some(folders.to_vec()));
    assert_eq!(at_home.sqlite.as_deref(), Some("/home/me/c.db".as_ref()));
    assert_eq!(config("").sqlite.as_deref(), Some("~/c.db".as_ref()));
}

/// The builder's tiers from variables.
#[cfg(feature = "files")]
#[test]
fn a_cache_is_made_from_variables() {
    let folder = tempfile::tempdir().unwrap();
    let names = |variables: &[(&str, &str)]| {
        let env = Environment::new("APP", |name| {
            let name = name.strip_prefix("APP_")?;
            let found = variables.iter().find(|(of, _)| *of == name);
            found.map(|(_, value)| OsString::from(*value))
        });
        let cache = Cache::builder().from_env(&env)?.build()?;
        Ok::<_, ConfigError>(
            cache
                .health()
                .iter()
                .map(|tier| tier.name)
                .collect::<Vec<_>>(),
        )
    };
    let dir = ("CACHE_DIR", folder.path().to_str().unwrap());
    assert_eq!(names(&[dir]).unwrap(), ["memory", "files"]);
    assert_eq!(names(&[dir, ("CACHE", "memory")]).unwrap(), ["memory"]);
    assert!(names(&[dir, ("CACHE", "none")]).unwrap().is_empty());
    let path = folder.path().join("c.db");
    let sqlite = names(&[dir, ("SQLITE", path.to_str().unwrap())]);
    let redis = names(&[dir, ("REDIS_URL", "redis://127.0.0.1:1")]);
    for (made, has_feature, name) in [
        (sqlite, cfg!(feature = "sqlite"), "sqlite"),
        (redis, cfg!(feature = "redis"), "redis"),
    ] {
        match made {
            Ok(names) => assert!(has_feature && names == ["memory", "files", name]),
            Err(error) => assert!(!has_feature && error.allowed().contains(name), "{error}"),
        }
    }
    assert!(names(&[("REDIS_URL", "http://x")]).is_err());
}

proptest! {
    #[test]
    fn no_value_makes_reading_panic(name in "CACHE|FRESH_FOR|KEEP_FOR|CACHE_MAX_BYTES|CACHE_DIR", value in any::<String>()) {
        let _ = config(&[(&name, &value)]);
    }
}

#[test]
fn settings_out_of_range_are_refused_and_change_nothing() {
    let cache = Cache::builder().build().unwrap();
    let before = cache.settings();
    let wrong: [fn(&mut Settings); 5] = [
        |s| s.ttl.keep_for = s.ttl.fresh_for / 2,
        |s| s.negative_for = HOUR,
        |s| s.lease_ttl = DAY,
        |s| s.lease_wait = s.lease_ttl * 2,
        |s| s.breaker.failures = 0,
    ];
    for wrong in wrong {
        let mut settings = before.clone();
        wrong(&mut settings);
        assert!(cache.reconfigure(settings.clone()).is_err());
        assert!(Cache::builder().settings(settings).build().is_err());
    }
    assert_eq!(cache.settings(), before);
    let mut settings = before;
    settings.ttl.fresh_for = HOUR;
    cache.reconfigure(settings.clone()).unwrap();
    assert_eq!(cache.clone().settings(), settings);
    let twice = Cache::builder()
        .tier(FaultyTier::new("one"))
        .tier(FaultyTier::new("one"))
        .build();
    assert!(twice.unwrap_err().to_string().contains("one"));
}

#[test]
fn the_shared_cache_is_made_once_however_many_race() {
    static SHARED: SharedCache = SharedCache::new();
    let made = AtomicUsize::new(0);
    assert!(SHARED.get_or_try_init(|| Err("not yet")).is_err());
    assert!(SHARED.get().is_none());
    let caches: Vec<&Cache> = std::thread::scope(|scope| {
        let get = || {
            SHARED.get_or_try_init(|| {
                made.fetch_add(1, Ordering::SeqCst);
                Cache::builder().memory(MemoryLimits::default()).build()
            })
        };
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(get)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap().unwrap())
            .collect()
    });
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert!(caches.iter().all(|cache| std::ptr::eq(*cache, caches[0])));
}

#[test]
fn a_cache_without_tiers_only_misses() {
    let cache = Cache::builder().build().unwrap();
    assert!(cache.put(&key(1), "x", &options()).tiers.is_empty());
    assert!(cache.get(&key(1)).is_missing());
    assert_eq!(
        data(cache.get_or_load(&key(1), &options(), || ok("y"))),
        "y"
    );
}
