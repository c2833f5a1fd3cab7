//! The words of the command line.

use std::path::PathBuf;

use bedrock_catalog::{Date, Policy, Status};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};

/// Which Bedrock models exist, which id works from which region, where a request may be served, and when a model ends.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 yes, 1 the answer is no, 2 wrong command line."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value = "auto")]
    pub(crate) color: Color,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// Where the catalog comes from: the bundle, if none of this is said.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// Ask the cache, then AWS, then the bundle
    #[arg(long, global = true, conflicts_with = "offline")]
    pub(crate) live: bool,
    /// Never ask AWS: the cache, then the bundle
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// A folder of the cache, instead of the platform's; may be said again for a second choice
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache_dir: Vec<PathBuf>,
}

impl Source {
    /// Whether the bundle alone is asked.
    pub(crate) fn is_bundle(&self) -> bool {
        !self.live && !self.offline && self.cache_dir.is_empty()
    }

    /// Whether AWS may be asked.
    pub(crate) fn fetches(&self) -> bool {
        self.live && !self.offline
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
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
        /// Which ways in are allowed [default: geography, or all with --within]
        #[arg(long, value_parser = policy())]
        policy: Option<Policy<'static>>,
        /// Only where every destination is one of these regions; `eu-*` stands for all that begin so
        #[arg(long, value_name = "R,R,eu-*", value_delimiter = ',', num_args = 1)]
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
    /// Ask AWS now and cache the answer
    Refresh {
        /// Where to ask, instead of AWS
        #[arg(long, value_name = "URL")]
        endpoint_url: Option<String>,
        /// The regions to ask, instead of all
        #[arg(long, value_name = "R,R", value_delimiter = ',')]
        regions: Vec<String>,
        /// Fail where a region fails, and replace nothing
        #[arg(long)]
        require_all_regions: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Look into the cache, or clear it
    Cache {
        #[command(subcommand)]
        verb: CacheVerb,
        #[command(flatten)]
        form: GlobalForm,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheVerb {
    /// How each tier is
    Status {
        /// Hits, misses and what else was counted
        #[arg(long)]
        detailed: bool,
        /// The entries that were read or written last
        #[arg(long, value_name = "N")]
        recent: Option<usize>,
    },
    /// Remove entries
    Clear {
        /// Only those whose key matches, such as `discovery:*`
        #[arg(long)]
        pattern: Option<String>,
    },
    /// Remove expired, damaged and left-over files
    Cleanup,
    /// Fill every tier: load the catalog, from AWS where it is not fresh
    Warm,
}

/// The form of the answer, said before or after a verb.
#[derive(Debug, clap::Args)]
pub(crate) struct GlobalForm {
    /// One JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Models {
    /// Callable from this region
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Of this provider
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Takes this modality: text, image, video, …
    #[arg(long, value_name = "MODALITY")]
    pub(crate) input: Option<String>,
    /// Gives this modality: text, image, embedding, …
    #[arg(long, value_name = "MODALITY")]
    pub(crate) output: Option<String>,
    /// Streams its answer
    #[arg(long)]
    pub(crate) streaming: bool,
    /// Has this status
    #[arg(long, value_parser = status())]
    pub(crate) status: Option<Status>,
    /// The day of the status [default: today]
    #[arg(long, value_name = "DATE")]
    pub(crate) at: Option<Date>,
    /// Those without a way in too
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

/// The form of the answer.
#[derive(Debug, clap::Args)]
pub(crate) struct Form {
    /// One JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// A plain policy, by its word.
fn policy() -> impl TypedValueParser<Value = Policy<'static>> {
    let words = Policy::PLAIN.iter().map(|policy| policy.as_str());
    PossibleValuesParser::new(words).try_map(|word| word.parse::<Policy<'static>>())
}

/// A status, by its word.
fn status() -> impl TypedValueParser<Value = Status> {
    let words = Status::ALL.iter().map(|status| status.as_str());
    PossibleValuesParser::new(words).try_map(|word| word.parse::<Status>())
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Models(Models { form, .. })
            | Self::Model { form, .. }
            | Self::Access { form, .. }
            | Self::Route { form, .. }
            | Self::Profiles { form, .. }
            | Self::Regions { form }
            | Self::Refresh { form, .. }
            | Self::Status { form } => form.json,
            Self::Cache { form, .. } => form.json,
        }
    }
}
