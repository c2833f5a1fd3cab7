//! Five hundred texts that try to get out of what they are put into, and many random ones: through the bake,
//! the fingerprints, and the difference in all its forms. Each output is parsed back and compared.
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
use bedrock_catalog::{Catalog, CatalogDiff, catalog_from_json, transform};
use bedrock_catalog_gen::{bake, diff_json, diff_markdown, diff_text, named};
use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::Value;

/// What breaks out of Rust, HTML, Markdown, YAML, CSV, shells and terminals.
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

/// Exactly 500, the same every time: each seed alone and in nine kinds of surroundings.
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

/// Random texts over an alphabet of what hurts.
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

/// A recording in which every text is an id, a name, a provider, a word, and part of a region's name.
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
    let models = ids.iter().map(|id| ModelSummary {
        model_id: (*id).clone(),
        model_name: Some((*id).clone()),
        provider_name: Some((*id).clone()),
        input_modalities: Some(vec![(*id).clone()]),
        inference_types_supported: Some(vec![(*id).clone()]),
        ..ModelSummary::default()
    });
    let profiles = ids.iter().enumerate().map(|(place, id)| ProfileSummary {
        inference_profile_id: format!("x.{id}"),
        inference_profile_name: Some((*id).clone()),
        description: Some((*id).clone()),
        status: Some((*id).clone()),
        models: vec![
            ProfileModel {
                model_arn: arn("r-1", id),
            },
            ProfileModel {
                model_arn: arn(&format!("r{}", region(place, id)), id),
            },
        ],
        ..ProfileSummary::default()
    });
    let answers = RegionAnswers {
        models: models.collect(),
        profiles: profiles.collect(),
    };
    Recording {
        observed_at: "2026-08-22T00:52:43Z".parse().unwrap(),
        partition: "aws".to_owned(),
        regions: [("r-1".to_owned(), answers)].into(),
        failures: Default::default(),
        left_out: Vec::new(),
    }
}

fn catalog(recording: &Recording) -> Catalog {
    let (document, problems) = transform(recording, None);
    assert!(problems.is_empty(), "{problems:?}");
    named(document, None).unwrap()
}

fn plain() -> Catalog {
    let mut plain = recording(&["a.plain-v1:0".to_owned()]);
    plain
        .regions
        .insert("r-2".to_owned(), RegionAnswers::default());
    catalog(&plain)
}

/// What stands in the difference, with what it does not say.
fn differences(texts: &[String]) -> (CatalogDiff, BTreeSet<String>) {
    let new = catalog(&recording(texts));
    let diff = CatalogDiff::between(&plain(), &new);
    let ids = new.models().map(|model| model.id().to_owned());
    let profiles = new.profiles().map(|profile| profile.id().to_owned());
    (diff, ids.chain(profiles).collect())
}

#[test]
fn baked_and_read_back() {
    let texts = fixed();
    let catalog = catalog(&recording(&texts));
    assert_eq!(
        catalog.models().count(),
        texts.iter().collect::<BTreeSet<_>>().len()
    );
    // `bake` itself parses what it printed, and compares the tokens.
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
fn baked_the_same_every_time() {
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

/// Controls, and what turns the direction of a text or cannot be seen.
fn turns(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[test]
fn text_has_a_line_for_each_and_nothing_that_steers() {
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
fn json_is_ascii_and_reads_back() {
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

/// `\u{…}` read back.
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

/// The beginning of a text, as much of it as is shown.
fn shown(text: &str) -> String {
    match text.char_indices().nth(200) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...({} characters)", &text[..end], text.chars().count()),
    }
}

#[test]
fn markdown_holds_data_in_code_and_nowhere_else() {
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
                // Our own words have nothing in them that means anything anywhere.
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
        // Without a parser: between the back quotes stand only letters that mean nothing, and the
        // back quotes come in pairs on every line.
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
fn markdown_fits_a_pull_request_whatever_comes() {
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
    // The headings that fit say how many there are.
    assert!(markdown.contains("### Models added (3000)"));
}
