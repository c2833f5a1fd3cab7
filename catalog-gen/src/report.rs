//! Differences between catalogs as text for a terminal, as Markdown for a pull request, and as JSON.
//!
//! Names and ids are untrusted. A type keeps them apart from our own text, and each format escapes them in
//! one place.

use bedrock_catalog_recording::{
    CatalogDiff, ModelChange, ModelNote, ProfileChange, ProfileNote, SetChange,
};

use crate::escape::{ascii_json, code_span, for_terminal, truncated};

/// GitHub accepts 65,536 characters in a body; the rest is left for text around the difference.
const MAX_MARKDOWN: usize = 60_000;
/// The most elements of a list that are shown.
const MAX_LISTED: usize = 40;

/// The difference as text for a terminal, complete, with untrusted text escaped.
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

/// The difference as Markdown of at most 60,000 characters; the last line tells how many lines are cut.
///
/// Untrusted text becomes code spans of ASCII characters without markup, mentions and links.
pub fn diff_markdown(diff: &CatalogDiff) -> String {
    let mut text = String::new();
    let mut cut = 0;
    for block in blocks(diff) {
        if let Some(title) = block.title {
            let heading = format!("\n### {title} ({})\n\n", block.lines.len());
            if text.len() + heading.len() < MAX_MARKDOWN {
                text.push_str(&heading);
            }
        }
        let bullet = if block.title.is_some() { "- " } else { "" };
        for line in &block.lines {
            let line = format!("{bullet}{}\n", line.print(code_span));
            // After the first cut all lines are cut, so that the report has no gaps.
            if cut > 0 || text.len() + line.len() > MAX_MARKDOWN {
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

/// The difference as one JSON document of ASCII characters, with the fields of [`CatalogDiff`].
pub fn diff_json(diff: &CatalogDiff) -> String {
    // Serializing to memory cannot fail: all keys are strings.
    let json = serde_json::to_string_pretty(diff).unwrap_or_default();
    ascii_json(&json) + "\n"
}

/// Lines under a title. The first block has none.
struct Block {
    title: Option<&'static str>,
    lines: Vec<Line>,
}

/// Trusted and untrusted texts of one line.
#[derive(Default)]
struct Line(Vec<Piece>);

enum Piece {
    Trusted(String),
    Untrusted(String),
}

impl Line {
    fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece::Trusted(text.into()));
        self
    }

    fn data(mut self, data: &str) -> Self {
        self.0.push(Piece::Untrusted(data.to_owned()));
        self
    }

    /// A label and ids, if there are any; of many ids, some and the number of the others.
    fn list(mut self, label: &str, ids: &[String]) -> Self {
        if ids.is_empty() {
            return self;
        }
        self = self.text(label);
        for (position, id) in ids.iter().take(MAX_LISTED).enumerate() {
            self = self.text(if position == 0 { " " } else { ", " }).data(id);
        }
        match ids.len().saturating_sub(MAX_LISTED) {
            0 => self,
            more => self.text(format!(" and {more} more")),
        }
    }

    fn change(self, what: &str, set: &SetChange) -> Self {
        self.list(&format!("; {what} gained"), &set.gained)
            .list(&format!("; {what} lost"), &set.lost)
    }

    fn print(&self, escape: fn(&str) -> String) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Trusted(text) => text.clone(),
            Piece::Untrusted(text) => escape(&truncated(text)),
        });
        pieces.collect()
    }
}

fn line(id: &str) -> Line {
    Line::default().data(id)
}

fn blocks(diff: &CatalogDiff) -> Vec<Block> {
    let (from, to) = (diff.from(), diff.to());
    let mut head = Line::default().text(format!(
        "From {} to {}, partition ",
        from.observed_at, to.observed_at
    ));
    if from.partition != to.partition {
        head = head.data(&from.partition).text(" and ");
    }
    let head = head.data(&to.partition).text(".");
    let mut lines = vec![head];
    if diff.is_empty() {
        lines.push(Line::default().text("Nothing has changed."));
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
    let stale = stale.map(|note| line(&note.id).text(format!(": rows kept from {}", note.since)));
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
    let mut shown = line(&note.id);
    if let Some(name) = note.name.as_deref().filter(|name| !name.is_empty()) {
        shown = shown.text(": ").data(name);
    }
    if let Some(provider) = note.provider.as_deref().filter(|name| !name.is_empty()) {
        shown = shown.text(" by ").data(provider);
    }
    shown.list("; in", &note.regions)
}

fn model_change(change: &ModelChange) -> Line {
    let mut shown = line(&change.id);
    if let Some(status) = &change.status {
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "unknown".to_owned());
        shown = shown.text("; status ").data(&word(&status.from));
        shown = shown.text(" to ").data(&word(&status.to));
    }
    for moved in &change.dates {
        let day = |day: Option<_>| day.map_or("none".to_owned(), |day| format!("{day}"));
        let (from, to) = (day(moved.from), day(moved.to));
        let date = moved.date.replace('_', " ");
        shown = shown.text(format!("; {date} {from} to {to}"));
    }
    let shown = shown
        .change("regions", &change.regions)
        .change("on demand", &change.on_demand)
        .change("provisioned", &change.provisioned);
    facts(shown, &change.facts)
}

fn profile_note(note: &ProfileNote) -> Line {
    line(&note.id)
        .list("; serves", &note.models)
        .list("; from", &note.sources)
}

fn profile_change(change: &ProfileChange) -> Line {
    let mut shown = line(&change.id)
        .change("models", &change.models)
        .change("sources", &change.sources);
    for served in &change.destinations {
        shown = shown
            .list("; from", &served.sources)
            .text(" for ")
            .data(&served.model)
            .change("destinations", &served.destinations);
    }
    facts(shown, &change.facts)
}

fn facts(line: Line, facts: &[&str]) -> Line {
    match facts {
        [] => line,
        facts => line.text(format!("; new: {}", facts.join(", ").replace('_', " "))),
    }
}
