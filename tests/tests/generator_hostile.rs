//! Hostile texts, fixed and random, in generated code, fingerprints and differences. Each output is parsed
//! and compared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;

use bedrock_catalog::recording::{
    ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
};
use bedrock_catalog::{Catalog, CatalogDiff, catalog_from_json};
use bedrock_catalog_gen::{bake, diff_json, diff_markdown, diff_text, name_constants};
use bedrock_catalog_recording::transform;
use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::Value;

/// Texts that break out of Rust, HTML, Markdown, YAML, CSV, shells or terminals.
const SEEDS: [&str; 50] = [
    "\"",
    "'",
    "\\",
    "`",
    "``",
    "```",
    "*/",
    "/*",
    "//",
    "\u{202e}gnp.exe",
    "\u{2066}x\u{2069}",
    "</script>",
    "<script>alert(1)</script>",
    "<!-- -->",
    "-->",
    "<img src=x onerror=y>",
    "${{ github.token }}",
    "${{",
    "}}",
    "$(id)",
    "`id`",
    "; rm -rf /",
    "&& id",
    "| id",
    "\n",
    "\r\n",
    "\n\n# x\n",
    "\n```\n",
    "@everyone",
    "@octocat",
    "#1",
    "owner/repo#1",
    "GH-1",
    "![x](y)",
    "[x](javascript:y)",
    "[x]: y",
    "<https://example.invalid>",
    "https://example.invalid",
    "www.example.invalid",
    "\0",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{9b}31m",
    "\u{2028}",
    "\u{200b}",
    "{} {0} {{",
    "r#\"x\"#",
    "=1+1",
    "- [ ] x",
    "::set-output name=x::y",
];

/// 500 fixed texts: each seed alone and in nine contexts.
fn fixed() -> Vec<String> {
    let long = |seed: &str| seed.repeat(10_000 / seed.len() + 1);
    let all = SEEDS.iter().flat_map(|&seed| {
        [
            seed.to_owned(),
            format!("a{seed}"),
            format!("{seed}a"),
            format!("a {seed} b"),
            format!(" {seed} "),
            format!("{seed}{seed}"),
            format!("\"{seed}\""),
            format!("`{seed}`"),
            format!("a.{seed}-v1:0"),
            long(seed),
        ]
    });
    let all: Vec<String> = all.collect();
    assert_eq!(all.len(), 500);
    all
}

/// Random texts of the characters of the seeds.
fn random(count: usize) -> Vec<String> {
    let alphabet: Vec<char> = SEEDS
        .concat()
        .chars()
        .chain("aZ09 .:-éא日🦀".chars())
        .collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let text = |_| {
        (0..=next(24))
            .map(|_| alphabet[next(alphabet.len())])
            .collect()
    };
    (0..count).map(text).collect()
}

fn count_of_random() -> usize {
    match std::env::var_os("BEDROCK_CATALOG_LONG") {
        Some(_) => 100_000,
        None => 1_500,
    }
}

/// A recording with every text as id, name, provider, enum value and part of a region id.
fn recording(texts: &[String]) -> Recording {
    let ids: BTreeSet<&String> = texts.iter().collect();
    // No catalog has more than 1,024 regions.
    let region = |place: usize, text: &str| match place {
        0..500 => text
            .split(':')
            .next()
            .unwrap_or_default()
            .chars()
            .take(60)
            .collect(),
        _ => "r-9".to_owned(),
    };
    let arn = |region: &str, id: &str| format!("arn:aws:bedrock:{region}::foundation-model/{id}");
    let models = ids.iter().map(|&id| {
        let mut row = ModelSummary::new(id.clone());
        row.model_name = Some(id.clone());
        row.provider_name = Some(id.clone());
        row.input_modalities = Some(vec![id.clone()]);
        row.inference_types_supported = Some(vec![id.clone()]);
        row
    });
    let profiles = ids.iter().enumerate().map(|(place, &id)| {
        let other = format!("r{}", region(place, id));
        let models = ["r-1", &other].map(|region| ProfileModel::new(arn(region, id)));
        let mut row = ProfileSummary::new(format!("x.{id}"), models.to_vec());
        row.inference_profile_name = Some(id.clone());
        row.description = Some(id.clone());
        row.status = Some(id.clone());
        row
    });
    let answers = RegionAnswers::new(models.collect(), profiles.collect());
    let mut recording = Recording::new("aws", "2026-08-22T00:52:43Z".parse().unwrap());
    recording.regions.insert("r-1".to_owned(), answers);
    recording
}

