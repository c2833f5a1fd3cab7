//! Escaping of untrusted text for terminals, Markdown and JSON.

/// The longest text that is shown completely, in characters. Ids have less than 100.
const MAX_CHARS: usize = 200;

/// A text, truncated with its length if it is too long.
pub(crate) fn truncated(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => {
            let beginning = text.get(..end).unwrap_or_default();
            format!("{beginning}...({} characters)", text.chars().count())
        }
    }
}

/// Escapes backslashes, and characters that do not print or change the direction of a line.
pub(crate) fn for_terminal(text: &str) -> String {
    let letters = text.chars().flat_map(|letter| match letter {
        '"' | '\'' => vec![letter],
        letter => letter.escape_debug().collect(),
    });
    letters.collect()
}

/// A code span of ASCII characters. Characters with a meaning in Markdown, HTML or on GitHub are escaped
/// as `\u{…}`, for parsers that do not respect code spans.
pub(crate) fn code_span(text: &str) -> String {
    let mut span = String::with_capacity(text.len() + 2);
    span.push('`');
    let last = text.chars().count().saturating_sub(1);
    for (position, letter) in text.chars().enumerate() {
        match letter {
            ' ' if position != 0 && position != last => span.push(letter),
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

/// JSON in ASCII: other characters, which occur in strings only, become `\uXXXX`.
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
    fn code_spans_escape_markup() {
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
    fn long_texts_are_truncated_between_characters() {
        let text = "é".repeat(10_000);
        let short = truncated(&text);
        assert!(short.starts_with("éé") && short.ends_with("...(10000 characters)"));
        assert_eq!(truncated("short"), "short");
    }

    #[test]
    fn ascii_json_has_the_same_value() {
        let text = "é\u{202e}🦀\u{7f}\0\"\\";
        let json = ascii_json(&serde_json::to_string(text).unwrap());
        assert!(json.is_ascii() && !json.contains('\u{7f}'));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
