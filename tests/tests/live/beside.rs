//! Processes that ask beside each other: what the one was told is the other's answer only where the other
//! would have been told the same.

use std::path::Path;
use std::time::Duration;

use aws_credential_types::Credentials;
use bedrock_catalog::cache::ManualClock;
use bedrock_catalog::{LiveCatalog, LiveCatalogBuilder, PartialPolicy};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule};

use crate::accounts::held;
use crate::stage::*;
use crate::strategy::lease_of_another;

/// Refreshes the one while the other waits with its refresh, which began before: what comes of both.
async fn one_after_the_other_began(
    folder: &Path,
    clock: &ManualClock,
    one: LiveCatalog,
    other: LiveCatalog,
) -> [Result<String, String>; 2] {
    let lease = lease_of_another(&other, clock, folder);
    let refresh = async |live: LiveCatalog| match live.refresh().await {
        Ok(snapshot) => Ok(snapshot.source().to_string()),
        Err(error) => Err(error.to_string()),
    };
    let other = tokio::spawn(async move { refresh(other).await });
    settle().await;
    clock.advance(Duration::from_secs(2));
    let one = refresh(one).await;
    drop(lease);
    [one, other.await.unwrap()]
}

/// Does not wait for the lease until the end of the test.
const SOON: Duration = Duration::from_secs(3);

/// A catalog that lacks regions is no answer for who requires them all.
#[tokio::test]
async fn who_requires_all_regions_is_not_given_anothers_part() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let denied = Rule::new(Fault::access_denied()).region("eu-west-1");
    let wire = Memory::new(stage().rule(denied));
    let build = || in_files(&wire, &clock, folder.path());
    let one = build().deadline(SOON).build().unwrap();
    let other = build().partial(PartialPolicy::RequireAllRegions);
    let done = one_after_the_other_began(folder.path(), &clock, one, other.build().unwrap());
    let [one, other] = done.await;
    assert_eq!(one.unwrap(), "api");
    let error = other.unwrap_err();
    assert!(error.starts_with("all regions are required"), "{error}");
}

/// Nor is the refusal of who requires them all that of who does not.
#[tokio::test]
async fn who_takes_what_there_is_is_not_refused_for_who_requires_all() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let failing = Rule::new(Fault::html()).region("eu-west-1");
    let wire = Memory::new(stage().rule(failing));
    let build = || in_files(&wire, &clock, folder.path());
    let one = build().partial(PartialPolicy::RequireAllRegions);
    let one = one.deadline(SOON).build().unwrap();
    let other = build().build().unwrap();
    let done = one_after_the_other_began(folder.path(), &clock, one, other);
    let [one, other] = done.await;
    assert!(one.is_err());
    assert_eq!(other.unwrap(), "api");
}

/// Another process of the same account may have another role.
#[tokio::test]
async fn who_was_denied_is_denied_alone() {
    for (fault, alone) in [(Fault::access_denied(), true), (Fault::html(), false)] {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let (refusing, answering) = (Memory::new(stage().rule(Rule::new(fault))), wire());
        let one = in_files(&refusing, &clock, folder.path()).deadline(SOON);
        let other = in_files(&answering, &clock, folder.path());
        let (one, other) = (one.build().unwrap(), other.build().unwrap());
        let done = one_after_the_other_began(folder.path(), &clock, one, other);
        let [one, other] = done.await;
        assert!(one.unwrap_err().contains("no region answered"));
        assert_eq!(other.is_ok(), alone, "{other:?}");
    }
}

/// One process begins to ask, and another one beside it asks later and has its answer first. The one
/// fails in one region, the other in another: what is cached afterwards is the other's, with its reasons.
async fn who_asked_later_has_the_last_word(
    forced: bool,
    build: impl Fn(&Memory, &ManualClock) -> LiveCatalogBuilder,
) {
    let clock = clock();
    let wire = |fails| Memory::new(stage().rule(Rule::new(Fault::html()).region(fails)));
    let (slow, prompt) = (wire("eu-west-1"), wire("us-east-1"));
    // There at once to name no account, and to ask when they are let.
    let keys = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let (held, config) = held(&slow, keys, 1);
    let one = build(&slow, &clock).sdk_config(&config);
    let one = one.deadline(Duration::from_secs(20)).build().unwrap();
    let asking = tokio::spawn(async move {
        let asked = match forced {
            false => one.load().await,
            true => one.refresh().await,
        };
        asked.unwrap().observed_at()
    });
    held.asks.acquire().await.unwrap().forget();
    clock.advance(Duration::from_secs(2));
    let other = build(&prompt, &clock).deadline(SOON).build().unwrap();
    let newest = other.refresh().await.unwrap();
    held.go_on.add_permits(1);
    assert!(asking.await.unwrap() < newest.observed_at());
    let reader = build(&prompt, &clock).build().unwrap();
    let read = reader.load().await.unwrap();
    assert_eq!(read.source().as_str(), "cache");
    assert_eq!(read.observed_at(), newest.observed_at());
    assert_eq!(read.failed_regions(), newest.failed_regions());
}

#[tokio::test]
async fn the_reasons_beside_a_catalog_are_its_own() {
    for forced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.sqlite");
        let build = |wire: &Memory, clock: &ManualClock| in_memory(wire, clock).sqlite(&path);
        who_asked_later_has_the_last_word(forced, build).await;
    }
}

#[tokio::test]
async fn of_files_too_the_catalog_stays_that_was_asked_for_last() {
    for forced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let build = |wire: &Memory, clock: &ManualClock| in_files(wire, clock, folder.path());
        who_asked_later_has_the_last_word(forced, build).await;
    }
}

/// A planted note that somebody was refused, in a hundred years, keeps nobody from asking.
#[tokio::test]
async fn a_refusal_of_the_future_is_not_believed() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = in_files(&wire, &clock, folder.path()).build().unwrap();
    let key = bedrock_catalog::cache::Key::new("catalog", "refused", "all");
    let planted = r#"{"asked_at":"2126-01-01T00:00:00Z","why":"planted"}"#;
    let terms = bedrock_catalog::cache::Terms::source("api");
    live.cache().put(&key, planted, &terms);
    live.refresh().await.unwrap();
    assert_eq!(live.status().source, "api");
}
