//! A difference between catalogs, for people and programs: text for a terminal, Markdown for a pull
//! request's body, JSON.
//!
//! Every name and id in it is untrusted. It is told apart from our own words by its type, and each
//! form has one place where it is made harmless.

use bedrock_catalog_recording::{
    CatalogDiff, ModelChange, ModelNote, ProfileChange, ProfileNote, SetChange,
};

use crate::escape::{ascii_json, clipped, code_span, for_terminal};

/// GitHub takes a body of 65,536 characters; some are left for what stands around it.
const LONGEST_MARKDOWN: usize = 60_000;
/// A list longer than this is cut; its length is told.
const MOST_IN_A_LIST: usize = 40;

/// The difference as text for a terminal: every line, whatever its length.
pub fn diff_text(diff: &CatalogDiff) -> String {
    let mut text = String::new();
    for block in blocks(diff) {
        let title = block.title.unwrap_or_default();
        if !title.is_empty() {
            text.push_str(&format!("\n{title} ({})\n", block.lines.len()));
        }
        let indent = if title.is_empty() { "" } else { "  " };
        for line in &block.lines {
            text.push_str(indent);
            text.push_str(&line.print(for_terminal));
            text.push('\n');
        }
    }
    text
}

/// The difference as Markdown: in it untrusted text is a code span of plain ASCII, so it is no mention,
/// link, image, HTML, reference, fence or comment, and turns no direction. At most 60,000
/// characters; what is cut is said.
pub fn diff_markdown(diff: &CatalogDiff) -> String {
    let mut text = String::new();
    let mut cut = 0;
    for block in blocks(diff) {
        if let Some(title) = block.title {
            let heading = format!("\n### {title} ({})\n\n", block.lines.len());
            if text.len() + heading.len() < LONGEST_MARKDOWN {
                text.push_str(&heading);
            }
        }
        let bullet = if block.title.is_some() { "- " } else { "" };
        for line in &block.lines {
            let line = format!("{bullet}{}\n", line.print(code_span));
            // Once one is cut all are, so that nothing is missing in between.
            if cut > 0 || text.len() + line.len() > LONGEST_MARKDOWN {
                cut += 1;
                continue;
            }
            text.push_str(&line);
        }
    }
    if cut > 0 {
        text.push_str(&format!(
            "\n**{cut} more lines were cut.** `catalog-gen diff` shows all of them.\n"
        ));
    }
    text
}

/// The difference as one JSON document of ASCII characters.
pub fn diff_json(diff: &CatalogDiff) -> String {
    // Printing to memory cannot fail: the keys are text.
    let json = serde_json::to_string_pretty(diff).unwrap_or_default();
    ascii_json(&json) + "\n"
}

/// Lines under a title; those without one stand at the top.
struct Block {
    title: Option<&'static str>,
    lines: Vec<Line>,
}

/// Our words and their data, in turn.
#[derive(Default)]
struct Line(Vec<Piece>);

enum Piece {
    Words(String),
    Data(String),
}

impl Line {
    fn words(mut self, words: impl Into<String>) -> Self {
        self.0.push(Piece::Words(words.into()));
        self
    }

    fn data(mut self, data: &str) -> Self {
        self.0.push(Piece::Data(data.to_owned()));
        self
    }

    /// Ids after a word, if there are any; of many, some and their number.
    fn list(mut self, word: &str, ids: &[String]) -> Self {
        if ids.is_empty() {
            return self;
        }
        self = self.words(word);
        for (place, id) in ids.iter().take(MOST_IN_A_LIST).enumerate() {
            self = self.words(if place == 0 { " " } else { ", " }).data(id);
        }
        match ids.len().saturating_sub(MOST_IN_A_LIST) {
            0 => self,
            more => self.words(format!(" and {more} more")),
        }
    }

    fn change(self, what: &str, set: &SetChange) -> Self {
        self.list(&format!("; {what} gained"), &set.gained)
            .list(&format!("; {what} lost"), &set.lost)
    }

    fn print(&self, data: fn(&str) -> String) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Words(words) => words.clone(),
            Piece::Data(text) => data(&clipped(text)),
        });
        pieces.collect()
    }
}

fn line(id: &str) -> Line {
    Line::default().data(id)
}

