//! A hit of the file tier against reading and parsing the same file by hand:
//! `cargo bench -p bedrock-catalog-cache --bench disk`.
//!
//! One run measures both sides in turns; the figure is the ratio of their medians. The tier's side includes
//! the checks of folders, owner, mode and links, the checksum over envelope and payload, and the comparison
//! of key and namespace. The goal is at most 1.8; a missed goal is exit code 1.
#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bedrock_catalog_cache::{
    Codec, Deadline, Entry, Envelope, FileTier, FilesOptions, Key, Namespace, SystemClock, Tier,
    Ttl, Written,
};
use serde::{Deserialize, Serialize};

const GOAL: f64 = 1.8;
const ROUNDS: usize = 400;

/// A row like those of a catalog; 350 of them are about 80 KB.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    id: String,
    name: String,
    provider: String,
    input: Vec<String>,
    output: Vec<String>,
    streaming: Option<bool>,
    start: Option<u64>,
    regions: Vec<u8>,
}

fn rows() -> Vec<Row> {
    (0..350)
        .map(|n| Row {
            id: format!("provider-{}.model-{n}-v1:0", n % 17),
            name: format!("Model {n} of a provider"),
            provider: format!("Provider {}", n % 17),
            input: vec!["TEXT".to_owned(), "IMAGE".to_owned()],
            output: vec!["TEXT".to_owned()],
            streaming: (n % 3 > 0).then_some(n % 2 == 0),
            start: (n % 2 == 0).then_some(1_700_000_000 + n),
            regions: (0..31)
                .filter(|region| (n + region) % 3 == 0)
                .map(|r| r as u8)
                .collect(),
        })
        .collect()
}

fn main() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let options = FilesOptions::in_folders([folder.path()]);
    let tier = FileTier::new(&options, Codec::new("0.1.0"), Arc::new(SystemClock));
    let (namespace, key) = (
        Namespace::of(["bench"]),
        Key::new("catalog", "whole", "aws"),
    );
    let payload = serde_json::to_vec(&rows()).expect("rows are JSON");
    let entry = Entry::new(
        Envelope {
            key: key.clone(),
            namespace,
            written_at: SystemTime::now(),
            ttl: Ttl {
                fresh_for: Duration::from_secs(3_600),
                keep_for: Duration::from_secs(86_400),
            },
            source: "bench".into(),
            package_version: "0.1.0".into(),
        },
        payload.clone().into(),
    );
    let written = tier.put(&entry, Deadline::NONE);
    let Ok(Written::Stored {
        path: Some(path), ..
    }) = written
    else {
        unreachable!("the folder is writable");
    };

    let by_hand = || {
        let bytes = std::fs::read(&path).expect("just written");
        let line = bytes
            .split(|byte| *byte == b'\n')
            .nth(1)
            .expect("two lines");
        let rows: Vec<Row> = serde_json::from_slice(line).expect("rows");
        black_box(rows);
    };
    let by_tier = || {
        let found = tier
            .get(&namespace, &key, Deadline::NONE)
            .expect("readable")
            .expect("there");
        let rows: Vec<Row> = serde_json::from_slice(found.entry.payload()).expect("rows");
        black_box(rows);
    };
    let by_tier_unparsed = || {
        black_box(
            tier.get(&namespace, &key, Deadline::NONE)
                .expect("readable"),
        );
    };
    let sides: [&dyn Fn(); 3] = [&by_hand, &by_tier, &by_tier_unparsed];
    let mut times = [const { Vec::new() }; 3];
    for round in 0..ROUNDS + 50 {
        for (side, times) in sides.iter().zip(&mut times) {
            let start = Instant::now();
            side();
            if round >= 50 {
                times.push(start.elapsed());
            }
        }
    }
    let [hand, hit, unparsed] = times.map(|mut times| {
        times.sort();
        times
            .get(ROUNDS / 2)
            .copied()
            .unwrap_or_default()
            .as_secs_f64()
            * 1e6
    });
    let ratio = hit / hand;
    println!("payload {} bytes, {ROUNDS} rounds, medians", payload.len());
    println!("read and parse by hand   {hand:8.1} µs");
    println!("file hit and parse       {hit:8.1} µs   {ratio:.2} × (goal {GOAL} ×)");
    println!("file hit, not parsed     {unparsed:8.1} µs");
    if ratio > GOAL {
        eprintln!("the goal is missed");
        std::process::exit(1);
    }
}
