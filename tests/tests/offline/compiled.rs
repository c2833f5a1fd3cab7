//! A hostile bundle and some arbitrary recordings, compiled by the real compiler into a program whose
//! answers are compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bedrock_catalog::{Catalog, catalog_from_json, catalog_to_json};
use bedrock_catalog_gen::{BuildScript, bake, name_constants};
use bedrock_catalog_recording::transform;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use syn::{Item, Visibility};

use crate::answers::answers;
use crate::{arbitrary, hostile};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn build(recording: &bedrock_catalog::recording::Recording) -> Catalog {
    let (document, problems) = transform(recording, None);
    assert_eq!(problems, []);
    name_constants(document, None).unwrap()
}

/// The file that a build script generates of a catalog.
fn one_file(folder: &Path, catalog: &Catalog) -> String {
    let path = folder.join("catalog.json");
    fs::write(&path, catalog_to_json(catalog)).unwrap();
    let (text, warnings) = BuildScript::new(&path).text().unwrap();
    assert!(warnings.is_empty());
    text
}

/// The (module, name) of the constants in a parsed file, which must have no other items.
fn constants(module: &str, items: &[Item]) -> Vec<(String, String)> {
    let constants = items.iter().filter_map(|item| match item {
        Item::Use(_) => None,
        Item::Const(item) => {
            assert!(matches!(item.vis, Visibility::Public(_)));
            Some((module.to_owned(), item.ident.to_string()))
        }
        _ => panic!("generated code has an item of another kind"),
    });
    constants.collect()
}

/// The constants in a build script's file, in the order of their ids.
fn all_constants(text: &str) -> Vec<(String, String)> {
    let file = syn::parse_file(text).unwrap();
    let mut all = Vec::new();
    let mut modules = Vec::new();
    for item in &file.items {
        match item {
            Item::Mod(module) => {
                let name = module.ident.to_string();
                modules.push(name.clone());
                if name != "tables" {
                    all.extend(constants(&name, &module.content.as_ref().unwrap().1));
                }
            }
            Item::Use(_) => {}
            _ => panic!("generated code has an item of another kind"),
        }
    }
    assert_eq!(modules, ["tables", "models", "profiles", "regions"]);
    all
}

/// The ids of the constants of a catalog, in order.
fn ids(catalog: &Catalog) -> Vec<&str> {
    let models = catalog.all_models().map(|model| model.id());
    let profiles = catalog.all_profiles().map(|profile| profile.id());
    models
        .chain(profiles)
        .chain(catalog.known_regions())
        .collect()
}

/// Some arbitrary catalogs, the same on every run.
fn handful() -> Vec<Catalog> {
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[22; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let mut any = || {
        arbitrary::recording()
            .new_tree(&mut runner)
            .unwrap()
            .current()
    };
    (0..4).map(|_| build(&any())).collect()
}

#[test]
fn a_hostile_bundle_compiles_and_gives_equal_answers() {
    let stage = tempfile::tempdir().unwrap();
    let root = stage.path();
    let catalog = build(&hostile::recording());

    // The data crate with the hostile bundle instead of the committed one.
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let (head, members) = manifest.split_once("members = [").unwrap();
    let (_, rest) = members.split_once("]\n").unwrap();
    let lines = rest.lines().filter(|line| !line.starts_with("exclude"));
    let rest: Vec<_> = lines.collect();
    let manifest = format!(
        "{head}members = [\"catalog-data\", \"probe\"]\n{}",
        rest.join("\n")
    );
    fs::write(root.join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace().join("Cargo.lock"), root.join("Cargo.lock")).unwrap();
    copy(
        &workspace().join("catalog-data"),
        &root.join("catalog-data"),
    );
    for (file, text) in bake(&catalog).unwrap().files {
        fs::write(root.join("catalog-data").join(file), text).unwrap();
    }

    // A program with this bundle and with the files of a build script for every catalog.
    let probe = root.join("probe/src");
    fs::create_dir_all(&probe).unwrap();
    let manifest = "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
        [dependencies]\nbedrock-catalog = { package = \"bedrock-catalog-data\", path = \"../catalog-data\" }\n\
        [lints.rust]\nwarnings = \"deny\"\n";
    fs::write(root.join("probe/Cargo.toml"), manifest).unwrap();
    let asked = fs::read_to_string(workspace().join("tests/tests/offline/answers.rs")).unwrap();
    fs::write(probe.join("answers.rs"), asked).unwrap();
    let catalogs: Vec<Catalog> = [catalog].into_iter().chain(handful()).collect();
    let mut main = String::from(
        "#![allow(deprecated)]\nmod answers;\nfn main() {\n\
         print!(\"{}\", answers::answers(bedrock_catalog::Catalog::bundled()));\n",
    );
    let mut expected = answers(&catalogs[0]);
    for (number, catalog) in catalogs.iter().enumerate() {
        let text = one_file(root, catalog);
        let constants = all_constants(&text);
        let ids = ids(catalog);
        assert_eq!(constants.len(), ids.len());
        fs::write(probe.join(format!("c{number}.rs")), text).unwrap();
        main.push_str(&format!(
            "print!(\"{{}}\", answers::answers(&c{number}::CATALOG));\n"
        ));
        expected.push_str(&answers(catalog));
        for ((module, name), id) in constants.iter().zip(ids) {
            main.push_str(&format!(
                "println!(\"{{:?}}\", c{number}::{module}::{name});\n"
            ));
            expected.push_str(&format!("{id:?}\n"));
            if number == 0 {
                main.push_str(&format!(
                    "println!(\"{{:?}}\", bedrock_catalog::{module}::{name});\n"
                ));
                expected.push_str(&format!("{id:?}\n"));
            }
            // A lookup by constant uses the row number, and must equal the lookup by text.
            if module == "models" {
                let same = format!(
                    "assert!(c{number}::CATALOG.model(c{number}::{module}::{name}) == \
                     c{number}::CATALOG.model(c{number}::{module}::{name}.as_str()));\n"
                );
                main.push_str(&same);
            }
        }
    }
    main.push_str("}\n");
    for number in 0..catalogs.len() {
        main.push_str(&format!("#[allow(unused)]\nmod c{number};\n"));
    }
    fs::write(probe.join("main.rs"), main).unwrap();

    let cargo = |words: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(words)
            .args(["--quiet", "--offline"])
            .current_dir(root)
            .env(
                "CARGO_TARGET_DIR",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"),
            )
            .env("RUSTDOCFLAGS", "-D warnings")
            .env_remove("RUSTFLAGS")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let start: String = stderr.chars().take(4000).collect();
        assert!(output.status.success(), "{start}");
        output
    };
    cargo(&["doc", "--no-deps", "--package", "bedrock-catalog-data"]);
    let output = cargo(&["run", "--package", "probe"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    for (printed, expected) in printed.lines().zip(expected.lines()) {
        assert_eq!(printed, expected);
    }
    assert_eq!(printed.lines().count(), expected.lines().count());
}

/// Copies the folder of a package without build output.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true if path.ends_with("target") => {}
            true => copy(&path, &to),
            false => _ = fs::copy(&path, to).unwrap(),
        }
    }
}

