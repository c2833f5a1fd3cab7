//! Redaction of account ids, and one-line reasons.

use std::borrow::Cow;

/// The replacement of account ids.
const NO_ACCOUNT: &str = "000000000000";

/// Replaces every run of exactly twelve digits, an account id, by zeros.
///
/// ```
/// use bedrock_catalog_recording::redact;
///
/// assert_eq!(redact("arn:aws:iam::111122223333:role/x"), "arn:aws:iam::000000000000:role/x");
/// ```
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while let Some(digits) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let count = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let end = at + count;
        // Digits are ASCII, so both ends are between characters.
        let run = text.get(at..end).unwrap_or_default();
        if count == NO_ACCOUNT.len() && run != NO_ACCOUNT {
            out.push_str(text.get(copied..at).unwrap_or_default());
            out.push_str(NO_ACCOUNT);
            copied = end;
        }
        at = end + 1;
    }
    match copied {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(out + text.get(copied..).unwrap_or_default()),
    }
}

/// One line of at most 300 characters, without account ids, control and bidirectional characters.
///
/// ```
/// use bedrock_catalog_recording::one_line;
///
/// assert_eq!(one_line("denied\nfor 111122223333"), "denied for 000000000000");
/// ```
pub fn one_line(text: &str) -> String {
    let clean = |c: char| {
        let hidden = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if hidden { ' ' } else { c }
    };
    // Truncated after redaction: a cut account id would not be recognized.
    redact(text).chars().map(clean).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_account_ids_are_replaced() {
        for (text, expected) in [
            (
                "arn:aws:bedrock:us-east-1:999988887777:inference-profile/us.x-20240229-v1:0",
                "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.x-20240229-v1:0",
            ),
            (
                "user 111122223333 of 999988887777",
                "user 000000000000 of 000000000000",
            ),
            ("9999888877773", "9999888877773"),
            ("20240229", "20240229"),
            ("é999988887777é", "é000000000000é"),
            ("", ""),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn reasons_are_one_short_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m\u{202e}c"), "a b [31m c");
        assert_eq!(one_line(&"x".repeat(1000)).len(), 300);
        let cut = format!("{}999988887777", "x".repeat(295));
        assert!(one_line(&cut).ends_with("x00000"));
    }
}