fn catalog(recording: &Recording) -> Catalog {
    let (document, problems) = transform(recording, None);
    assert!(problems.is_empty(), "{problems:?}");
    name_constants(document, None).unwrap()
}

fn plain() -> Catalog {
    let mut plain = recording(&["a.plain-v1:0".to_owned()]);
    plain
        .regions
        .insert("r-2".to_owned(), RegionAnswers::default());
    catalog(&plain)
}

/// The difference to the catalog of the texts, and the added ids.
fn differences(texts: &[String]) -> (CatalogDiff, BTreeSet<String>) {
    let new = catalog(&recording(texts));
    let diff = CatalogDiff::between(&plain(), &new);
    let ids = new.models().map(|model| model.id().to_owned());
    let profiles = new.profiles().map(|profile| profile.id().to_owned());
    (diff, ids.chain(profiles).collect())
}

#[test]
fn baked_files_parse_and_have_equal_content() {
    let texts = fixed();
    let catalog = catalog(&recording(&texts));
    assert_eq!(
        catalog.models().count(),
        texts.iter().collect::<BTreeSet<_>>().len()
    );
    // `bake` itself parses the printed text and compares the tokens.
    let baked = bake(&catalog).unwrap();
    assert_eq!(
        catalog_from_json(baked.files["catalog.json"].as_bytes()).unwrap(),
        catalog
    );
    for (file, text) in baked.files.iter().filter(|(file, _)| file.ends_with(".rs")) {
        syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(
            !text.chars().any(|letter| letter != '\n' && turns(letter)),
            "{file}"
        );
    }
    let mut reader = csv::Reader::from_reader(baked.files["fingerprints.csv"].as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let ids = catalog.models().map(|model| model.id());
    let ids: Vec<&str> = ids
        .chain(catalog.profiles().map(|profile| profile.id()))
        .collect();
    assert_eq!(rows.len(), ids.len());
    for (row, id) in rows.iter().zip(&ids) {
        assert_eq!(row.len(), 4);
        assert_eq!(row[0], id.escape_default().to_string());
    }
    let lines = baked.files["fingerprints.csv"].lines().count();
    assert_eq!(lines, ids.len() + 1, "one line each");
}

#[test]
fn the_order_of_rows_does_not_change_the_baked_files() {
    let mut texts = fixed();
    texts.truncate(100);
    let first = bake(&catalog(&recording(&texts))).unwrap();
    for turn in 1..5 {
        let mut turned = recording(&texts);
        for answers in turned.regions.values_mut() {
            answers.models.rotate_left(turn * 7);
            answers.profiles.rotate_left(turn * 11);
        }
        assert!(bake(&catalog(&turned)).unwrap() == first);
    }
}

/// Whether it is a control, bidirectional or invisible character.
fn turns(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[test]
fn text_has_one_line_per_entry_and_no_control_characters() {
    for texts in [fixed(), random(count_of_random())]
        .iter()
        .flat_map(|texts| texts.chunks(1_000))
    {
        let (diff, _) = differences(texts);
        let text = diff_text(&diff);
        assert!(!text.chars().any(|letter| letter != '\n' && turns(letter)));
        let lines = text.lines().filter(|line| line.starts_with("  ")).count();
        let added = diff.models_added().len() + diff.profiles_added().len();
        assert_eq!(lines, added + 3, "and the three that are gone");
    }
}

#[test]
fn json_is_ascii_and_has_equal_content() {
    for texts in [fixed(), random(count_of_random())]
        .iter()
        .flat_map(|texts| texts.chunks(1_000))
    {
        let (diff, ids) = differences(texts);
        let json = diff_json(&diff);
        assert!(
            json.bytes()
                .all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
        );
        let json: Value = serde_json::from_str(&json).unwrap();
        let added =
            ["models_added", "profiles_added"].map(|list| json[list].as_array().unwrap().clone());
        let added = added
            .iter()
            .flatten()
            .map(|note| note["id"].as_str().unwrap().to_owned());
        assert_eq!(added.collect::<BTreeSet<_>>(), ids);
    }
}

/// Decodes `\u{…}`.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\u{");
    let mut read = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('}').unwrap();
        read.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        read.push_str(rest);
    }
    read
}

