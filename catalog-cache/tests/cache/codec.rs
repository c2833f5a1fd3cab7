//! The codec: entries are read whole or refused, of this version and namespace only.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use bedrock_catalog_cache::{Codec, Entry, Key, Namespace, TierErrorKind};
use bedrock_catalog_test_support::conformance::entry;

use crate::stage::{DAY, HOUR, key, ns};

/// SplitMix64: bytes that do not compress.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

proptest! {
    #[test]
    fn property_004_7_compression_round_trip(data in prop_oneof![vec(any::<u8>(), 0..3000), vec(0..3_u8, 0..3000)], above in proptest::option::of(0..2000_usize)) {
        let entry = entry(ns(), &key(1), data.clone(), SystemTime::UNIX_EPOCH + DAY, HOUR);
        let codec = Codec::new(env!("CARGO_PKG_VERSION")).with_compression_above(above);
        let encoded = codec.encode(&entry).unwrap();
        prop_assert_eq!(codec.decode(encoded.bytes.clone().into(), &ns(), &key(1)).unwrap(), entry.clone());
        // Without compression it is never larger than this.
        let plain = Codec::new(env!("CARGO_PKG_VERSION")).encode(&entry).unwrap();
        if encoded.saved == 0 {
            prop_assert_eq!(&plain.bytes, &encoded.bytes);
        } else {
            prop_assert!(cfg!(feature = "compression") && above.is_some_and(|above| data.len() > above));
        }
        let line = encoded.bytes.split(|byte| *byte == b'\n').next().unwrap();
        let says = String::from_utf8_lossy(line).contains("\"compression\"");
        prop_assert_eq!(says, encoded.saved > 0);
    }

    /// What cannot be made smaller is stored plain, however much compression is asked for.
    #[test]
    fn property_004_7_what_does_not_compress_is_stored_plain(seed in any::<u64>(), len in 0..3000_usize) {
        let blocks = (0_u64..).flat_map(|n| mix(seed.wrapping_add(n)).to_le_bytes());
        let data: Vec<u8> = blocks.take(len).collect();
        let entry = entry(ns(), &key(1), data, SystemTime::UNIX_EPOCH + DAY, HOUR);
        let codec = Codec::new(env!("CARGO_PKG_VERSION"));
        let plain = codec.encode(&entry).unwrap();
        let encoded = codec.with_compression_above(Some(0)).encode(&entry).unwrap();
        prop_assert_eq!(encoded.saved, 0);
        prop_assert_eq!(encoded.bytes, plain.bytes);
    }

    #[test]
    fn a_mutated_entry_is_refused(data in vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), mutation in 0..4_u8, byte in any::<u8>(), above in proptest::option::of(Just(0))) {
        let codec = Codec::new(env!("CARGO_PKG_VERSION")).with_compression_above(above);
        let whole = codec.encode(&entry(ns(), &key(1), data, SystemTime::UNIX_EPOCH + DAY, HOUR)).unwrap().bytes;
        let (mut mutated, at) = (whole.clone(), at.index(whole.len()));
        match mutation {
            0 => mutated[at] ^= 1 << (byte % 8),
            1 => mutated.truncate(at),
            2 => mutated.insert(at, byte),
            _ => mutated.extend_from_slice(&whole[at..]),
        }
        prop_assume!(mutated != whole);
        let error = codec.decode(mutated.into(), &ns(), &key(1)).unwrap_err();
        prop_assert!(!error.is_tier_failure());
    }
}

#[test]
fn entries_of_other_formats_versions_and_owners_are_not_ours() {
    let codec = Codec::new("1.4.2");
    let mut envelope = entry(ns(), &key(1), "x", SystemTime::UNIX_EPOCH + DAY, HOUR)
        .envelope()
        .clone();
    let mut decode = |version: &str, reader: &Codec, namespace: &Namespace, key: &Key| {
        envelope.package_version = version.into();
        let bytes = codec
            .encode(&Entry::new(envelope.clone(), Bytes::from_static(b"x")))
            .unwrap()
            .bytes;
        reader
            .decode(bytes.into(), namespace, key)
            .map_err(|error| error.kind())
    };
    assert!(
        decode("1.4.0", &codec, &ns(), &key(1)).is_ok(),
        "a patch update keeps the cache"
    );
    assert!(decode("1.4.99", &codec, &ns(), &key(1)).is_ok());
    for other in ["1.5.0", "1.3.9", "2.4.2", "", "1", "1.4", "x.y.z"] {
        assert_eq!(
            decode(other, &codec, &ns(), &key(1)).unwrap_err(),
            TierErrorKind::Foreign,
            "{other}"
        );
    }
    assert_eq!(
        decode("1.4.2", &codec, &Namespace::of(["x"]), &key(1)).unwrap_err(),
        TierErrorKind::Foreign
    );
    assert_eq!(
        decode("1.4.2", &codec, &ns(), &key(2)).unwrap_err(),
        TierErrorKind::Foreign
    );
    assert_eq!(
        decode("1.4.2", &codec.clone().with_max_len(100), &ns(), &key(1)).unwrap_err(),
        TierErrorKind::TooLarge
    );
}

#[test]
fn the_two_lines_are_json() {
    let codec = Codec::new("0.1.0");
    let bytes = codec
        .encode(&entry(
            ns(),
            &key("a b"),
            r#"{"models":[]}"#,
            SystemTime::UNIX_EPOCH + DAY,
            HOUR,
        ))
        .unwrap()
        .bytes;
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["format"], 1);
    assert_eq!(lines[0]["key"], "things:get:a%20b");
    assert_eq!(lines[0]["written_at"], 86_400_000);
    assert_eq!(lines[0]["fresh_for"], 1_800_000);
    assert_eq!(lines[0]["keep_for"], 3_600_000);
    assert_eq!(lines[0]["length"], 13);
    assert_eq!(lines[0]["namespace"], ns().to_string());
    for field in ["source", "package_version", "checksum"] {
        assert!(lines[0][field].is_string());
    }
    assert_eq!(
        Arc::new(codec.peek(text.as_bytes()).unwrap()).key,
        key("a b")
    );
}