#[test]
fn a_hostile_catalog_bakes_to_the_expected_items_only() {
    let catalog = build(&hostile::recording());
    let baked = bake(&catalog).unwrap();
    let json = catalog_from_json(baked.files["catalog.json"].as_bytes()).unwrap();
    assert_eq!(json, catalog);
    for (file, text) in &baked.files {
        if let Some(name) = file.strip_prefix("src/bundle/") {
            let items = syn::parse_file(text).unwrap().items;
            if name != "tables.rs" {
                assert!(!constants(name, &items).is_empty());
            }
            let raw =
                |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{feff}".contains(c);
            assert!(!text.contains(raw), "{file}");
        }
    }
    // One line per row, and the header.
    let rows = catalog.all_models().len() + catalog.all_profiles().len();
    assert_eq!(baked.files["fingerprints.csv"].lines().count(), rows + 1);
}

#[test]
fn a_build_script_reads_a_hostile_recording_from_its_folder() {
    let stage = tempfile::tempdir().unwrap();
    let mut recording = hostile::recording();
    // Folder names are more limited.
    recording
        .regions
        .retain(|id, _| id.len() < 200 && !id.contains(['/', '\0']));
    assert!(recording.regions.len() > 10);
    let folder = stage.path().join("recording");
    recording.write(&folder).unwrap();
    let (text, warnings) = BuildScript::new(&folder).text().unwrap();
    assert!(warnings.is_empty());
    assert_eq!(text, one_file(stage.path(), &build(&recording)));
}

#[test]
fn generated_documentation_has_no_code_and_no_markup() {
    let catalog = build(&hostile::recording());
    for (file, text) in &bake(&catalog).unwrap().files {
        for line in text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("///"))
        {
            // Four spaces begin a code block, which a doctest would run.
            let text = line.strip_prefix(' ').unwrap_or(line);
            assert!(!text.starts_with(' '), "{file}: {line:?}");
            assert!(!text.contains("    "), "{file}: {line:?}");
            assert!(
                !text.contains(['`', '<', '[', '|', '\\']),
                "{file}: {line:?}"
            );
        }
    }
}

#[test]
fn an_invalid_recorded_name_of_a_constant_is_refused() {
    let mut document = Catalog::bundled().to_document();
    for name in [
        "",
        "a b",
        "fn",
        "_",
        "9",
        "A\u{202e}",
        "X = 0; fn f() {} const Y",
        "Brand",
    ] {
        document.models[0].constant = Some(name.into());
        let catalog = name_constants(document.clone(), None);
        assert!(
            catalog.and_then(|catalog| bake(&catalog)).is_err(),
            "{name:?}"
        );
    }
    // The name of another constant.
    let other = bedrock_catalog_gen::constant_name(&document.models[1].id);
    document.models[0].constant = Some(other.clone().into());
    document.models[1].constant = Some(other.into());
    let catalog = name_constants(document, None);
    assert!(catalog.and_then(|catalog| bake(&catalog)).is_err());
}
