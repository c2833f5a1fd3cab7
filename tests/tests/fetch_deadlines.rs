//! Whatever hangs, drips or breaks: the fetch ends in time, keeps what came, and leaves no task behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::future::Future;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
};
use bedrock_catalog::fetch::{Fetched, Fetcher, FetcherBuilder, Outcome, partition_regions};
use bedrock_catalog_tests::fake_bedrock::{
    FakeBedrock, Fault, Memory, Operation, Rule, Stage, sdk_config,
};
use bedrock_catalog_tests::{leave_out, synthetic};
use tokio::time::Instant;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn all() -> Stage {
    Stage::new(synthetic::recording(&partition_regions("aws"), 3, 4))
}

async fn timed<F: Future>(work: F) -> (F::Output, Duration) {
    let started = Instant::now();
    let output = work.await;
    (output, started.elapsed())
}

/// Deadlines of 8, 20 and 30 seconds, on a clock that moves by itself.
#[tokio::test(start_paused = true)]
async fn no_fault_outlasts_the_deadline() {
    for (fault, at_most) in [
        (Fault::Hang, 30),
        (Fault::Silence(0), 30),
        (Fault::Silence(20), 30),
        (Fault::Slow(1, Duration::from_secs(1)), 30),
        (Fault::Latency(Duration::from_secs(7)), 8),
        (Fault::Latency(Duration::from_secs(1000)), 30),
        (Fault::Reset(0), 30),
    ] {
        for region in [None, Some("eu-west-1")] {
            let mut rule = Rule::new(fault.clone());
            if let Some(region) = region {
                rule = rule.region(region);
            }
            let wire = Memory::new(all().rule(rule));
            let fetcher = Fetcher::builder()
                .sdk_config(&wire.sdk_config())
                .build()
                .unwrap();
            let (fetched, elapsed) = timed(fetcher.fetch()).await;
            assert!(
                elapsed <= Duration::from_secs(at_most).mul_f64(1.1),
                "{fault:?}: {elapsed:?}"
            );
            let fetched: Fetched = fetched.unwrap();
            assert!(
                fetched.answered() >= if region.is_some() { 30 } else { 0 },
                "{fault:?}"
            );
            assert_eq!(
                wire.stage().open(),
                0,
                "{fault:?}: a request is still under way"
            );
        }
    }
}