fn blocks(diff: &CatalogDiff) -> Vec<Block> {
    let (from, to) = (diff.from(), diff.to());
    let mut head = Line::default().words(format!(
        "From {} to {}, partition ",
        from.observed_at, to.observed_at
    ));
    if from.partition != to.partition {
        head = head.data(&from.partition).words(" and ");
    }
    let head = head.data(&to.partition).words(".");
    let mut lines = vec![head];
    if diff.is_empty() {
        lines.push(Line::default().words("Nothing has changed."));
    }
    let titled = |title, lines: Vec<Line>| Block {
        title: Some(title),
        lines,
    };
    let changed = diff.models_changed();
    let (legacy, other): (Vec<_>, Vec<_>) =
        changed.iter().partition(|change| change.is_newly_legacy());
    let (dated, other): (Vec<&ModelChange>, Vec<&ModelChange>) = other
        .into_iter()
        .partition(|change| !change.dates.is_empty());
    let changes = |list: Vec<&ModelChange>| list.into_iter().map(model_change).collect();
    let notes = |list: &[ModelNote]| list.iter().map(model_note).collect();
    let profiles = |list: &[ProfileNote]| list.iter().map(profile_note).collect();
    let ids = |list: &[String]| list.iter().map(|id| line(id)).collect();
    let stale = diff.regions_stale().iter();
    let stale = stale.map(|note| line(&note.id).words(format!(": rows kept from {}", note.since)));
    let blocks = [
        titled("Models added", notes(diff.models_added())),
        titled("Models retired", notes(diff.models_retired())),
        titled(
            "Models gone, not every region was heard",
            notes(diff.models_gone()),
        ),
        titled("Models back", notes(diff.models_back())),
        titled("Models newly legacy", changes(legacy)),
        titled("Models with new dates", changes(dated)),
        titled("Models changed", changes(other)),
        titled("Profiles added", profiles(diff.profiles_added())),
        titled("Profiles gone", profiles(diff.profiles_gone())),
        titled("Profiles back", profiles(diff.profiles_back())),
        titled(
            "Profiles changed",
            diff.profiles_changed().iter().map(profile_change).collect(),
        ),
        titled("Regions gained", ids(&diff.regions().gained)),
        titled("Regions lost", ids(&diff.regions().lost)),
        titled("Regions without an answer", stale.collect()),
        titled("Regions that answer again", ids(diff.regions_fresh())),
    ];
    let blocks = blocks.into_iter().filter(|block| !block.lines.is_empty());
    let top = Block { title: None, lines };
    std::iter::once(top).chain(blocks).collect()
}

fn model_note(note: &ModelNote) -> Line {
    let mut told = line(&note.id);
    if let Some(name) = note.name.as_deref().filter(|name| !name.is_empty()) {
        told = told.words(": ").data(name);
    }
    if let Some(provider) = note.provider.as_deref().filter(|name| !name.is_empty()) {
        told = told.words(" by ").data(provider);
    }
    told.list("; in", &note.regions)
}

fn model_change(change: &ModelChange) -> Line {
    let mut told = line(&change.id);
    if let Some(status) = &change.status {
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "unknown".to_owned());
        told = told.words("; status ").data(&word(&status.from));
        told = told.words(" to ").data(&word(&status.to));
    }
    for moved in &change.dates {
        let day = |day: Option<_>| day.map_or("none".to_owned(), |day| format!("{day}"));
        let (from, to) = (day(moved.from), day(moved.to));
        let date = moved.date.replace('_', " ");
        told = told.words(format!("; {date} {from} to {to}"));
    }
    let told = told
        .change("regions", &change.regions)
        .change("on demand", &change.on_demand)
        .change("provisioned", &change.provisioned);
    facts(told, &change.facts)
}

fn profile_note(note: &ProfileNote) -> Line {
    line(&note.id)
        .list("; serves", &note.models)
        .list("; from", &note.sources)
}

fn profile_change(change: &ProfileChange) -> Line {
    let mut told = line(&change.id)
        .change("models", &change.models)
        .change("sources", &change.sources);
    for served in &change.destinations {
        told = told
            .list("; from", &served.sources)
            .words(" for ")
            .data(&served.model)
            .change("destinations", &served.destinations);
    }
    facts(told, &change.facts)
}

fn facts(told: Line, facts: &[&str]) -> Line {
    match facts {
        [] => told,
        facts => told.words(format!("; new: {}", facts.join(", ").replace('_', " "))),
    }
}
