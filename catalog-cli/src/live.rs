//! What concerns the live catalog: its status, a refresh, its cache.

use std::future::Future;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bedrock_catalog::cache::{BreakerState, Cache, Key, Pattern};
use bedrock_catalog::{
    CatalogError, LiveCatalog, LiveCatalogBuilder, PartialPolicy, Snapshot, Timestamp,
};

use crate::args::{CacheVerb, Cli, Command, Source};
use crate::output::{Failure, Output};
use crate::{answers, text};

/// The clock.
pub(crate) fn now() -> Timestamp {
    moment(SystemTime::now()).unwrap_or(Timestamp::baked(0))
}

pub(crate) fn moment(time: SystemTime) -> Option<Timestamp> {
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Timestamp::from_unix(i64::try_from(seconds).ok()?)
}

/// The catalog that a lookup asks.
pub(crate) fn load(source: &Source) -> Result<Arc<Snapshot>, Failure> {
    log();
    block_on(async {
        let live = builder(source).await?.build()?;
        Ok(live.load().await?)
    })?
}

/// `status`, `refresh` and `cache`.
pub(crate) fn run(output: &Output, cli: &Cli) -> Result<(), Failure> {
    log();
    block_on(async {
        match &cli.command {
            Command::Refresh {
                endpoint_url,
                regions,
                require_all_regions,
                ..
            } => {
                let source = Source {
                    live: !cli.source.offline,
                    offline: cli.source.offline,
                    cache_dir: cli.source.cache_dir.clone(),
                };
                let mut builder = builder(&source).await?;
                if let Some(url) = endpoint_url {
                    builder = builder.endpoint_url(url);
                }
                if !regions.is_empty() {
                    builder = builder.regions(regions);
                }
                if *require_all_regions {
                    builder = builder.partial(PartialPolicy::RequireAllRegions);
                }
                // What the environment says is refused by the name of its variable.
                let is_on_command_line = endpoint_url.is_some() || !regions.is_empty();
                let refused = |error: CatalogError| {
                    let is_on_command_line =
                        is_on_command_line && !error.to_string().starts_with("BEDROCK_CATALOG_");
                    Failure::from_configuration(error, is_on_command_line)
                };
                let live = builder.build().map_err(refused)?;
                live.refresh().await?;
                report(output, &live);
                Ok(())
            }
            Command::Cache { verb, .. } => cache(output, &cli.source, verb).await,
            _ => {
                let live = builder(&cli.source).await?.build()?;
                if !cli.source.is_bundle() {
                    live.load().await?;
                }
                report(output, &live);
                Ok(())
            }
        }
    })?
}

fn report(output: &Output, live: &LiveCatalog) {
    let report = live.status();
    for (region, reason) in &report.regions.failed {
        output.warn(&format!("{region}: {reason}"));
    }
    match output.is_json() {
        true => output.json(&report),
        false => output.text(&text::status(&report)),
    }
}

async fn cache(output: &Output, source: &Source, verb: &CacheVerb) -> Result<(), Failure> {
    // The credentials name the account, whose entries these are.
    let source = Source {
        live: cfg!(feature = "aws"),
        offline: source.offline,
        cache_dir: source.cache_dir.clone(),
    };
    let live = builder(&source).await?.build()?;
    match verb {
        CacheVerb::Status { detailed, recent } => {
            let answer = answers::cache(&live.cache().await, *detailed, *recent);
            match output.is_json() {
                true => output.json(&answer),
                false => output.text(&text::cache(&answer)),
            }
        }
        CacheVerb::Clear { pattern } => {
            let pattern = pattern.as_deref().map_or_else(Pattern::all, Pattern::glob);
            let cache = live.cache().await;
            let count = cache.invalidate_async(&pattern).await;
            removed(output, &cache, count)?;
        }
        CacheVerb::Cleanup => {
            let cache = live.cache().await;
            let count = cache.cleanup_async().await;
            removed(output, &cache, count)?;
        }
        CacheVerb::Warm => {
            let snapshot = live.load().await?;
            if matches!(snapshot.source().as_str(), "bundle" | "nothing") {
                let why = snapshot.error().unwrap_or("no tier has a catalog");
                return Err(Failure::failed(format!(
                    "nothing to warm the cache with: {why}"
                )));
            }
            let cache = live.cache().await;
            let entries = cache.recent(usize::MAX).into_iter();
            let keys: Vec<Key> = entries.map(|entry| entry.key).collect();
            cache.warm_async(&keys).await;
            let tiers = done_in_all(&cache)?;
            if tiers == 0 {
                let message = "no tier of the cache outlives this program: nothing was warmed";
                return Err(Failure::failed(message.to_owned()));
            }
            report(output, &live);
        }
    }
    Ok(())
}

fn removed(output: &Output, cache: &Cache, count: u64) -> Result<(), Failure> {
    done_in_all(cache)?;
    match output.is_json() {
        true => output.json(&serde_json::json!({ "removed": count })),
        false => output.text(&format!("{count} removed\n")),
    }
    Ok(())
}

/// How many tiers outlive this program; no, where one of them could not do its part.
fn done_in_all(cache: &Cache) -> Result<usize, Failure> {
    let statistics = cache.statistics();
    let tiers = cache.health();
    let shared: Vec<_> = tiers.iter().filter(|tier| tier.name != "memory").collect();
    let failed = shared.iter().filter(|tier| {
        let counts = statistics.tier(tier.name);
        !tier.status.ok || counts.is_some_and(|counts| counts.incomplete > 0)
    });
    let failed = failed.map(|tier| {
        // A tier may be well that could not do all of it.
        let reason = tier.failure.as_deref().filter(|_| tier.status.ok);
        format!("{}: {}", tier.name, reason.unwrap_or(&tier.status.message))
    });
    let failed: Vec<String> = failed.collect();
    match failed.is_empty() {
        true => Ok(shared.len()),
        false => Err(Failure::failed(format!(
            "not done in every tier: {}",
            failed.join("; ")
        ))),
    }
}

/// The word for a breaker's state.
pub(crate) fn breaker(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
        BreakerState::HalfOpen => "half-open",
    }
}

/// How many entries of the caller's the cache names at most.
pub(crate) fn recent(cache: &Cache, count: usize) -> Vec<bedrock_catalog::cache::Recent> {
    const MOST: usize = 1000;
    cache.recent(count.min(MOST))
}

/// What the environment and the command line say.
async fn builder(source: &Source) -> Result<LiveCatalogBuilder, Failure> {
    let mut builder = LiveCatalog::builder().from_env()?;
    if !source.cache_dir.is_empty() {
        builder = builder.cache_dirs(&source.cache_dir);
    }
    // Offline too: the endpoint and the account are parts of the namespace.
    #[cfg(feature = "aws")]
    {
        use bedrock_catalog::fetch::{account_from_env, sdk_config_from_env};
        builder = builder.sdk_config(&sdk_config_from_env().await);
        if let Some(account) = account_from_env().await {
            builder = builder.account(account);
        }
    }
    Ok(match source.fetches() {
        true => builder,
        false => builder.offline(true),
    })
}

/// Warnings go to stderr.
fn log() {
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .try_init();
}

#[cfg(feature = "aws")]
fn block_on<F: Future>(work: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let output = runtime.block_on(work);
    // What is still being asked for is of no use any more.
    runtime.shutdown_background();
    Ok(output)
}

#[cfg(not(feature = "aws"))]
fn block_on<F: Future>(work: F) -> Result<F::Output, Failure> {
    Ok(futures_lite::future::block_on(work))
}