/// The attempt's deadline bounds an attempt, the operation's all of them, the overall one everything.
#[tokio::test(start_paused = true)]
async fn each_deadline_is_its_own() {
    let base = |wire: &Memory| {
        Fetcher::builder()
            .sdk_config(&wire.sdk_config())
            .regions(["us-east-1"])
    };
    type Tighten = fn(FetcherBuilder) -> FetcherBuilder;
    let cases: [(Tighten, u64, u64); 3] = [
        (|b| b.max_attempts(1), 8_000, 8_000),
        (
            |b| b.attempt_timeout(MS(100)).operation_timeout(MS(250)),
            101,
            250,
        ),
        (|b| b.deadline(MS(70)), 70, 70),
    ];
    for (tighten, at_least, at_most) in cases {
        let wire = Memory::new(all().rule(Rule::new(Fault::Hang)));
        let fetcher = tighten(base(&wire)).build().unwrap();
        let (fetched, elapsed) = timed(fetcher.fetch()).await;
        assert_eq!(
            fetched.unwrap().reports()["us-east-1"].outcome,
            Outcome::TimedOut
        );
        assert!(
            elapsed >= MS(at_least) && elapsed <= MS(at_most + at_most / 10),
            "{elapsed:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_deadline_is_kept() {
    let slow = Rule::new(Fault::Latency(Duration::from_secs(60))).region("ap-south-1");
    let wire = Memory::new(all().latency(Duration::from_secs(5)).rule(slow));
    let fetcher = Fetcher::builder()
        .sdk_config(&wire.sdk_config())
        .deadline(Duration::from_secs(6))
        .build()
        .unwrap();
    let (fetched, elapsed) = timed(fetcher.fetch()).await;
    let fetched = fetched.unwrap();
    assert_eq!(elapsed.as_secs(), 6);
    assert_eq!(fetched.answered(), 30);
    assert_eq!(fetched.reports()["ap-south-1"].outcome, Outcome::TimedOut);
    assert!(fetched.reports()["ap-south-1"].outcome.is_transient());
}

/// Over real sockets, with deadlines in milliseconds.
#[tokio::test]
async fn sockets_that_drip_break_and_keep_silent() {
    let regions = [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "eu-west-1",
    ];
    let stage = Stage::new(synthetic::recording(&regions, 3, 4))
        .rule(Rule::new(Fault::Slow(1, Duration::from_secs(1))).region("us-east-1"))
        .rule(Rule::new(Fault::Silence(30)).region("us-east-2"))
        .rule(Rule::new(Fault::Hang).region("us-west-1"))
        .rule(Rule::new(Fault::Reset(30)).region("us-west-2"));
    let fake = FakeBedrock::start(stage).unwrap();
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    let fetcher = Fetcher::builder()
        .sdk_config(&sdk_config())
        .endpoint_url(fake.url())
        .regions(regions)
        .max_attempts(1)
        .attempt_timeout(MS(2_000))
        .deadline(MS(3_000))
        .build()
        .unwrap();
    let fetched = fetcher.fetch().await.unwrap();
    for (region, outcome) in [
        ("us-east-1", Outcome::TimedOut),
        ("us-east-2", Outcome::TimedOut),
        ("us-west-1", Outcome::TimedOut),
        ("us-west-2", Outcome::Failed),
        ("eu-west-1", Outcome::Ok),
    ] {
        let report = &fetched.reports()[region];
        assert_eq!(report.outcome, outcome, "{region}: {}", report.reason);
    }
    drop(fetcher);
    until(|| metrics.num_alive_tasks() == before).await;
    until(|| fake.stage().open() == 0).await;
}

/// Given up at any moment, a fetch leaves neither tasks nor connections.
#[tokio::test]
async fn a_fetch_given_up_leaves_nothing() {
    let fake = FakeBedrock::start(all().profile_page_size(1).latency(MS(20))).unwrap();
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    for given_up_after in [1, 2, 10, 31, 62, 80, 100] {
        let fetcher = Fetcher::builder()
            .sdk_config(&sdk_config())
            .endpoint_url(fake.url())
            .build()
            .unwrap();
        fake.stage().forget();
        tokio::select! {
            biased;
            () = until(|| fake.stage().requests() >= given_up_after) => {}
            _ = fetcher.fetch() => panic!("it ended before request {given_up_after}"),
        }
    }
    until(|| metrics.num_alive_tasks() == before).await;
    until(|| fake.stage().open() == 0).await;
}

/// Looks again and again, and lets the runtime work in between, but not for ever.
async fn until(condition: impl Fn() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(20), async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    });
    patience.await.expect("this should have come about by now");
}

