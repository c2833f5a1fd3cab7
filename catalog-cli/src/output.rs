//! What is printed, and where: answers on stdout, everything else on stderr. A reader that went away
//! is no failure.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use bedrock_catalog::{CatalogError, CatalogErrorKind, QueryError, QueryErrorKind};
use serde::Serialize;
use serde_json::json;

/// Whether to colour, for both streams.
pub(crate) fn set_color(choice: anstream::ColorChoice) {
    choice.write_global();
}

/// Why a command fails, or its answer is no.
pub(crate) struct Failure {
    kind: &'static str,
    message: String,
    suggestions: Vec<String>,
    /// What could be typed instead.
    help: Option<String>,
    /// The command line itself is wrong.
    is_misuse: bool,
}

impl Failure {
    /// Each of the two allows a way in, but no way is allowed by both.
    pub(crate) fn forbidden(message: String) -> Self {
        Self {
            kind: QueryErrorKind::PolicyForbids.as_str(),
            message,
            suggestions: Vec::new(),
            help: None,
            is_misuse: false,
        }
    }

    /// A configuration was refused; `on_command_line` where its words stand there.
    pub(crate) fn from_configuration(error: CatalogError, on_command_line: bool) -> Self {
        let is_misuse = on_command_line && error.kind() == CatalogErrorKind::InvalidConfiguration;
        Self {
            is_misuse,
            ..Self::from(error)
        }
    }

    pub(crate) fn is_misuse(&self) -> bool {
        self.is_misuse
    }

    /// The work failed, for no reason of the question's.
    pub(crate) fn failed(message: String) -> Self {
        Self {
            kind: "failed",
            message,
            suggestions: Vec::new(),
            help: None,
            is_misuse: false,
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        let policy = error
            .suggestions()
            .first()
            .filter(|_| error.is_forbidden_by_policy());
        Self {
            kind: error.kind().as_str(),
            message: error.to_string(),
            suggestions: error.suggestions().to_vec(),
            help: policy.map(|policy| format!("allow it with --policy {policy}")),
            is_misuse: false,
        }
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        Self {
            kind: error.kind().as_str(),
            message: error.to_string(),
            suggestions: error.suggestions().to_vec(),
            help: None,
            is_misuse: false,
        }
    }
}

/// How answers are printed.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// One JSON document.
    pub(crate) fn json(&self, answer: &impl Serialize) {
        self.json_lines(std::iter::once(answer));
    }

    /// One JSON document a line.
    pub(crate) fn json_lines<A: Serialize>(&self, answers: impl Iterator<Item = A>) {
        let mut lines = String::new();
        for answer in answers {
            lines.push_str(&ascii(&serde_json::to_string(&answer).unwrap_or_default()));
            lines.push('\n');
        }
        print(&lines);
    }

    /// Text for people, already safe for a terminal.
    pub(crate) fn text(&self, text: &str) {
        print(text);
    }

    /// Prints a failure: the answer is no, or the work failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let Failure {
                kind,
                message,
                suggestions,
                ..
            } = failure;
            self.json(&json!({
                "error": { "kind": kind, "message": message, "suggestions": suggestions }
            }));
        }
        print_labelled("error", AnsiColor::Red, &plain(&failure.message));
        if let Some(help) = &failure.help {
            print_labelled("help", AnsiColor::Cyan, &plain(help));
        }
    }

    /// Why an answer may not be what the caller expected.
    pub(crate) fn note(&self, message: &str) {
        print_labelled("note", AnsiColor::Cyan, &plain(message));
    }

    /// What the caller should know besides.
    pub(crate) fn warn(&self, message: &str) {
        print_labelled("warning", AnsiColor::Yellow, &plain(message));
    }
}

fn print_labelled(word: &str, color: AnsiColor, message: &str) {
    let style = Style::new().bold().fg_color(Some(color.into()));
    let _ = writeln!(anstream::stderr(), "{style}{word}:{style:#} {message}");
}

fn print(text: &str) {
    let mut stdout = anstream::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    if let Err(error) = written {
        // A closed pipe is how `head` says that it has enough.
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            print_labelled("error", AnsiColor::Red, &format!("cannot print: {error}"));
            std::process::exit(1);
        }
    }
}

/// JSON in ASCII: the same document, and nothing in it can steer a terminal.
fn ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for letter in json.chars() {
        // Beyond ASCII, and DEL, stand in strings only.
        match letter.is_ascii() && letter != '\u{7f}' {
            true => ascii.push(letter),
            false => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    ascii.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    ascii
}

/// Untrusted text for a terminal: what is no letter, mark or sign that prints is escaped.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\'' | '\\' => plain.push(letter),
            letter => plain.extend(letter.escape_debug()),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What moves a cursor, turns the direction, hides, or ends a line.
    fn steers(letter: char) -> bool {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(
                letter,
                '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            )
            || matches!(letter, '\u{e0000}'..='\u{e0fff}')
    }

    #[test]
    fn no_letter_steers_a_terminal() {
        for letter in '\0'..=char::MAX {
            let text = plain(&letter.to_string());
            assert!(!text.contains(steers), "{letter:?}");
        }
        assert_eq!(
            plain("Claude \"Sonnet\" 4.6 — naïve \\ 日本"),
            "Claude \"Sonnet\" 4.6 — naïve \\ 日本"
        );
        assert_eq!(plain("a\u{1b}[2J\n\u{202e}"), "a\\u{1b}[2J\\n\\u{202e}");
    }

    #[test]
    fn json_is_the_same_document_in_printing_ascii() {
        for letter in '\0'..=char::MAX {
            let text = format!("a{letter}b");
            let json = ascii(&serde_json::to_string(&text).unwrap());
            assert!(
                json.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{letter:?}"
            );
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
