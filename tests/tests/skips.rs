//! What a machine cannot test is said where a person sees it: the test harness keeps what a test that
//! passes prints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_skipped_test_says_so_to_the_harness() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 200, "{}", files.len());
    let says = |said: &str| {
        let said: String = said.chars().take(160).collect();
        let said = said.split(';').next().unwrap_or_default();
        said.to_lowercase().contains("skipped")
    };
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        let printed = source.split("println!(").skip(1);
        for said in printed {
            assert!(!says(said), "{}: println!({said:.120}", file.display());
        }
    }
}
