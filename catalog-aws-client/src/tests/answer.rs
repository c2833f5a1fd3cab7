//! Looking for secrets' names in blocks, against looking at every byte.

use proptest::prelude::*;

use crate::rules::Rules;

const WORDS: [&str; 4] = ["Password", "_KEY", "token", "a\0bc"];

/// Whether a secret's name is where a name may end: as it is meant, one byte after another.
fn plainly(body: &[u8]) -> bool {
    let ends = |name: &[u8]| {
        WORDS.iter().any(|word| {
            let from = name.len().checked_sub(word.len());
            from.is_some_and(|from| name[from..].eq_ignore_ascii_case(word.as_bytes()))
        })
    };
    if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'<')) {
        return (0..=body.len()).any(|at| ends(&body[..at]));
    }
    body.iter().enumerate().any(|(at, sign)| {
        let name = &body[..at];
        match sign {
            b'=' | b'>' => ends(name),
            b':' => ["\"", "&quot;", "\\u0022"].iter().any(|quote| {
                let name = name.trim_ascii_end().strip_suffix(quote.as_bytes());
                let name = name.unwrap_or_default();
                let slashes = name.iter().rev().take_while(|byte| **byte == b'\\');
                ends(&name[..name.len() - slashes.count()])
            }),
            _ => false,
        }
    })
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = || prop::sample::select(&WORDS[..]);
    let signs = prop::sample::select(&b"\"\\:=<>; \n\t\0{["[..]);
    prop_oneof![
        6 => prop::collection::vec(signs, 1..4),
        2 => words().prop_map(|word| word.as_bytes().to_vec()),
        1 => words().prop_map(|word| word.to_uppercase().into_bytes()),
        1 => words().prop_map(|word| word.as_bytes()[1..].to_vec()),
        1 => prop::sample::select(&["&quot;:", "\\u0022:", "&quot;", "\\u0022"][..])
            .prop_map(|quote| quote.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #[test]
    fn no_name_is_missed_and_none_made_up(
        start in prop::sample::select(&["{", " [", "<", "", "\u{feff}{"][..]),
        pieces in prop::collection::vec(piece(), 0..24),
    ) {
        let text = format!(r#"{{"format":1,"secrets":{}}}"#, serde_json::to_string(&WORDS).unwrap());
        let rules = Rules::from_json(&text).unwrap();
        let body = [start.as_bytes(), &pieces.concat()].concat();
        prop_assert_eq!(rules.is_secret(&body), plainly(&body));
    }
}

/// A name and its sign at every place of a block, at the end of the body and within it.
#[test]
fn a_name_is_found_wherever_it_stands() {
    let text = format!(
        r#"{{"format":1,"secrets":{}}}"#,
        serde_json::to_string(&WORDS).unwrap()
    );
    let rules = Rules::from_json(&text).unwrap();
    for before in 0..100 {
        for after in [0, 1, 31, 32, 33, 70] {
            for (name, is_one) in [
                ("\"PASSWORD\":", true),
                ("\\\"password\\\" \t:", true),
                ("Password>", true),
                ("&token=", true),
                ("\"Password\"", false),
                ("Password;", false),
                ("Password<", false),
                ("assword>", false),
                ("Password:", false),
            ] {
                let body = format!("{{{}{name}{}", "x".repeat(before), "y".repeat(after));
                assert_eq!(rules.is_secret(body.as_bytes()), is_one, "{body}");
            }
        }
    }
}
