//! The command `catalog-gen`: arguments and exit codes. Each verb has a module.

mod build;
mod check;
mod diff;
#[cfg(feature = "fetch")]
mod fetch;
#[cfg(not(feature = "fetch"))]
#[path = "fetch_off.rs"]
mod fetch;
mod project;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use bedrock_catalog_data::Timestamp;
use clap::{Parser, Subcommand};
use serde_json::json;

/// Makes recordings of the Bedrock control plane, and bakes them into the bundle.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 done, 1 a check or the work failed, 2 wrong command line."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: clap::ColorChoice,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Ask AWS what every region has, and write the answers as a recording.
    Fetch(fetch::Args),
    /// Bake: a recording (or the committed catalog.json) into catalog.json, tables and fingerprints.
    Build(build::Args),
    /// Check that catalog.json, tables and fingerprints belong together and are not too old.
    Check(check::Args),
    /// Show what has changed between two recordings or catalogs.
    Diff(diff::Args),
}

/// The folder of the bundle.
#[derive(Debug, clap::Args)]
struct Place {
    /// The data crate's folder [default: `catalog-data` of this project]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The result of a verb. Failures and usage errors have already been printed.
enum Outcome {
    Done,
    Failed,
    WrongUsage,
}

type Verdict = Result<Outcome, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.color {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
    let (verdict, json) = match cli.verb {
        Verb::Fetch(args) => (fetch::run(&args), false),
        Verb::Build(args) => (build::run(&args), false),
        Verb::Check(args) => (check::run(&args), args.json),
        Verb::Diff(args) => (diff::run(&args), false),
    };
    match verdict {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Ok(Outcome::WrongUsage) => ExitCode::from(2),
        Err(error) => {
            let message = error.to_string();
            if json {
                let error = json!({"kind": "failed", "message": message, "suggestions": []});
                println!("{}", json!({ "error": error }));
            }
            let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
            anstream::eprintln!("{style}error:{style:#} {}", plain(&message));
            ExitCode::FAILURE
        }
    }
}

/// Parses a time argument.
fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse::<Timestamp>().map_err(|error| error.to_string())
}

/// The current time, for arguments with that default.
fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since_epoch.map_or(0, |elapsed| elapsed.as_secs());
    let seconds = i64::try_from(seconds).unwrap_or_default();
    Timestamp::from_unix(seconds).unwrap_or(Timestamp::baked(0))
}

/// Escapes the non-printing characters of untrusted text for a terminal.
fn plain(text: &str) -> String {
    let escaped = text.chars().map(|letter| match letter {
        '"' | '\'' | '\\' => letter.to_string(),
        letter => letter.escape_debug().to_string(),
    });
    escaped.collect()
}
