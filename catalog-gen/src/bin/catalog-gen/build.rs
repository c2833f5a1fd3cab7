//! `catalog-gen build`: bakes a recording or the committed catalog.json into the files of the bundle.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bedrock_catalog_data::{Catalog, Timestamp};
use bedrock_catalog_gen::{Baked, bake, name_constants};
use bedrock_catalog_recording::{Recording, guard_violations, transform};
use clap::error::ErrorKind;
use similar::{ChangeTag, TextDiff};

use crate::{Outcome, Place, Verdict, moment, plain, project};

/// Without a recording, the tables are baked again from the committed catalog.json.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A recording folder
    #[arg(long, value_name = "DIR")]
    recording: Option<PathBuf>,
    /// When the recording was made, for one that does not say
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "recording")]
    observed_at: Option<Timestamp>,
    /// The catalog.json before, or `none` [default: the committed one]
    #[arg(long, value_name = "FILE|none")]
    previous: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// A person has looked at the complaints: build all the same
    #[arg(long, requires = "recording")]
    accept_shrink: bool,
    /// Stop where a region failed, instead of keeping its last good rows
    #[arg(long, requires = "recording")]
    require_all_regions: bool,
    /// Write nothing; show what differs and fail if anything does
    #[arg(long)]
    check: bool,
}

impl Args {
    /// Whether `--previous none` is given.
    fn without_previous(&self) -> bool {
        let previous = self.previous.as_deref();
        previous.is_some_and(|previous| previous.as_os_str() == "none")
    }
}

pub(crate) fn run(args: &Args) -> Verdict {
    if args.recording.is_none() && args.without_previous() {
        let message = "`--previous none` leaves nothing to bake: give a --recording\n";
        clap::Error::raw(ErrorKind::MissingRequiredArgument, message).exit();
    }
    let folder = project::folder(args.place.out.as_deref())?;
    let previous = previous(args, &folder)?;
    let catalog = match (&args.recording, previous) {
        (None, None) => {
            let folder = folder.display();
            return Err(format!("{folder} has no catalog.json; give a recording").into());
        }
        (None, Some(previous)) => {
            // Equal content, with names for new constants.
            name_constants(previous.to_document(), Some(&previous))?
        }
        (Some(recording), previous) => match transformed(args, recording, previous.as_ref())? {
            Some(catalog) => catalog,
            None => return Ok(Outcome::Failed),
        },
    };
    let baked = bake(&catalog)?;
    let differing = project::differing(&folder, &baked)?;
    if args.check {
        return check(&folder, &baked, &differing);
    }
    project::write(&folder, &baked, &differing)?;
    let (models, profiles) = (catalog.models().count(), catalog.profiles().count());
    crate::print_line!(
        "{models} models, {profiles} profiles, {} regions, {} access rows, observed at {}",
        catalog.regions().count(),
        catalog.accesses().len(),
        catalog.observed_at()
    );
    for region in catalog.regions() {
        if let Some(since) = region.stale_since() {
            crate::print_line!("kept the rows of {} from {since}", plain(region.id()));
        }
    }
    match differing.as_slice() {
        [] => crate::print_line!("nothing changed in {}", folder.display()),
        files => {
            for file in files {
                crate::print_line!("wrote {}", folder.join(file).display());
            }
        }
    }
    Ok(Outcome::Done)
}

/// The previous catalog: the given one, else that in the output folder, else the committed one.
fn previous(args: &Args, folder: &Path) -> Result<Option<Catalog>, Box<dyn std::error::Error>> {
    match &args.previous {
        Some(_) if args.without_previous() => Ok(None),
        Some(file) => Ok(Some(project::catalog(file)?)),
        None => {
            let committed = project::committed();
            let candidates = [Some(folder.to_owned()), committed].into_iter().flatten();
            let mut found = candidates.map(|folder| folder.join("catalog.json"));
            found
                .find(|path| path.is_file())
                .map(|path| project::catalog(&path))
                .transpose()
        }
    }
}

/// The catalog of a recording; `None` after printing why it is refused.
fn transformed(
    args: &Args,
    recording: &Path,
    previous: Option<&Catalog>,
) -> Result<Option<Catalog>, Box<dyn std::error::Error>> {
    let recording = Recording::read(recording, args.observed_at)?;
    if let Some(previous) = previous.filter(|last| last.partition() != recording.partition) {
        return Err(format!(
            "the recording is of partition {}, the catalog before of {}; a catalog is of one \
             partition: give --previous none, or the catalog of that partition",
            recording.partition,
            previous.partition()
        )
        .into());
    }
    let violations = guard_violations(&recording, previous);
    let (document, problems) = transform(&recording, previous);
    for problem in &problems {
        eprintln!("warning: {}", plain(&problem.to_string()));
    }
    for (region, reason) in &recording.failures {
        eprintln!("warning: {} failed: {}", plain(region), plain(reason));
    }
    // Regions that the account has not enabled are missing only if they have earlier rows.
    let failed = recording.failures.iter();
    let failed = failed.filter(|(_, reason)| !reason.starts_with("not enabled"));
    let stale = document.stale.keys().map(|region| &**region);
    let missing: BTreeSet<&str> = stale.chain(failed.map(|(region, _)| &**region)).collect();
    if args.require_all_regions && !missing.is_empty() {
        let regions: Vec<&str> = missing.into_iter().collect();
        eprintln!(
            "error: no answer of {}, and all regions are required",
            plain(&regions.join(", "))
        );
        return Ok(None);
    }
    for violation in &violations {
        let level = if args.accept_shrink {
            "accepted"
        } else {
            "error"
        };
        eprintln!("{level}: {}", plain(violation));
    }
    if !violations.is_empty() && !args.accept_shrink {
        eprintln!(
            "nothing was written; look at the recording, and if it is right: --accept-shrink"
        );
        return Ok(None);
    }
    Ok(Some(name_constants(document, previous)?))
}

/// Prints the differences of the files, some lines of each.
fn check(folder: &Path, baked: &Baked, differing: &[&str]) -> Verdict {
    const MAX_LINES: usize = 20;
    if differing.is_empty() {
        crate::print_line!("{} is what its catalog.json bakes to", folder.display());
        return Ok(Outcome::Done);
    }
    for &file in differing {
        let present = project::present(folder, file)?;
        let baked = baked
            .files
            .get(file)
            .map(String::as_str)
            .unwrap_or_default();
        crate::print_line!("{} differs:", folder.join(file).display());
        let present = String::from_utf8_lossy(&present);
        let diff = TextDiff::from_lines(&*present, baked);
        let changes = diff
            .iter_all_changes()
            .filter(|change| change.tag() != ChangeTag::Equal);
        for change in changes.take(MAX_LINES) {
            let sign = if change.tag() == ChangeTag::Delete {
                '-'
            } else {
                '+'
            };
            crate::print_line!("  {sign} {}", change.value().trim_end().escape_debug());
        }
    }
    crate::print_line!("mend it with: cargo gen build");
    Ok(Outcome::Failed)
}
