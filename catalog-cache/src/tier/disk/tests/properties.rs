//! The numbered properties of the fallback cache that this project took over, at the level of files.
//! Each runs 100 cases, with `BEDROCK_CATALOG_LONG=1` 1,000, and what `PROPTEST_CASES` says where it is set.

use proptest::prelude::*;

use super::*;
use crate::tier::disk::steps::probe;

/// What stands in a location before the test.
#[derive(Debug, Clone, Copy, PartialEq)]
enum There {
    Nothing,
    Valid,
    CutOff,
    Flipped,
    Expired,
    OtherNamespace,
    OtherVersion,
    Empty,
}

fn there() -> impl Strategy<Value = There> {
    prop_oneof![
        Just(There::Nothing),
        Just(There::Valid),
        Just(There::CutOff),
        Just(There::Flipped),
        Just(There::Expired),
        Just(There::OtherNamespace),
        Just(There::OtherVersion),
        Just(There::Empty),
    ]
}

fn invalid() -> impl Strategy<Value = There> {
    there().prop_filter("invalid", |there| *there != There::Valid)
}

/// Brings a location into that state.
fn prepare(stage: &Stage, index: usize, there: There, payload: &str) {
    let tier = stage.only(index);
    let mut written = stage.entry(payload);
    if there == There::Expired {
        written = entry(&key(), payload, stage.clock.now() - 25 * HOUR);
    }
    tier.put(&written).unwrap();
    let path = payload_path(&tier, &key());
    let bytes = std::fs::read(&path).unwrap();
    match there {
        There::Valid | There::Expired => {}
        There::Nothing => std::fs::remove_file(&path).unwrap(),
        There::Empty => std::fs::write(&path, "").unwrap(),
        There::CutOff => std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
        There::Flipped => {
            let mut bytes = bytes;
            let last = bytes.len() - 2;
            bytes[last] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
        There::OtherNamespace | There::OtherVersion => {
            let codec = Codec::new("0.2.0");
            let (mut envelope, payload) = (written.envelope().clone(), written.payload().clone());
            if there == There::OtherNamespace {
                envelope.namespace = Namespace::of(["other"]);
            } else {
                envelope.package_version = "0.2.0".into();
            }
            let bytes = codec.encode(&Entry::new(envelope, payload)).unwrap().bytes;
            std::fs::write(&path, bytes).unwrap();
        }
    }
}

/// Which location a path lies in.
fn location_of(stage: &Stage, path: &Path) -> usize {
    stage
        .folders
        .iter()
        .position(|folder| path.starts_with(folder))
        .unwrap()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn seed_000_property_1_the_first_location_is_written_first(count in 1_usize..5, text in "[a-z]{0,40}") {
        let stage = Stage::new(count);
        let receipt = stage.tier.put(&stage.entry(&text)).unwrap();
        prop_assert_eq!(location_of(&stage, &receipt.path.unwrap()), 0);
        prop_assert!(receipt.failed.is_empty());
        for folder in &stage.folders[1..] {
            prop_assert!(!folder.exists(), "the others are not touched");
        }
    }

    #[test]
    fn seed_000_property_2_the_first_valid_location_is_read(states in prop::collection::vec(there(), 1..5)) {
        let stage = Stage::new(states.len());
        for (index, state) in states.iter().enumerate() {
            prepare(&stage, index, *state, &format!("from {index}"));
        }
        let found = stage.tier.get(&namespace(), &key());
        match states.iter().position(|state| *state == There::Valid) {
            Some(first) => {
                let found = found.unwrap().unwrap();
                prop_assert_eq!(location_of(&stage, &found.path.clone().unwrap()), first);
                prop_assert_eq!(payload_of(Ok(Some(found))), Some(format!("from {first}")));
            }
            // An expired entry is answered as such; the cache judges it.
            None => if let Ok(Some(found)) = found {
                prop_assert_eq!(found.entry.envelope().standing(stage.clock.now()), Standing::Expired);
            },
        }
    }

    #[test]
    fn seed_000_property_3_nothing_valid_is_a_miss_and_never_a_panic(states in prop::collection::vec(invalid(), 0..5)) {
        let stage = Stage::new(states.len());
        for (index, state) in states.iter().enumerate() {
            prepare(&stage, index, *state, "invalid");
        }
        let (found, lines) = logs::caught(|| stage.tier.get(&namespace(), &key()));
        if let Ok(Some(found)) = found {
            prop_assert_eq!(found.entry.envelope().standing(stage.clock.now()), Standing::Expired);
        }
        let misses = lines.iter().filter(|line| line.level == tracing::Level::DEBUG).count();
        prop_assert!(misses >= states.iter().filter(|s| **s == There::Nothing).count());
    }

    #[test]
    fn seed_000_property_8_what_was_written_is_loaded_by_a_later_patch(patch in 0_u32..1_000, text in any::<String>()) {
        let stage = Stage::new(1);
        let written = entry(&key(), &text, stage.clock.now());
        stage.tier.put(&written).unwrap();
        let later = DiskTier::new(Locations::given(&stage.folders), Codec::new(format!("0.1.{patch}")))
            .with_clock(Arc::new(stage.clock.clone()))
            .with_well_known(key(), "catalog");
        prop_assert_eq!(later.get(&namespace(), &key()).unwrap().unwrap().entry, written);
        let path = stage.folders[0].join("v1").join(namespace().to_string()).join("catalog.jsonl");
        prop_assert!(path.is_file(), "the path is part of the format");
    }

    #[test]
    fn seed_000_property_9_primary_wins(newer_by in 1_u64..80_000) {
        let stage = Stage::new(2);
        stage.only(0).put(&stage.entry("primary")).unwrap();
        stage.clock.advance(Duration::from_secs(newer_by));
        stage.only(1).put(&stage.entry("newer fallback")).unwrap();
        let (found, steps) = probe::seen(|| stage.payload());
        prop_assert_eq!(found.as_deref(), Some("primary"));
        let opened = steps.iter().filter(|step| **step == Step::Open).count();
        prop_assert_eq!(opened, if cfg!(unix) { 1 } else { 2 }, "the fallback is not even tried");
    }

    #[test]
    fn seed_000_property_10_every_line_about_a_file_has_its_path(
        states in prop::collection::vec(there(), 1..4),
        fatal in 0_usize..60,
    ) {
        let stage = Stage::new(states.len());
        for (index, state) in states.iter().enumerate() {
            prepare(&stage, index, *state, "x");
        }
        let newer = stage.entry("new");
        let ((), lines) = logs::caught(|| {
            let _ = stage.tier.get(&namespace(), &key());
            let _ = probe::failing(
                move |count, _| (count >= fatal).then_some(5),
                || stage.tier.put(&newer),
            );
            let _ = stage.tier.cleanup(stage.clock.now());
            let _ = stage.tier.get(&namespace(), &key());
        });
        prop_assert!(!lines.is_empty());
        for line in &lines {
            let path = line.path.as_deref().unwrap_or_default();
            let known = stage.folders.iter().any(|folder| path.starts_with(folder.to_str().unwrap()));
            prop_assert!(known, "{line:?}");
            prop_assert!(!line.text.contains("test:"), "no key material beside the hash: {line:?}");
        }
    }

    #[test]
    fn seed_000_property_11_a_write_never_panics_and_says_what_failed(
        faults in prop::collection::vec((0_usize..60, 1_i32..130), 0..6),
    ) {
        let stage = Stage::new(3);
        let new = stage.entry("new");
        let result = probe::failing(
            move |count, _| faults.iter().find(|(at, _)| *at == count).map(|(_, errno)| *errno),
            || stage.tier.put(&new),
        );
        match result {
            Ok(receipt) => {
                prop_assert_eq!(stage.payload(), Some("new".to_owned()));
                prop_assert!(receipt.failed.iter().all(|error| error.path().is_some()));
            }
            Err(error) => prop_assert!(error.path().is_some()),
        }
    }

    #[test]
    fn seed_000_property_12_failures_of_the_file_system_are_told_and_the_next_is_tried(
        errno in prop_oneof![Just(28), Just(122), Just(5), Just(30), Just(24), Just(18), Just(13), Just(1)],
    ) {
        let stage = Stage::new(2);
        let new = stage.entry("new");
        let mut hit = false;
        let receipt = probe::failing(
            move |_, step| (step == Step::Create && !std::mem::replace(&mut hit, true)).then_some(errno),
            || stage.tier.put(&new),
        ).unwrap();
        prop_assert_eq!(location_of(&stage, &receipt.path.unwrap()), 1);
        prop_assert_eq!(receipt.failed.len(), 1);
        prop_assert!(receipt.failed[0].path().unwrap().starts_with(&stage.folders[0]));
        prop_assert!(receipt.failed[0].to_string().contains("os error"));
    }

    #[test]
    fn seed_000_property_13_the_chain_goes_on_until_one_works(blocked in prop::collection::vec(any::<bool>(), 1..6)) {
        let stage = Stage::new(blocked.len());
        for (folder, blocked) in stage.folders.iter().zip(&blocked) {
            if *blocked {
                // A file where the folder should be.
                std::fs::write(folder, "").unwrap();
            }
        }
        let (result, lines) = logs::caught(|| stage.tier.put(&stage.entry("new")));
        match blocked.iter().position(|blocked| !blocked) {
            Some(first) => {
                let receipt = result.unwrap();
                prop_assert_eq!(receipt.failed.len(), first);
                prop_assert_eq!(location_of(&stage, &receipt.path.unwrap()), first);
                for (folder, blocked) in stage.folders.iter().zip(&blocked).skip(first + 1) {
                    prop_assert!(*blocked || !folder.exists(), "nothing after the first success");
                }
            }
            None => {
                prop_assert!(result.is_err());
                prop_assert_eq!(lines.len(), blocked.len() - 1, "each is told once: {:?}", lines);
            }
        }
    }
}
