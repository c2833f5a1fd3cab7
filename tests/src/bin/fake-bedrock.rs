//! A fake Bedrock on a loopback address, for people without an AWS account.
//!
//! `cargo run -p bedrock-catalog-tests --bin fake-bedrock [-- RECORDING] [--port N]
//! [--profile-page-size N] [--latency-ms N]`

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bedrock_catalog::Catalog;
use bedrock_catalog::recording::Recording;
use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Stage};
use bedrock_catalog_tests::synthetic;

const USAGE: &str =
    "usage: fake-bedrock [RECORDING] [--port N] [--profile-page-size N] [--latency-ms N]";

struct Options {
    recording: Option<String>,
    port: u16,
    page_size: usize,
    latency: Duration,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let recording = match &options.recording {
        Some(folder) => Recording::read(Path::new(folder), Some(synthetic::observed_at())),
        None => Ok(rendered_recording()),
    };
    let recording = match recording {
        Ok(recording) => recording,
        Err(error) => {
            eprintln!("fake-bedrock: {error}");
            return ExitCode::FAILURE;
        }
    };
    let regions = recording.regions.len();
    let stage = Stage::new(recording)
        .profile_page_size(options.page_size)
        .latency(options.latency);
    match FakeBedrock::start_on(stage, options.port) {
        Ok(fake) => {
            eprintln!("serving {regions} regions; any credentials will do, for example:");
            eprintln!("  export AWS_ACCESS_KEY_ID=fake AWS_SECRET_ACCESS_KEY=fake");
            eprintln!(
                "  aws bedrock list-foundation-models --region us-east-1 --endpoint-url {}",
                fake.url()
            );
            println!("{}", fake.url());
            fake.wait();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fake-bedrock: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is served without a recording: the committed catalog, turned back into one.
fn rendered_recording() -> Recording {
    Recording::of_catalog(Catalog::bundled())
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        recording: None,
        port: 0,
        page_size: 1000,
        latency: Duration::ZERO,
    };
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64, String> {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a number"))?;
            value
                .parse()
                .map_err(|_| format!("{argument} needs a number, not {value:?}"))
        };
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--port" => {
                options.port = number()?
                    .try_into()
                    .map_err(|_| "a port is at most 65535".to_owned())?
            }
            "--profile-page-size" => options.page_size = number()?.try_into().unwrap_or(usize::MAX),
            "--latency-ms" => options.latency = Duration::from_millis(number()?),
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            _ if options.recording.is_some() => return Err("one recording only".to_owned()),
            _ => options.recording = Some(argument),
        }
    }
    Ok(Some(options))
}
