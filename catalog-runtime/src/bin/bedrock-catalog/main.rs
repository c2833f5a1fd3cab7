//! `bedrock-catalog`: the catalog's questions from the command line. This file knows the words of
//! the command line and the exit codes; the answers' shapes are in `answers`, their look for people in `text`.

mod answers;
mod output;
mod text;

use std::process::ExitCode;
use std::time::SystemTime;

use bedrock_catalog::{
    Catalog, Date, Filter, Modality, Policy, QueryError, RegionId, Status, Timestamp,
};
use clap::{Parser, Subcommand, ValueEnum};

use output::Output;

/// Which Bedrock models exist, which id works from which region, where a request may be served, and when a model ends.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 yes, 1 the answer is no, 2 wrong command line."
)]
struct Cli {
    #[command(subcommand)]
    question: Question,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: Color,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// Where the catalog comes from.
#[derive(Debug, clap::Args)]
struct Source {
    /// Ask AWS through the cache
    #[arg(long, global = true, conflicts_with = "offline")]
    live: bool,
    /// Ask the bundle only (the default)
    #[arg(long, global = true)]
    offline: bool,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// The models that can be called
    Models(Models),
    /// All that is known of a model
    Model {
        /// The exact id
        id: String,
        #[command(flatten)]
        form: Form,
    },
    /// Every way to call a model from a region
    Access {
        /// The exact id of a model
        #[arg(required_unless_present = "all")]
        model: Option<String>,
        /// The caller's region
        #[arg(required_unless_present = "all")]
        region: Option<String>,
        /// Every (model, region) pair, one a line
        #[arg(long, conflicts_with_all = ["model", "region"])]
        all: bool,
        #[command(flatten)]
        form: Form,
    },
    /// The one id to send for a model from a region
    Route {
        /// The exact id of a model
        model: String,
        /// The caller's region
        region: String,
        /// Which ways in are allowed
        #[arg(long, value_enum, default_value = "geography")]
        policy: PolicyName,
        /// Only where every destination is one of these regions; `eu-*` stands for all that begin so
        #[arg(
            long,
            value_name = "R,R,eu-*",
            value_delimiter = ',',
            num_args = 1,
            conflicts_with = "policy"
        )]
        within: Vec<String>,
        #[command(flatten)]
        form: Form,
    },
    /// The inference profiles
    Profiles {
        /// Only those that serve this model
        #[arg(long)]
        model: Option<String>,
        /// Only those with this source region
        #[arg(long)]
        region: Option<String>,
        /// Only those of this geography
        #[arg(long)]
        geography: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// The regions
    Regions {
        #[command(flatten)]
        form: Form,
    },
    /// Where the catalog comes from, and how old it is
    Status {
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Debug, clap::Args)]
struct Models {
    /// Callable from this region
    #[arg(long)]
    region: Option<String>,
    /// Of this provider
    #[arg(long)]
    provider: Option<String>,
    /// Takes this modality: text, image, video, …
    #[arg(long, value_name = "MODALITY")]
    input: Option<String>,
    /// Gives this modality: text, image, embedding, …
    #[arg(long, value_name = "MODALITY")]
    output: Option<String>,
    /// Streams its answer
    #[arg(long)]
    streaming: bool,
    /// Has this status
    #[arg(long, value_enum)]
    status: Option<StatusName>,
    /// The day of the status [default: today]
    #[arg(long, value_name = "DATE")]
    at: Option<Date>,
    /// Those without a way in too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    form: Form,
}

/// The form of the answer.
#[derive(Debug, clap::Args)]
struct Form {
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PolicyName {
    InRegion,
    Geography,
    Any,
    Global,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StatusName {
    Active,
    Legacy,
    Ended,
    Retired,
    Unknown,
}

impl From<PolicyName> for Policy<'_> {
    fn from(name: PolicyName) -> Self {
        match name {
            PolicyName::InRegion => Self::InRegion,
            PolicyName::Geography => Self::Geography,
            PolicyName::Any => Self::Any,
            PolicyName::Global => Self::Global,
        }
    }
}

impl From<StatusName> for Status {
    fn from(name: StatusName) -> Self {
        match name {
            StatusName::Active => Self::Active,
            StatusName::Legacy => Self::Legacy,
            StatusName::Ended => Self::Ended,
            StatusName::Retired => Self::Retired,
            StatusName::Unknown => Self::Unknown,
        }
    }
}

impl Question {
    fn json(&self) -> bool {
        match self {
            Self::Models(Models { form, .. })
            | Self::Model { form, .. }
            | Self::Access { form, .. }
            | Self::Route { form, .. }
            | Self::Profiles { form, .. }
            | Self::Regions { form }
            | Self::Status { form } => form.json,
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::set_color(match cli.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    });
    if cli.source.live {
        eprintln!("error: --live needs the feature `aws`, which this build does not have");
        return ExitCode::from(2);
    }
    let output = Output::new(cli.question.json());
    let catalog = Catalog::bundled();
    match answer(&output, catalog, &cli.question, now()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.no(&error);
            ExitCode::FAILURE
        }
    }
}

/// The clock, once.
fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since_epoch.map_or(0, |elapsed| elapsed.as_secs());
    let seconds = i64::try_from(seconds).unwrap_or_default();
    Timestamp::from_unix(seconds).unwrap_or(Timestamp::baked(0))
}

