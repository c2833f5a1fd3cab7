//! Untrusted text made harmless: for a terminal, for Markdown, and in JSON. One function for each.

/// The longest text that is shown whole, in characters. No real id has a hundred.
const LONGEST: usize = 200;

/// A text, or its beginning and its length.
pub(crate) fn clipped(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => {
            let beginning = text.get(..end).unwrap_or_default();
            format!("{beginning}...({} characters)", text.chars().count())
        }
    }
}

/// What does not print, or turns the direction of a line, is escaped; so is the escape itself.
pub(crate) fn for_terminal(text: &str) -> String {
    let letters = text.chars().flat_map(|letter| match letter {
        '"' | '\'' => vec![letter],
        letter => letter.escape_debug().collect(),
    });
    letters.collect()
}

/// A code span of plain ASCII. All that means anything to Markdown, to HTML or to GitHub stands as
/// `\u{…}`, so the span ends where it should even for a reader that is not strict.
pub(crate) fn code_span(text: &str) -> String {
    let mut span = String::with_capacity(text.len() + 2);
    span.push('`');
    let last = text.chars().count().saturating_sub(1);
    for (place, letter) in text.chars().enumerate() {
        match letter {
            ' ' if place != 0 && place != last => span.push(letter),
            letter if letter.is_ascii_alphanumeric() => span.push(letter),
            '-' | '.' | ':' | '_' | '/' | '+' | ',' | '(' | ')' => span.push(letter),
            letter => span.extend(letter.escape_unicode()),
        }
    }
    if text.is_empty() {
        span.push_str("(empty)");
    }
    span.push('`');
    span
}

/// JSON of ASCII alone: all else stands as `\uXXXX`. (Outside of strings JSON has nothing else.)
pub(crate) fn ascii_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for letter in json.chars() {
        match letter {
            '\u{7f}' => text.push_str("\\u007f"),
            letter if letter.is_ascii() => text.push(letter),
            letter => {
                for unit in letter.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_hold_what_they_should() {
        for (text, span) in [
            ("amazon.nova-pro-v1:0", "`amazon.nova-pro-v1:0`"),
            ("Llama 3 (8B)", "`Llama 3 (8B)`"),
            ("a`b", "`a\\u{60}b`"),
            ("\\", "`\\u{5c}`"),
            (" a ", "`\\u{20}a\\u{20}`"),
            ("@everyone #1", "`\\u{40}everyone \\u{23}1`"),
            ("\u{202e}", "`\\u{202e}`"),
            ("", "`(empty)`"),
        ] {
            assert_eq!(code_span(text), span);
        }
    }

    #[test]
    fn long_texts_are_clipped_between_characters() {
        let text = "é".repeat(10_000);
        let short = clipped(&text);
        assert!(short.starts_with("éé") && short.ends_with("...(10000 characters)"));
        assert_eq!(clipped("short"), "short");
    }

    #[test]
    fn json_is_ascii_and_the_same() {
        let text = "é\u{202e}🦀\u{7f}\0\"\\";
        let json = ascii_json(&serde_json::to_string(text).unwrap());
        assert!(json.is_ascii() && !json.contains('\u{7f}'));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
