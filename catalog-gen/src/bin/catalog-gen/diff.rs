//! `catalog-gen diff`: what has changed between two recordings or catalogs.

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

/// The catalog of one side. A recording that follows a catalog carries over what it could not ask, as
/// `build` does; of another partition, it follows none.
fn catalog(path: &Path, previous: Option<&Catalog>) -> Result<Catalog, Box<dyn std::error::Error>> {
    if !path.is_dir() {
        return project::catalog(path);
    }
    // A folder made with the AWS CLI does not say its time, which is only shown here.
    let unsaid = !path.join("recording.json").exists();
    let told = previous.map_or(Timestamp::baked(0), Catalog::observed_at);
    if unsaid {
        let path = path.display().to_string();
        eprintln!(
            "note: {} does not say when it was observed; {told} stands for it",
            plain(&path)
        );
    }
    let recording = Recording::read(path, unsaid.then_some(told))?;
    let previous = previous.filter(|previous| previous.partition() == recording.partition);
    let (document, problems) = transform(&recording, previous);
    for problem in &problems {
        eprintln!("warning: {}", plain(&problem.to_string()));
    }
    Ok(Catalog::from_document(&document).map_err(|error| error.to_string())?)
}