fn answer(
    output: &Output,
    catalog: &Catalog,
    question: &Question,
    now: Timestamp,
) -> Result<(), QueryError> {
    let today = now.date();
    match question {
        Question::Models(models) => {
            let day = models.at.unwrap_or(today);
            let filter = filter(catalog, models, day)?;
            let found: Vec<_> = catalog.select(&filter).collect();
            match output.is_json() {
                true => {
                    let answers = found.iter().map(|&model| answers::model(model, day));
                    output.json(&answers.collect::<Vec<_>>());
                }
                false => output.text(&text::models(&found, day)),
            }
        }
        Question::Model { id, .. } => {
            let model = catalog.model(id).ok_or_else(|| catalog.unknown_model(id))?;
            match output.is_json() {
                true => output.json(&answers::model(model, today)),
                false => output.text(&text::model(model, today)),
            }
        }
        Question::Access { all: true, .. } => {
            let rows = catalog.accesses();
            match output.is_json() {
                true => output.json_lines(rows.map(|access| answers::access(access))),
                false => output.text(&text::accesses(&rows.collect::<Vec<_>>())),
            }
        }
        Question::Access { model, region, .. } => {
            let (model, region) = (model.as_deref(), region.as_deref());
            let access = catalog.access(model.unwrap_or_default(), region.unwrap_or_default())?;
            match output.is_json() {
                true => output.json(&answers::access(access)),
                false => output.text(&text::access(access)),
            }
        }
        Question::Route {
            model,
            region,
            policy,
            within,
            ..
        } => {
            let within: Vec<&str> = within.iter().map(|entry| entry.trim()).collect();
            let policy = match within.is_empty() {
                true => Policy::from(*policy),
                false => Policy::Within(&within),
            };
            let route = catalog.route(model, region, policy)?;
            match output.is_json() {
                true => output.json(&answers::route(route, policy)),
                false => output.text(&text::route(route)),
            }
            if let Some(warning) = text::ending(route.model(), today) {
                output.warn(&warning);
            }
        }
        Question::Profiles {
            model,
            region,
            geography,
            ..
        } => {
            if let Some(model) = model {
                catalog
                    .model(model)
                    .ok_or_else(|| catalog.unknown_model(model))?;
            }
            if let Some(region) = region {
                catalog
                    .region(region)
                    .ok_or_else(|| catalog.unknown_region(region))?;
            }
            let wanted = catalog.profiles().filter(|profile| {
                let serves = |id: &String| profile.models().any(|model| model.id() == id);
                let from = |id: &String| profile.routes().any(|r| r.access.region().id() == id);
                let scope = |word: &String| {
                    profile
                        .geography()
                        .is_some_and(|scope| scope.as_str().eq_ignore_ascii_case(word))
                };
                !profile.is_retired()
                    && model.as_ref().is_none_or(serves)
                    && region.as_ref().is_none_or(from)
                    && geography.as_ref().is_none_or(scope)
            });
            match output.is_json() {
                true => output.json(&wanted.map(answers::profile).collect::<Vec<_>>()),
                false => output.text(&text::profiles(&wanted.collect::<Vec<_>>())),
            }
        }
        Question::Regions { .. } => match output.is_json() {
            true => output.json(&catalog.regions().map(answers::region).collect::<Vec<_>>()),
            false => output.text(&text::regions(&catalog.regions().collect::<Vec<_>>())),
        },
        Question::Status { .. } => {
            let status = answers::status(catalog, now);
            match output.is_json() {
                true => output.json(&status),
                false => output.text(&text::status(&status)),
            }
        }
    }
    Ok(())
}

/// The filter of a `models` question; an unknown region is a wrong question.
fn filter(catalog: &Catalog, models: &Models, day: Date) -> Result<Filter, QueryError> {
    let mut filter = Filter::new();
    if let Some(region) = &models.region {
        catalog
            .region(region)
            .ok_or_else(|| catalog.unknown_region(region))?;
        filter = filter.region(RegionId::from(region.as_str()));
    }
    if let Some(provider) = &models.provider {
        filter = filter.provider(provider);
    }
    let modality = |word: &String| Modality::from(&*word.to_uppercase());
    if let Some(word) = &models.input {
        filter = filter.input(modality(word));
    }
    if let Some(word) = &models.output {
        filter = filter.output(modality(word));
    }
    if models.streaming {
        filter = filter.streaming(true);
    }
    if let Some(status) = models.status {
        filter = filter.status(status.into(), day);
    }
    if models.all {
        filter = filter.without_way_in();
    }
    Ok(filter)
}