/// A text as it is shown, truncated.
fn shown(text: &str) -> String {
    match text.char_indices().nth(200) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...({} characters)", &text[..end], text.chars().count()),
    }
}

#[test]
fn markdown_has_untrusted_text_in_code_spans_only() {
    let random = random(count_of_random());
    let texts = fixed();
    for texts in texts.chunks(10).chain(random.chunks(30)) {
        let (diff, ids) = differences(texts);
        let markdown = diff_markdown(&diff);
        assert!(
            markdown.is_ascii() && !markdown.contains("were cut"),
            "{}",
            markdown.len()
        );
        let mut code = BTreeSet::new();
        for event in Parser::new_ext(&markdown, Options::all()) {
            match event {
                Event::Code(text) => {
                    code.insert(unescaped(&text));
                }
                // Our own text has no markup.
                Event::Text(text) => {
                    let plain =
                        |byte: u8| byte.is_ascii_alphanumeric() || b" ,.;:()-".contains(&byte);
                    assert!(text.bytes().all(plain), "{text:?}");
                }
                Event::Start(
                    Tag::Paragraph | Tag::Heading { .. } | Tag::List(None) | Tag::Item,
                )
                | Event::End(_)
                | Event::SoftBreak => {}
                event => panic!("{event:?} in {markdown}"),
            }
        }
        for id in &ids {
            assert!(code.contains(&shown(id)), "{id:?} is not in {markdown}");
        }
        // For lenient parsers too: backticks are paired on every line, and the text between them has no
        // markup.
        for line in markdown.lines() {
            let spans: Vec<&str> = line.split('`').collect();
            assert_eq!(spans.len() % 2, 1, "{line}");
            let outside: String = spans.iter().step_by(2).copied().collect();
            let outside = outside.trim_start_matches("###");
            assert!(
                !outside.contains([
                    '@', '#', '<', '>', '[', ']', '!', '$', '\\', '/', '&', '~', '|'
                ]),
                "{line}"
            );
            let harmless =
                |byte: u8| byte.is_ascii_alphanumeric() || b" -.:_/+,(){}\\".contains(&byte);
            assert!(
                spans
                    .iter()
                    .skip(1)
                    .step_by(2)
                    .all(|span| !span.is_empty() && span.bytes().all(harmless)),
                "{line}"
            );
        }
    }
}

#[test]
fn markdown_never_exceeds_the_limit_of_a_pull_request() {
    let texts: Vec<String> = (0..3_000)
        .map(|n| format!("{n}{}", "\u{202e}@".repeat(20)))
        .collect();
    let (diff, ids) = differences(&texts);
    let markdown = diff_markdown(&diff);
    assert!(markdown.len() < 65_536, "{}", markdown.len());
    let shown = markdown
        .lines()
        .filter(|line| line.starts_with("- "))
        .count();
    let cut = ids.len() + 3 - shown;
    assert!(
        markdown.contains(&format!("**{cut} more lines were cut.**")),
        "{shown}"
    );
    // Headings that fit have the number of entries.
    assert!(markdown.contains("### Models added (3000)"));
}
