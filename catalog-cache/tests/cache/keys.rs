//! Keys, patterns and namespaces.

use proptest::prelude::*;

use bedrock_catalog_cache::{Key, Namespace, Pattern};

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,3}",
        r"[:%~*?\\ A0.\-]{0,6}",
        any::<String>(),
        "[x:]{150,260}",
    ]
}

/// A key and the parts it was made of.
fn key() -> impl Strategy<Value = (Vec<String>, Key)> {
    proptest::collection::vec(part(), 3..6).prop_map(|parts| {
        let first = Key::new(&parts[0], &parts[1], &parts[2]);
        let key = parts[3..].iter().fold(first, |key, part| key.sub(part));
        (parts, key)
    })
}

proptest! {
    #[test]
    fn property_004_6_key_uniqueness(one in key(), two in key()) {
        prop_assert_eq!(one.0 == two.0, one.1 == two.1);
        // The same key every time, bounded, printable, and read back as itself.
        let again = one.0[3..].iter().fold(Key::new(&one.0[0], &one.0[1], &one.0[2]), |key, part| key.sub(part));
        prop_assert_eq!(&again, &one.1);
        prop_assert!(one.1.as_str().len() <= Key::MAX_LEN);
        prop_assert!(one.1.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        prop_assert_eq!(Key::parse(one.1.as_str()), Some(one.1));
    }

    /// Near misses: the same text, cut into parts elsewhere.
    #[test]
    fn property_004_6_where_the_parts_are_cut(text in "[a:%3A]{3,12}", cut in any::<(prop::sample::Index, prop::sample::Index)>()) {
        let split = |a: usize, b: usize| {
            let (a, b) = (a.min(b), a.max(b));
            (text[..a].to_owned(), text[a..b].to_owned(), text[b..].to_owned())
        };
        let one = split(cut.0.index(text.len()), cut.1.index(text.len()));
        let two = split(cut.1.index(text.len()) / 2, cut.0.index(text.len()));
        let key = |parts: &(String, String, String)| Key::new(&parts.0, &parts.1, &parts.2);
        prop_assert_eq!(one == two, key(&one) == key(&two));
    }

    /// What is read as a key is one that some parts make.
    #[test]
    fn no_text_is_a_key_that_no_parts_make(text in "[a:%~3AFf4]{0,90}|([a:]{0,6}|%[23AFf][0-9A-Fa-f]){3,8}") {
        if let Some(key) = Key::parse(&text) {
            prop_assert!(!text.contains('~'), "no such hash");
            let part = |part: &str| -> String {
                let mut bytes = part.bytes();
                let mut text = Vec::new();
                while let Some(byte) = bytes.next() {
                    let digit = |byte: Option<u8>| char::from(byte.unwrap()).to_digit(16).unwrap() as u8;
                    text.push(if byte == b'%' { digit(bytes.next()) * 16 + digit(bytes.next()) } else { byte });
                }
                String::from_utf8_lossy(&text).into_owned()
            };
            let parts: Vec<String> = text.split(':').map(part).collect();
            // Bytes that are no UTF-8 by themselves come from no text; they are let pass.
            prop_assume!(parts.iter().all(|part| !part.contains('\u{fffd}')));
            let first = Key::new(&parts[0], &parts[1], &parts[2]);
            prop_assert_eq!(parts[3..].iter().fold(first, |key, part| key.sub(part)), key);
        }
    }

    /// Invalidation reaches every key below the parts it names, shortened or not.
    #[test]
    fn a_pattern_of_leading_parts_matches_every_key_below((parts, key) in key(), take in 1_usize..6) {
        let leading: Vec<&str> = parts.iter().take(take).map(String::as_str).collect();
        let pattern = Pattern::under(leading.iter().copied());
        prop_assert!(pattern.matches(&key));
        prop_assert!(key.starts_with(pattern.prefix()));
        prop_assert!(Pattern::exact(&key).matches(&key) && Pattern::all().matches(&key));
    }

    #[test]
    fn a_glob_matches_as_a_plain_one_would(glob in "[ab*?:]{0,8}", text in "[ab]{0,2}:[ab]{0,2}:[ab:]{0,4}") {
        fn plain(glob: &[u8], text: &[u8]) -> bool {
            match (glob.first(), text.first()) {
                (None, None) => true,
                (Some(b'*'), _) => plain(&glob[1..], text) || (!text.is_empty() && plain(glob, &text[1..])),
                (Some(b'?'), Some(_)) => plain(&glob[1..], &text[1..]),
                (Some(a), Some(b)) if a == b => plain(&glob[1..], &text[1..]),
                _ => false,
            }
        }
        let key = Key::parse(&text).unwrap();
        prop_assert_eq!(Pattern::glob(&glob).matches(&key), plain(glob.as_bytes(), text.as_bytes()));
        if Pattern::glob(&glob).matches(&key) {
            prop_assert!(key.starts_with(Pattern::glob(&glob).prefix()));
        }
    }

    #[test]
    fn namespaces_tell_lists_of_parts_apart(one in proptest::collection::vec("[a1]{0,3}", 0..4), two in proptest::collection::vec("[a1]{0,3}", 0..4)) {
        let (a, b) = (Namespace::of(&one), Namespace::of(&two));
        prop_assert_eq!(one == two, a == b);
        prop_assert_eq!(a.to_string().parse::<Namespace>(), Ok(a));
    }
}

#[test]
fn a_namespace_does_not_show_an_account() {
    let namespace = Namespace::of(["aws", "123456789012"]);
    assert!(!format!("{namespace} {namespace:?}").contains("123456789012"));
    assert!("ABC".parse::<Namespace>().is_err());
    assert!(
        "+0000000000000000000000000000001"
            .parse::<Namespace>()
            .is_err()
    );
}

#[test]
fn a_hostile_glob_costs_little() {
    let key = Key::parse(&format!("::{}", "a".repeat(198))).unwrap();
    let other = Key::parse("::b").unwrap();
    assert!(!Pattern::glob(&"*a".repeat(150).replace("aa", "ab")).matches(&other));
    assert!(!Pattern::glob(&format!("{}b", "*a".repeat(90))).matches(&key));
}

#[test]
fn what_no_parts_make_is_no_key() {
    let hash = "0123456789abcdef".repeat(4);
    for good in [
        "a:b:c",
        "::",
        "a:b:c:d:e",
        "a:%20:c",
        &format!("~{hash}"),
        &format!("a:b:~{hash}"),
        &format!("a:~{hash}:d:%7E"),
    ] {
        assert!(Key::parse(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "a",
        "a:b",
        "a:b:c d",
        "a:b:%",
        "a:b:%4",
        "a:b:%41",
        "a:b:%7e",
        "a:b:%+7",
        "a:b:%é",
        "a:b:~",
        &format!("a:b:c~{hash}"),
        &format!("a:b:~{}", hash.to_uppercase()),
        &format!("a:b:~{hash}0"),
        &format!("a:b:~{hash}~{hash}"),
        &format!("a:b:{}", "c".repeat(200)),
    ] {
        assert!(Key::parse(bad).is_none(), "{bad}");
    }
}
