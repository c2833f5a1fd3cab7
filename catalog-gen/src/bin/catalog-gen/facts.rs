//! `catalog-gen facts`: makes facts.json of what sources beside the listing state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bedrock_catalog_data::Date;
use bedrock_catalog_recording::{
    Coverage, Disagreement, FactsInput, FactsInputs, LARGEST_FACTS_INPUT, MadeFacts, Recording,
    facts_to_json, make_facts, read_bounded,
};

use crate::{Outcome, Verdict, plain, project};

/// Prints how many models have each kind of fact, and where sources disagree.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The price map of LiteLLM, JSON
    #[arg(long, value_name = "FILE")]
    litellm: Option<PathBuf>,
    /// The model cards of AWS, JSON
    #[arg(long, value_name = "FILE")]
    cards: Option<PathBuf>,
    /// The ids of bedrock-mantle, JSON
    #[arg(long, value_name = "FILE")]
    mantle: Option<PathBuf>,
    /// The codes of Service Quotas, CSV
    #[arg(long, value_name = "FILE")]
    quotas: Option<PathBuf>,
    /// Earlier recordings, for ids that ended; a folder of one or of several. May be repeated
    #[arg(long, value_name = "DIR")]
    history: Vec<PathBuf>,
    /// The day of an input, as `cards=2026-08-22`, if its file name has none. May be repeated
    #[arg(long, value_name = "INPUT=DATE", value_parser = day)]
    as_of: Vec<(String, Date)>,
    /// The catalog.json of which the facts are [default: the committed one]
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// The facts before, for former ids [default: the file to write, if it is there]
    #[arg(long, value_name = "FILE|none")]
    previous: Option<PathBuf>,
    /// Print every disagreement and every entry that is left out
    #[arg(long)]
    details: bool,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Parses `INPUT=DATE`.
fn day(text: &str) -> Result<(String, Date), String> {
    let (input, day) = text.split_once('=').ok_or("expected INPUT=DATE")?;
    if !["litellm", "cards", "mantle", "quotas"].contains(&input) {
        return Err("the inputs are litellm, cards, mantle and quotas".to_owned());
    }
    let day = day.parse::<Date>().map_err(|error| error.to_string())?;
    Ok((input.to_owned(), day))
}

pub(crate) fn run(args: &Args) -> Verdict {
    let catalog = match &args.catalog {
        Some(file) => project::catalog(file)?,
        None => project::catalog(&project::folder(None)?.join("catalog.json"))?,
    };
    let files = [
        ("litellm", &args.litellm),
        ("cards", &args.cards),
        ("mantle", &args.mantle),
        ("quotas", &args.quotas),
    ];
    let mut texts: BTreeMap<&str, (Vec<u8>, Date)> = BTreeMap::new();
    for (name, file) in files {
        if let Some(file) = file {
            let text = read_bounded(file, LARGEST_FACTS_INPUT)
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            texts.insert(name, (text, args.day_of(name, file)?));
        }
    }
    let mut history = Vec::new();
    for folder in &args.history {
        read_history(folder, &mut history)?;
    }
    let previous = match &args.previous {
        Some(file) if file.as_os_str() == "none" => None,
        Some(file) => Some(project::facts(Some(file), Path::new("."))?),
        None if args.out.is_file() => Some(project::facts(Some(&args.out), Path::new("."))?),
        None => None,
    };
    let input = |name| {
        let found = texts.get(name);
        found.map(|(text, as_of)| FactsInput::new(text, *as_of))
    };
    let mut inputs = FactsInputs::new(&catalog);
    inputs.litellm = input("litellm");
    inputs.cards = input("cards");
    inputs.mantle = input("mantle");
    inputs.quotas = input("quotas");
    inputs.history = &history;
    inputs.previous = previous.as_ref();
    let made = make_facts(&inputs)?;
    project::write_one(&args.out, &facts_to_json(&made.document))
        .map_err(|error| format!("cannot write {}: {error}", args.out.display()))?;
    report(&made, catalog.all_models().len(), args.details)?;
    crate::print_line!("wrote {}", args.out.display());
    Ok(Outcome::Done)
}