#[derive(Debug, Clone, Copy)]
enum Provider {
    None,
    Hangs,
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self {
            Self::None => future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(
                "looked everywhere",
            ))),
            Self::Hangs => future::ProvideCredentials::new(std::future::pending()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_credentials_is_said_within_five_seconds() {
    let with = |provider: Option<Provider>| {
        let provider = provider.map(SharedCredentialsProvider::new);
        let mut builder = sdk_config().into_builder();
        builder.set_credentials_provider(provider);
        builder.http_client(Memory::new(all())).build()
    };
    for (config, transient) in [
        (with(None), false),
        (with(Some(Provider::None)), false),
        (with(Some(Provider::Hangs)), true),
    ] {
        let config: SdkConfig = config;
        let fetcher = Fetcher::builder().sdk_config(&config).build().unwrap();
        let (fetched, elapsed) = timed(fetcher.fetch()).await;
        let error = fetched.unwrap_err();
        assert!(elapsed <= Duration::from_secs(5), "{elapsed:?}");
        assert_eq!(
            error.kind(),
            bedrock_catalog::CatalogErrorKind::NoCredentials
        );
        assert!(error.is_no_credentials());
        assert_eq!(error.is_transient(), transient);
        assert!(error.to_string().contains("AWS_PROFILE"), "{error}");
        // A client of the caller's own that has none is the caller's business, but ends as well.
        let fetcher = Fetcher::builder().client_factory(move |region| {
            let region = aws_sdk_bedrock::config::Region::new(region.to_owned());
            let builder = aws_sdk_bedrock::config::Builder::from(&config).region(region);
            aws_sdk_bedrock::Client::from_conf(builder.build())
        });
        let (fetched, elapsed) = timed(fetcher.build().unwrap().fetch()).await;
        assert!(elapsed <= Duration::from_secs(30), "{elapsed:?}");
        match fetched {
            Err(error) => assert!(error.is_no_credentials()),
            Ok(fetched) => assert_eq!(fetched.answered(), 0, "{fetched:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn regions_wait_for_their_turn() {
    let wire = Memory::new(all().latency(MS(10)));
    let told = std::sync::atomic::AtomicUsize::new(0);
    let fetcher = Fetcher::builder()
        .sdk_config(&wire.sdk_config())
        .concurrency(1)
        .on_progress(move |progress| {
            assert_eq!(
                told.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1,
                progress.done
            );
        });
    let fetched = fetcher.build().unwrap().fetch().await.unwrap();
    assert_eq!(fetched.answered(), 31);
    assert_eq!(
        wire.stage().peak(),
        2,
        "one region in flight has two requests"
    );
    assert_eq!(
        wire.stage().requests_of("us-east-1", Operation::Profiles),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_region_whose_client_panics_is_a_failed_region() {
    let wire = Memory::new(all());
    let config = wire.sdk_config();
    let fetcher = Fetcher::builder().client_factory(move |region| {
        assert!(region != "eu-west-2", "a bug in the caller's factory");
        let region = aws_sdk_bedrock::config::Region::new(region.to_owned());
        let builder = aws_sdk_bedrock::config::Builder::from(&config).region(region);
        aws_sdk_bedrock::Client::from_conf(builder.build())
    });
    let (fetched, elapsed) = timed(fetcher.build().unwrap().fetch()).await;
    let fetched = fetched.unwrap();
    assert_eq!(fetched.answered(), 30);
    assert_eq!(fetched.reports()["eu-west-2"].outcome, Outcome::Failed);
    assert_eq!(elapsed, Duration::ZERO);
}

/// The whole way from an environment without credentials, with a metadata service that takes the
/// connection and never answers. The test runs itself as a child, which has that environment.
#[test]
fn a_silent_metadata_service_is_not_waited_for() {
    const TEST: &str = "a_silent_metadata_service_is_not_waited_for";
    const CHILD: &str = "BEDROCK_CATALOG_TEST_CHILD";
    const MARK: &str = "no credentials within five seconds";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let started = std::time::Instant::now();
        let error = runtime.block_on(async {
            let config = bedrock_catalog::fetch::sdk_config_from_env().await;
            Fetcher::builder()
                .sdk_config(&config)
                .build()
                .unwrap()
                .fetch()
                .await
                .unwrap_err()
        });
        let elapsed = started.elapsed();
        assert!(error.is_no_credentials(), "{error}");
        assert!(elapsed <= Duration::from_secs(5), "{elapsed:?}");
        println!("{MARK}: {elapsed:?}: {error}");
        return;
    }
    if std::env::var_os("BEDROCK_CATALOG_LONG").is_none() {
        leave_out(TEST, "of the long lane");
        return;
    }
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([TEST, "--exact", "--nocapture"])
        .env_clear()
        .env(CHILD, "1")
        .env("HOME", "/nonexistent")
        .env(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            format!("http://{}", silent.local_addr().unwrap()),
        )
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}");
    // A child that ran no test ends well too.
    assert!(said.contains(MARK), "{said}");
    silent.set_nonblocking(true).unwrap();
    assert!(silent.accept().is_ok(), "the metadata service was asked");
}
