//! Processes that share a folder: which catalog and which failure of one is an answer for another.

use std::path::Path;
use std::time::Duration;

use bedrock_catalog::cache::ManualClock;
use bedrock_catalog::{LiveCatalog, LiveCatalogBuilder, PartialPolicy};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule};

use crate::load::lease_of_another;
use crate::stage::*;

/// Refreshes one catalog while the refresh of the other, which started before, waits for a lease.
async fn refreshed_while_the_other_waits(
    folder: &Path,
    clock: &ManualClock,
    one: LiveCatalog,
    other: LiveCatalog,
) -> [Result<String, String>; 2] {
    let lease = lease_of_another(&other, clock, folder).await;
    let refresh = async |live: LiveCatalog| match live.refresh().await {
        Ok(snapshot) => Ok(snapshot.source().to_string()),
        Err(error) => Err(error.to_string()),
    };
    let other = tokio::spawn(async move { refresh(other).await });
    // It waits for the lease from here on.
    tokio::time::sleep(Duration::from_millis(100)).await;
    clock.advance(Duration::from_secs(2));
    let one = refresh(one).await;
    drop(lease);
    [one, other.await.unwrap()]
}

/// A refresh waits for the lease for half of this.
const SOON: Duration = Duration::from_secs(3);

/// A partial catalog is no answer for a process that requires all regions.
#[tokio::test]
async fn a_partial_catalog_is_no_answer_where_all_regions_are_required() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let denied = Rule::new(Fault::access_denied()).region("eu-west-1");
    let wire = Memory::new(stage().rule(denied));
    let build = || in_files(&wire, &clock, folder.path());
    let one = build().deadline(SOON).build().unwrap();
    let other = build().partial(PartialPolicy::RequireAllRegions);
    let done = refreshed_while_the_other_waits(folder.path(), &clock, one, other.build().unwrap());
    let [one, other] = done.await;
    assert_eq!(one.unwrap(), "api");
    let error = other.unwrap_err();
    assert!(error.starts_with("all regions are required"), "{error}");
}

/// The failure of a process that requires all regions is no answer for one that does not.
#[tokio::test]
async fn a_failure_for_required_regions_is_not_shared() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let failing = Rule::new(Fault::html()).region("eu-west-1");
    let wire = Memory::new(stage().rule(failing));
    let build = || in_files(&wire, &clock, folder.path());
    let one = build().partial(PartialPolicy::RequireAllRegions);
    let one = one.deadline(SOON).build().unwrap();
    let other = build().build().unwrap();
    let done = refreshed_while_the_other_waits(folder.path(), &clock, one, other);
    let [one, other] = done.await;
    assert!(one.is_err());
    assert_eq!(other.unwrap(), "api");
}

/// A denial is no answer for a refresh of another process, which may have another role.
#[tokio::test]
async fn a_refresh_does_not_share_a_denial() {
    for (fault, alone) in [(Fault::access_denied(), true), (Fault::html(), false)] {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let (refusing, answering) = (Memory::new(stage().rule(Rule::new(fault))), wire());
        let one = in_files(&refusing, &clock, folder.path()).deadline(SOON);
        let other = in_files(&answering, &clock, folder.path());
        let (one, other) = (one.build().unwrap(), other.build().unwrap());
        let done = refreshed_while_the_other_waits(folder.path(), &clock, one, other);
        let [one, other] = done.await;
        assert!(one.unwrap_err().contains("no region answered"));
        assert_eq!(other.is_ok(), alone, "{other:?}");
    }
}

/// One process starts to fetch, another one starts later and ends first. Each fails in another region.
/// The cached catalog is the later one, with its own reasons.
async fn the_later_fetch_wins(
    forced: bool,
    build: impl Fn(&Memory, &ManualClock) -> LiveCatalogBuilder,
) {
    let clock = clock();
    let wire = |fails| Memory::new(stage().rule(Rule::new(Fault::html()).region(fails)));
    let (behind, prompt) = (wire("eu-west-1"), wire("us-east-1"));
    let turnstile = Turnstile::new(false);
    let config = held_requests(&behind, &behind.sdk_config(), &turnstile);
    let one = build(&behind, &clock).sdk_config(&config);
    let one = one.deadline(Duration::from_secs(20)).build().unwrap();
    let slow = tokio::spawn(async move {
        let fetched = match forced {
            false => one.load().await,
            true => one.refresh().await,
        };
        fetched.unwrap().observed_at()
    });
    turnstile.waiting.acquire().await.unwrap().forget();
    clock.advance(Duration::from_secs(2));
    let other = build(&prompt, &clock).deadline(SOON).build().unwrap();
    let newest = other.refresh().await.unwrap();
    turnstile.pass.add_permits(100);
    assert!(slow.await.unwrap() < newest.observed_at());
    let reader = build(&prompt, &clock).build().unwrap();
    let read = reader.load().await.unwrap();
    assert_eq!(read.source().as_str(), "cache");
    assert_eq!(read.observed_at(), newest.observed_at());
    assert_eq!(read.failed_regions(), newest.failed_regions());
}

#[tokio::test]
async fn in_sqlite_the_later_fetch_wins() {
    for forced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.sqlite");
        let build = |wire: &Memory, clock: &ManualClock| in_memory(wire, clock).sqlite(&path);
        the_later_fetch_wins(forced, build).await;
    }
}

#[tokio::test]
async fn in_files_the_later_fetch_wins() {
    for forced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let build = |wire: &Memory, clock: &ManualClock| in_files(wire, clock, folder.path());
        the_later_fetch_wins(forced, build).await;
    }
}

/// A fetch in vain is remembered for a minute by the loads of all processes, and not by a refresh.
#[tokio::test]
async fn a_failed_fetch_is_remembered_for_a_minute() {
    for fault in [Fault::access_denied(), Fault::html()] {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let wire = Memory::new(stage().rule(Rule::new(fault)));
        let build = || in_files(&wire, &clock, folder.path()).build().unwrap();
        let load = async || {
            let live = build();
            let snapshot = live.load().await.unwrap();
            assert_eq!(snapshot.source().as_str(), "bundle");
            assert!(
                snapshot.error().unwrap().contains("no region answered"),
                "{:?}",
                snapshot.error()
            );
        };
        load().await;
        let fetched = wire.stage().requests();
        for _ in 0..5 {
            clock.advance(Duration::from_secs(10));
            load().await;
        }
        assert_eq!(wire.stage().requests(), fetched);
        build().refresh().await.unwrap_err();
        assert_eq!(wire.stage().requests(), 2 * fetched, "a refresh fetches");
        clock.advance(Duration::from_secs(60));
        load().await;
        assert_eq!(wire.stage().requests(), 3 * fetched);
    }
}

/// A planted failure of the future stops no fetch.
#[tokio::test]
async fn a_failure_of_the_future_is_ignored() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let build = || in_files(&wire, &clock, folder.path()).build().unwrap();
    let planted = r#"{"failure":{"at":"2126-01-01T00:00:00Z","reason":"planted","denied":false}}"#;
    build()
        .cache()
        .await
        .put(&status_key(), planted, &options());
    build().refresh().await.unwrap();
    build()
        .cache()
        .await
        .put(&status_key(), planted, &options());
    clock.advance(25 * HOUR);
    assert_eq!(build().load().await.unwrap().source().as_str(), "api");
}
