//! `catalog-gen diff`: prints the difference between two recordings or catalogs.

use std::path::{Path, PathBuf};

use bedrock_catalog_data::{Catalog, Timestamp};
use bedrock_catalog_gen::{diff_json, diff_markdown, diff_text};
use bedrock_catalog_recording::{CatalogDiff, Recording, transform};

use crate::{Outcome, Verdict, plain, project};

/// Exits 0 whether or not there is a difference.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A recording folder or a catalog.json
    old: PathBuf,
    /// A recording folder, read as what follows the old one, or a catalog.json
    new: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// For the body of a pull request
    Markdown,
    /// One JSON document, in ASCII
    Json,
}

pub(crate) fn run(args: &Args) -> Verdict {
    let old = catalog(&args.old, None)?;
    let new = catalog(&args.new, Some(&old))?;
    let diff = CatalogDiff::between(&old, &new);
    let print = match args.format {
        Format::Text => diff_text,
        Format::Markdown => diff_markdown,
        Format::Json => diff_json,
    };
    project::print(&print(&diff))?;
    Ok(Outcome::Done)
}

/// The catalog of one side. A recording carries over rows of the previous catalog, as in `build`, unless
/// that is of another partition.
fn catalog(path: &Path, previous: Option<&Catalog>) -> Result<Catalog, Box<dyn std::error::Error>> {
    if !path.is_dir() {
        return project::catalog(path);
    }
    // A folder made with the AWS CLI has no time. Any will do, because it is only printed.
    let has_no_time = !path.join("recording.json").exists();
    let stand_in = previous.map_or(Timestamp::baked(0), Catalog::observed_at);
    if has_no_time {
        let path = path.display().to_string();
        eprintln!(
            "note: {} does not say when it was observed; {stand_in} stands for it",
            plain(&path)
        );
    }
    let recording = Recording::read(path, has_no_time.then_some(stand_in))?;
    let previous = previous.filter(|previous| previous.partition() == recording.partition);
    let (document, problems) = transform(&recording, previous);
    for problem in &problems {
        eprintln!("warning: {}", plain(&problem.to_string()));
    }
    Ok(Catalog::from_document(&document).map_err(|error| error.to_string())?)
}
