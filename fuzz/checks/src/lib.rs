//! What must hold of any bytes. A check panics where it does not; what is refused is refused by an error.
//!
//! Shared by the fuzz targets and by `tests/tests/fuzz_slice.rs`.

use bedrock_catalog::cache::{Codec, Entry};
use bedrock_catalog::recording::Recording;
use bedrock_catalog::{Catalog, Overlay, Policy, Timestamp, catalog_from_json, catalog_to_json};
use bedrock_catalog_recording::transform;
use twox_hash::XxHash3_128;

/// An entry of the cache, as it lies in a file; also with the checksum put right, which no mutation finds.
pub fn entry(bytes: &[u8]) {
    let codec = Codec::new("0.1.0").with_max_len(1 << 20);
    one_entry(&codec, bytes);
    if let Some(sealed) = sealed(bytes) {
        one_entry(&codec, &sealed);
    }
}

fn one_entry(codec: &Codec, bytes: &[u8]) {
    let peeked = codec.peek(bytes);
    let Ok(entry) = codec.decode_any(bytes.to_vec().into()) else {
        return;
    };
    assert!(entry.payload().len() <= 1 << 20, "larger than allowed");
    let envelope = peeked.expect("what is read whole is read in part");
    // Both are cut to what an entry may hold.
    assert_eq!(Entry::new(envelope, entry.payload().clone()), entry);
    let again = codec.encode(&entry).expect("what was read can be written");
    let read = codec.decode_any(again.bytes.into());
    assert_eq!(read.expect("what was written can be read"), entry);
    // No entry is taken for another's.
    let other = entry.envelope().key.sub("other");
    let namespace = &entry.envelope().namespace;
    assert!(
        codec
            .decode(bytes.to_vec().into(), namespace, &other)
            .is_err()
    );
}

/// The same with the digits that the checksum should have.
fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    const MARK: &[u8] = b"\"checksum\":\"";
    let end = bytes.iter().take(4_096).position(|byte| *byte == b'\n')?;
    let digits = end.checked_sub(34)?;
    let head = bytes.get(..digits)?;
    head.ends_with(MARK).then_some(())?;
    let tail = bytes.get(digits + 32..)?;
    let mut sum = XxHash3_128::new();
    sum.write(head);
    sum.write(tail);
    let digits = format!("{:032x}", sum.finish_128());
    Some([head, digits.as_bytes(), tail].concat())
}

/// A catalog JSON.
pub fn catalog(bytes: &[u8]) {
    if let Ok(catalog) = catalog_from_json(bytes) {
        one_catalog(&catalog);
    }
}

/// Every question has an answer or an error, and the whole is read back as itself.
fn one_catalog(catalog: &Catalog) {
    let json = catalog_to_json(catalog);
    let again = catalog_from_json(json.as_bytes()).expect("what was written can be read");
    assert_eq!(catalog_to_json(&again), json);
    assert_eq!(&again, catalog);
    for model in catalog.all_models().take(20) {
        assert_eq!(catalog.model(model.id()), Some(model));
        for region in catalog.regions().take(10) {
            for policy in [
                Policy::InRegion,
                Policy::Geography,
                Policy::Any,
                Policy::Global,
            ] {
                if let Ok(route) = catalog.route(model.id(), region.id(), policy) {
                    assert!(!route.inference_id().is_empty());
                }
            }
        }
    }
    for profile in catalog.all_profiles().take(20) {
        assert_eq!(catalog.profile(profile.id()), Some(profile));
    }
    assert!(catalog.accesses().len() < 1 << 24);
}

/// A recording: `recording.json`, the models and the profiles of one region, with a line `---` between.
pub fn recording(bytes: &[u8]) {
    thread_local! {
        static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a temp folder");
    }
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(5).position(|window| window == b"\n---\n") {
        let (part, after) = rest.split_at(at);
        parts.push(part);
        rest = after.get(5..).unwrap_or_default();
    }
    parts.push(rest);
    let [about, models, profiles] = parts.as_slice() else {
        return;
    };
    FOLDER.with(|folder| {
        let region = folder.path().join("eu-west-1");
        std::fs::create_dir_all(&region).expect("the folder is ours");
        for (path, bytes) in [
            (folder.path().join("recording.json"), about),
            (region.join("list-foundation-models.json"), models),
            (region.join("list-inference-profiles.json"), profiles),
        ] {
            std::fs::write(path, bytes).expect("the folder is ours");
        }
        let time: Option<Timestamp> = "2026-08-22T00:52:43Z".parse().ok();
        if let Ok(recording) = Recording::read(folder.path(), time) {
            let (document, _) = transform(&recording, None);
            // A region that is no region, or a name that is no name, is refused here at the latest.
            if let Ok(catalog) = Catalog::from_document(&document) {
                one_catalog(&catalog);
                let (again, _) = transform(&Recording::of_catalog(&catalog), Some(&catalog));
                assert_eq!(again, catalog.to_document(), "there and back is equal");
            }
        }
    });
}

/// An overlay, laid over the bundle.
pub fn overlay(bytes: &[u8]) {
    if let Ok(overlay) = Overlay::from_json(bytes)
        && let Ok(catalog) = overlay.lay_over(Catalog::bundled())
    {
        assert!(catalog.all_models().len() >= Catalog::bundled().all_models().len());
    }
}
