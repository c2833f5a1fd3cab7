//! `catalog-gen fetch`: asks AWS and writes a recording. The only verb with network access.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bedrock_catalog::fetch::{
    Fetched, Fetcher, Outcome as RegionOutcome, RegionExpectation, sdk_config_from_env,
};
use bedrock_catalog_data::Timestamp;
use bedrock_catalog_recording::{Recording, RecordingErrorKind};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{Outcome, Verdict, moment, now, plain, project};

/// Reads AWS credentials as the AWS tools do. Regions that fail are named and left out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The recording folder to make; it must not exist yet, or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The regions to ask, separated by commas [default: all of the partition]
    #[arg(long, value_name = "REGION", value_delimiter = ',')]
    regions: Vec<String>,
    /// One address to ask in place of AWS's own
    #[arg(long, value_name = "URL", value_parser = url)]
    endpoint_url: Option<String>,
    /// Regions to ask at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// The time the recording bears [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    observed_at: Option<Timestamp>,
    /// Write nothing unless every region answers
    #[arg(long)]
    require_all_regions: bool,
}

/// Checks an endpoint URL: `http` or `https`, a host, an optional port and path.
fn url(text: &str) -> Result<String, String> {
    let wrong = || "expected an address like http://127.0.0.1:8080".to_owned();
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .ok_or_else(wrong)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
        None => authority
            .find(':')
            .map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    let port = port.strip_prefix(':').or(port.is_empty().then_some("80"));
    let in_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let is_host = match authority.starts_with('[') {
        true => host.parse::<std::net::Ipv6Addr>().is_ok(),
        false => !host.is_empty() && host.bytes().all(in_host),
    };
    let in_path = |byte: u8| byte.is_ascii_graphic() && !b"?#\\\"<>".contains(&byte);
    let is_port = port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    match is_host && is_port && path.bytes().all(in_path) {
        true => Ok(text.to_owned()),
        false => Err(wrong()),
    }
}

pub(crate) fn run(args: &Args) -> Verdict {
    if is_taken(&args.out) {
        return Err(taken(&args.out).into());
    }
    let expectations = expectations();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Draws on terminals only.
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template(
        "{pos}/{len} regions {bar:31} {elapsed} {msg}",
    )?);
    let fetched = runtime.block_on(async {
        let mut builder = Fetcher::builder()
            .sdk_config(&sdk_config_from_env().await)
            .regions(args.regions.iter().cloned())
            .concurrency(usize::from(args.concurrency))
            .observed_at(args.observed_at.unwrap_or_else(now))
            .expectations(expectations.clone());
        if let Some(url) = &args.endpoint_url {
            builder = builder.endpoint_url(url);
        }
        let shown = bar.clone();
        builder = builder.on_progress(move |progress| {
            shown.set_length(progress.total as u64);
            shown.set_position(progress.done as u64);
            shown.set_message(progress.region.to_owned());
        });
        // Invalid settings are errors of the command line.
        let fetcher = match builder.build() {
            Ok(fetcher) => fetcher,
            Err(error) => {
                eprintln!("error: {}", plain(&error.to_string()));
                return Ok(None);
            }
        };
        fetcher.fetch().await.map(Some)
    });
    bar.finish_and_clear();
    match fetched? {
        None => Ok(Outcome::WrongUsage),
        Some(fetched) => write(args, &fetched, &expectations),
    }
}

/// The rows of each region in the committed catalog, for the guards; empty without one.
fn expectations() -> BTreeMap<String, RegionExpectation> {
    let committed = project::committed().map(|folder| folder.join("catalog.json"));
    let Some(path) = committed.filter(|path| path.is_file()) else {
        return BTreeMap::new();
    };
    match project::catalog(&path) {
        Ok(catalog) => RegionExpectation::of(&Recording::of_catalog(&catalog)),
        Err(error) => {
            eprintln!(
                "warning: nothing to measure the answers by: {}",
                plain(&error.to_string())
            );
            BTreeMap::new()
        }
    }
}

fn write(
    args: &Args,
    fetched: &Fetched,
    expectations: &BTreeMap<String, RegionExpectation>,
) -> Verdict {
    let mut missing = Vec::new();
    for (region, report) in fetched.reports() {
        // Regions that are not enabled are a loss only if they have earlier rows or are named.
        let wanted = expectations.contains_key(region) || args.regions.contains(region);
        let level = match report.outcome {
            RegionOutcome::Ok => continue,
            RegionOutcome::NotEnabled if !wanted => "note",
            _ => {
                missing.push(region.as_str());
                "warning"
            }
        };
        eprintln!(
            "{level}: {region}: {}: {}",
            report.outcome,
            plain(&report.reason)
        );
    }
    if fetched.answered() == 0 {
        return Err("no region gave an answer that can be used; nothing was written".into());
    }
    if args.require_all_regions && !missing.is_empty() {
        return Err(format!(
            "no answer of {}, and all regions are required; nothing was written",
            missing.join(", ")
        )
        .into());
    }
    let recording = fetched.recording();
    recording.write(&args.out).map_err(|error| {
        match error.kind() == RecordingErrorKind::Io && is_taken(&args.out) {
            true => taken(&args.out),
            false => error.to_string(),
        }
    })?;
    let rows = |of: fn(&bedrock_catalog_recording::RegionAnswers) -> usize| -> usize {
        recording.regions.values().map(of).sum()
    };
    project::print(&format!(
        "wrote {}: {} of {} regions, {} model rows, {} profile rows, observed at {}\n",
        plain(&args.out.display().to_string()),
        fetched.answered(),
        fetched.reports().len(),
        rows(|answers| answers.models.len()),
        rows(|answers| answers.profiles.len()),
        recording.observed_at,
    ))?;
    Ok(Outcome::Done)
}

/// Whether the folder exists and is not empty.
fn is_taken(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => fs::symlink_metadata(folder).is_ok(),
    }
}

fn taken(folder: &Path) -> String {
    format!(
        "{} is there already, and recordings are not overwritten: remove it, or name another \
         folder with --out",
        folder.display()
    )
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn endpoint_urls_are_checked() {
        for text in [
            "http://127.0.0.1:8080",
            "https://a-b.example/x/",
            "http://[::1]:80",
            "http://h",
        ] {
            assert_eq!(url(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "x",
            "ftp://h",
            "http://",
            "http:///x",
            "http://h:",
            "http://h:0",
            "http://h:65536",
            "http://h x",
            "http://u@h",
            "http://h/?q",
            "http://[::1",
            "http://[x]",
            "http://h\n",
            "127.0.0.1:80",
        ] {
            assert!(url(text).is_err(), "{text:?}");
        }
    }
}
