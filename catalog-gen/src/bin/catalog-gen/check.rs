//! `catalog-gen check`: checks the committed files of the bundle.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bedrock_catalog_data::{Catalog, Timestamp};
use bedrock_catalog_gen::{bake, name_constants};
use serde_json::json;

use crate::{Outcome, Place, Verdict, moment, now, plain, project};

/// Exits 1 where something is wrong.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The greatest age of the recording: 30d, 12h, 90m, 45s
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "30d")]
    max_age: Duration,
    /// The moment to measure the age at [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<Timestamp>,
    #[command(flatten)]
    place: Place,
    /// One JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Parses `30d`, `12h`, `90m` or `45s`.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || "expected an age like 30d, 12h, 90m or 45s".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(wrong()),
    };
    let count = text.strip_suffix(unit).ok_or_else(wrong)?;
    // `parse` accepts a sign.
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let count: u64 = count.parse().map_err(|_| wrong())?;
    let seconds = count
        .checked_mul(seconds)
        .filter(|&seconds| i64::try_from(seconds).is_ok());
    Ok(Duration::from_secs(seconds.ok_or_else(wrong)?))
}

struct Problem {
    kind: &'static str,
    message: String,
}

pub(crate) fn run(args: &Args) -> Verdict {
    let folder = project::folder(args.place.out.as_deref())?;
    let now = args.now.unwrap_or_else(now);
    let mut problems = Vec::new();
    let mut observed_at = None;
    let mut problem = |kind, message: String| problems.push(Problem { kind, message });
    match project::catalog(&folder.join("catalog.json")) {
        Err(error) => problem("structure", error.to_string()),
        Ok(catalog) => {
            observed_at = Some(catalog.observed_at());
            if catalog.all_models().len() == 0 {
                problem("structure", "the catalog has no models".to_owned());
            }
            match differing(&folder, &catalog) {
                Err(error) => problem("structure", error.to_string()),
                Ok(files) => files.into_iter().for_each(|path| {
                    let message = format!(
                        "{} is not what catalog.json bakes to; see `cargo gen build --check`",
                        path.display()
                    );
                    problem("digest", message);
                }),
            }
            let seconds = now.unix().saturating_sub(catalog.observed_at().unix());
            if seconds < 0 {
                let message = format!(
                    "it was observed at {}, in the future",
                    catalog.observed_at()
                );
                problem("future", message);
            } else if seconds.unsigned_abs() > args.max_age.as_secs() {
                let message = format!(
                    "it was observed at {}, {} ago; at most {} are allowed; renew it with \
                     `cargo gen fetch --out recording && cargo gen build --recording recording`",
                    catalog.observed_at(),
                    duration(seconds.unsigned_abs()),
                    duration(args.max_age.as_secs()),
                );
                problem("age", message);
            }
        }
    }
    let ok = problems.is_empty();
    if args.json {
        let problems: Vec<_> = problems
            .iter()
            .map(|problem| json!({"kind": problem.kind, "message": problem.message}))
            .collect();
        let document = json!({
            "ok": ok,
            "observed_at": observed_at,
            "age_seconds": observed_at.map(|at| now.unix() - at.unix()),
            "problems": problems,
        });
        crate::print_line!("{document}");
    } else {
        for problem in &problems {
            eprintln!("{}: {}", problem.kind, plain(&problem.message));
        }
        match (ok, observed_at) {
            (true, Some(at)) => crate::print_line!(
                "ok: observed at {at}, {} ago",
                duration((now.unix() - at.unix()).unsigned_abs())
            ),
            _ => crate::print_line!("not ok: {} problems", problems.len()),
        }
    }
    Ok(if ok { Outcome::Done } else { Outcome::Failed })
}

/// The files that differ from those that the catalog bakes to.
fn differing(folder: &Path, catalog: &Catalog) -> Result<Vec<PathBuf>, Box<dyn std::error::Error>> {
    let baked = bake(&name_constants(catalog.to_document(), Some(catalog))?)?;
    let files = project::differing(folder, &baked)?;
    Ok(files.into_iter().map(|file| folder.join(file)).collect())
}

/// A duration as text: `90 d 3 h`.
fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