impl Args {
    /// The day of an input: the given one, else that in the name of the file.
    fn day_of(&self, name: &str, file: &Path) -> Result<Date, String> {
        let given = self.as_of.iter().rev().find(|(input, _)| input == name);
        if let Some((_, day)) = given {
            return Ok(*day);
        }
        let file_name = file.file_name().unwrap_or_default().to_string_lossy();
        let starts = file_name.char_indices().map(|(start, _)| start);
        let mut days = starts.filter_map(|start| file_name.get(start..start + 10)?.parse().ok());
        days.next().ok_or_else(|| {
            format!(
                "{} has no date in its name; give --as-of {name}=YYYY-MM-DD",
                file.display()
            )
        })
    }
}

/// Adds the recording of a folder, or those of its folders. A folder made with the AWS CLI has its day as
/// its name.
fn read_history(
    folder: &Path,
    history: &mut Vec<Recording>,
) -> Result<(), Box<dyn std::error::Error>> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let day = name.parse::<Date>().map(Date::midnight).ok();
    if day.is_some() || folder.join("recording.json").is_file() {
        history.push(Recording::read(folder, day)?);
        return Ok(());
    }
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort_unstable();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let day = name.parse::<Date>().map(Date::midnight).ok();
        history.push(Recording::read(&folder, day)?);
    }
    Ok(())
}

/// Prints coverage, disagreements, and what was left out.
fn report(
    made: &MadeFacts,
    models: usize,
    details: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let document = &made.document;
    crate::print_line!("{:<26} {:>6}  sources", "fact", "models");
    for Coverage {
        fact,
        models: count,
        sources,
        ..
    } in &made.coverage
    {
        let sources: Vec<String> = sources
            .iter()
            .map(|(source, count)| format!("{source} {count}"))
            .collect();
        crate::print_line!("{fact:<26} {count:>6}  {}", sources.join(", "));
    }
    crate::print_line!(
        "of {models} models in the catalog; facts of {} ids",
        document.models.len()
    );
    let only = document.mantle.iter().filter(|entry| entry.model.is_none());
    crate::print_line!(
        "{} ids of bedrock-mantle, {} of them there alone; {} former ids",
        document.mantle.len(),
        only.count(),
        document.former.len()
    );
    let mut kinds: BTreeMap<(&str, &str, &str), (usize, usize)> = BTreeMap::new();
    for one in &made.disagreements {
        let count = kinds
            .entry((one.fact, one.counts.0, one.other.0))
            .or_default();
        match one.is_rounding {
            true => count.1 += 1,
            false => count.0 += 1,
        }
    }
    crate::print_line!(
        "{:<20} {:<10} {:<10} {:>8} {:>9}",
        "disagreement",
        "counts",
        "other",
        "values",
        "rounding"
    );
    for ((fact, counts, other), (values, rounding)) in kinds {
        crate::print_line!("{fact:<20} {counts:<10} {other:<10} {values:>8} {rounding:>9}");
    }
    if details {
        for Disagreement {
            fact,
            id,
            counts,
            other,
            is_rounding,
            ..
        } in &made.disagreements
        {
            let rounding = if *is_rounding { " (rounding)" } else { "" };
            crate::print_line!(
                "{fact} of {}: {} says {}, {} says {}{rounding}",
                plain(id),
                counts.0,
                plain(&counts.1),
                other.0,
                plain(&other.1)
            );
        }
        for left_out in &made.left_out {
            let (source, id) = (left_out.source, plain(&left_out.id));
            crate::print_line!("left out of {source}: {id}: {}", left_out.reason);
        }
    }
    crate::print_line!("{} entries of inputs left out", made.left_out.len());
    Ok(())
}
