//! Facts as they are made, read and answered.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod committed;
mod golden;
mod hostile;
mod properties;
mod shared;

use std::path::{Path, PathBuf};

use bedrock_catalog_data::{
    AccessEntry, Catalog, DestinationsEntry, Document, InferenceType, Modality, ModelEntry,
    ProfileEntry, RouteEntry, Text,
};
use bedrock_catalog_recording::{FactsInput, FactsInputs, MadeFacts, RecordingError, make_facts};

/// A file of this package.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn texts(ids: &[&'static str]) -> Vec<Text<'static>> {
    ids.iter().map(|&id| id.into()).collect()
}

fn model(id: &'static str, regions: &[&'static str], of: InferenceType) -> ModelEntry<'static> {
    let mut entry = ModelEntry::new(id);
    entry.access = vec![AccessEntry::new(Some(vec![of]), texts(regions))];
    entry
}

fn profile(
    id: &'static str,
    model: &'static str,
    to: DestinationsEntry<'static>,
) -> ProfileEntry<'static> {
    let mut entry = ProfileEntry::new(id);
    entry.routes = vec![RouteEntry::new(model, texts(&["us-east-1"]), to)];
    entry
}

/// A small catalog: on demand, a variant, profiles only, on demand outside of the usual regions, one with
/// an end in its listing, and one that makes pictures.
fn catalog() -> Catalog {
    let mut document = Document::new("aws", "2026-10-07".parse().unwrap());
    document.regions = texts(&["eu-west-1", "eu-west-2", "us-east-1"]);
    let mut one = model(
        "acme.one-v1:0",
        &["eu-west-1", "us-east-1"],
        InferenceType::OnDemand,
    );
    one.input_modalities = Some(vec![Modality::Image, Modality::Text]);
    let mut listed = model("acme.listed", &["us-east-1"], InferenceType::OnDemand);
    listed.lifecycle.end_of_life = Some("2026-11-30".parse().unwrap());
    document.models = vec![
        one,
        model(
            "acme.one-v1:0:24k",
            &["us-east-1"],
            InferenceType::Provisioned,
        ),
        model("acme.two", &["us-east-1"], InferenceType::InferenceProfile),
        model("acme.three", &["eu-west-2"], InferenceType::OnDemand),
        model("acme.picture", &["us-east-1"], InferenceType::OnDemand),
        listed,
    ];
    let regions = |ids: &[&'static str]| DestinationsEntry::Regions(texts(ids));
    document.profiles = vec![
        profile("us.acme.two", "acme.two", regions(&["us-east-1"])),
        profile("global.acme.two", "acme.two", DestinationsEntry::Global),
        profile("global.acme.three", "acme.three", DestinationsEntry::Global),
    ];
    Catalog::from_document(&document).unwrap()
}

/// The golden inputs.
struct Inputs {
    cards: Vec<u8>,
    litellm: Vec<u8>,
    mantle: Vec<u8>,
    quotas: Vec<u8>,
}

impl Inputs {
    fn golden() -> Self {
        let read = |name: &str| std::fs::read(file("tests/facts/golden").join(name)).unwrap();
        Self {
            cards: read("cards.json"),
            litellm: read("litellm.json"),
            mantle: read("mantle.json"),
            quotas: read("quotas.csv"),
        }
    }

    fn make(&self, catalog: &Catalog) -> Result<MadeFacts, RecordingError> {
        let input = |text, day: &str| Some(FactsInput::new(text, day.parse().unwrap()));
        let mut inputs = FactsInputs::new(catalog);
        inputs.cards = input(&self.cards, "2026-08-22");
        inputs.litellm = input(&self.litellm, "2026-11-20");
        inputs.mantle = input(&self.mantle, "2026-10-27");
        inputs.quotas = input(&self.quotas, "2026-10-09");
        make_facts(&inputs)
    }
}

/// A catalog with facts of its own.
fn with_facts(catalog: &Catalog, made: &MadeFacts) -> Catalog {
    let mut document = catalog.to_document();
    document.facts = Some(made.document.clone());
    Catalog::from_document(&document).unwrap()
}
