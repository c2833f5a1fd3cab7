//! Facts: made of what sources beside the listing state.
//!
//! The rules where sources disagree stand in `docs/facts.md`. The result depends on the inputs alone,
//! not on the order of their entries.

mod cards;
mod collect;
mod ends;
mod input;
mod litellm;
mod mantle;
mod models;
mod prices;
mod quotas;
mod report;

use bedrock_catalog_data::Catalog;
use bedrock_catalog_data::facts::FactsDocument;

use crate::error::RecordingError;
#[cfg(doc)]
use crate::error::RecordingErrorKind;
use crate::recording::Recording;

pub use input::{FactsInput, LARGEST_FACTS_INPUT};
pub use report::{Coverage, Disagreement, LeftOut};

/// The inputs of [`make_facts`]. Each may be missing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FactsInputs<'a> {
    /// The catalog of which the facts are. Its listing counts where it states the same.
    pub catalog: &'a Catalog,
    /// The model cards of AWS, a JSON object by id.
    pub cards: Option<FactsInput<'a>>,
    /// The price map of LiteLLM, a JSON object by key.
    pub litellm: Option<FactsInput<'a>>,
    /// The ids of bedrock-mantle, a JSON object by id.
    pub mantle: Option<FactsInput<'a>>,
    /// The codes of Service Quotas, a CSV.
    pub quotas: Option<FactsInput<'a>>,
    /// Earlier recordings, for ids that the catalog does not have any more.
    pub history: &'a [Recording],
    /// The facts before, for former ids.
    pub previous: Option<&'a FactsDocument<'a>>,
}

impl<'a> FactsInputs<'a> {
    /// No inputs but the catalog.
    pub fn new(catalog: &'a Catalog) -> Self {
        Self {
            catalog,
            cards: None,
            litellm: None,
            mantle: None,
            quotas: None,
            history: &[],
            previous: None,
        }
    }
}

/// Facts, and what their making found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MadeFacts {
    /// The facts in canonical form.
    pub document: FactsDocument<'static>,
    /// How many models of the catalog have each kind of fact.
    pub coverage: Vec<Coverage>,
    /// The facts of which two sources state different values, sorted.
    pub disagreements: Vec<Disagreement>,
    /// The entries that became no fact, sorted.
    pub left_out: Vec<LeftOut>,
}

/// Makes facts of the inputs.
///
/// ```
/// use bedrock_catalog_data::Catalog;
/// use bedrock_catalog_recording::{FactsInput, FactsInputs, facts_to_json, make_facts};
///
/// let catalog = Catalog::bundled();
/// let cards = br#"{"amazon.nova-pro-v1:0": {"context_window": 300000}}"#;
/// let mut inputs = FactsInputs::new(catalog);
/// inputs.cards = Some(FactsInput::new(cards, "2026-08-22".parse()?));
/// let made = make_facts(&inputs)?;
/// assert!(facts_to_json(&made.document).contains("300000"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`InvalidFacts`](RecordingErrorKind::InvalidFacts) if an input is larger than [`LARGEST_FACTS_INPUT`],
/// is not of the expected shape, has an entry twice, or states a price or limit that is no number.
pub fn make_facts(inputs: &FactsInputs<'_>) -> Result<MadeFacts, RecordingError> {
    let mut collected = collect::Collected::read(inputs)?;
    let document = collected.document(inputs)?;
    let (mut disagreements, mut left_out) = (collected.disagreements, collected.left_out);
    disagreements.sort_unstable();
    left_out.sort_unstable();
    Ok(MadeFacts {
        coverage: report::coverage(&document, inputs.catalog),
        document,
        disagreements,
        left_out,
    })
}

/// Parses a facts JSON and checks it.
///
/// # Errors
/// [`InvalidFacts`](RecordingErrorKind::InvalidFacts) if the text is larger than
/// [`LARGEST_FACTS_INPUT`], or is no facts JSON.
pub fn facts_from_json(json: &[u8]) -> Result<FactsDocument<'static>, RecordingError> {
    let input = FactsInput::new(json, bedrock_catalog_data::Timestamp::baked(0).date());
    let text = input::text("facts", &input)?;
    let wrong = |error: Box<dyn std::error::Error + Send + Sync>| {
        input::invalid("this is no facts JSON").because(error)
    };
    let document: FactsDocument<'_> =
        serde_json::from_str(text).map_err(|error| wrong(error.into()))?;
    let canonical = document.canonical().map_err(|error| wrong(error.into()))?;
    Ok(canonical)
}

/// Facts as indented JSON, as in `facts.json`.
pub fn facts_to_json(document: &FactsDocument<'_>) -> String {
    // Serializing to memory cannot fail: all keys are strings.
    let mut json = serde_json::to_string_pretty(document).unwrap_or_default();
    json.push('\n');
    json
}
