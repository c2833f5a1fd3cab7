//! Text from outside, made fit to keep: no account ids, no control characters, no end in sight cut off.
//! This file does no I/O.

/// What stands in the place of an account id.
const NO_ACCOUNT: &str = "000000000000";

/// The same text with every run of exactly twelve digits (an account id) replaced by zeros.
pub(super) fn without_accounts(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from_digit) = rest.split_at(start);
        let end = from_digit
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(from_digit.len());
        let (digits, after) = from_digit.split_at(end);
        out.push_str(before);
        out.push_str(if digits.len() == NO_ACCOUNT.len() {
            NO_ACCOUNT
        } else {
            digits
        });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A reason in one line: no account ids, no control or direction characters, at most 300 characters.
pub(super) fn one_line(text: &str) -> String {
    let clean = |c: char| {
        let hidden = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if hidden { ' ' } else { c }
    };
    // Cut after scrubbing: a cut inside an account id would leave half of it.
    without_accounts(text)
        .chars()
        .map(clean)
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_are_replaced_and_nothing_else() {
        for (text, expected) in [
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x-20240229-v1:0",
                "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.x-20240229-v1:0",
            ),
            (
                "user 210987654321 of 123456789012",
                "user 000000000000 of 000000000000",
            ),
            ("1234567890123", "1234567890123"),
            ("20240229", "20240229"),
            ("é123456789012é", "é000000000000é"),
            ("", ""),
        ] {
            assert_eq!(without_accounts(text), expected);
        }
    }

    #[test]
    fn reasons_are_one_short_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m\u{202e}c"), "a b [31m c");
        assert_eq!(one_line(&"x".repeat(1000)).len(), 300);
        let cut = format!("{}123456789012", "x".repeat(295));
        assert!(one_line(&cut).ends_with("x00000"));
    }
}
