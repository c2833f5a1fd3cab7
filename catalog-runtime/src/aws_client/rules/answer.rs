//! What an answer says that is not to be kept: that something is on its way, or a secret. This file may not
//! know who asked what.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::Rules;

/// What a member is called that says how far something is.
const STATUSES: [&[u8]; 2] = [b"tatus", b"tate"];

/// The longest word for a status that is looked at.
const LONGEST_STATUS: usize = 64;

/// What joins the words of a status: `CREATE_IN_PROGRESS`.
fn is_join(byte: &u8) -> bool {
    matches!(byte, b'_' | b'-')
}

/// Whether the text begins with the whole word.
fn begins(text: &[u8], word: &str) -> bool {
    text.split_at_checked(word.len()).is_some_and(|(is, rest)| {
        word.as_bytes().eq_ignore_ascii_case(is) && rest.first().is_none_or(is_join)
    })
}

/// Whether it is CBOR: a map, whose first byte no text begins with.
fn is_cbor(body: &[u8]) -> bool {
    matches!(body.first(), Some(0xa0..=0xbf))
}

/// The text that begins here, should one begin here: its length stands before it.
fn cbor_text(from: &[u8]) -> Option<&[u8]> {
    match from {
        [length @ 0x60..=0x77, text @ ..] => text.get(..usize::from(length - 0x60)),
        [0x78, length, text @ ..] => text.get(..usize::from(*length)),
        _ => None,
    }
}

impl Rules {
    pub(super) fn with_telling(mut self) -> Self {
        let words = self.secrets.iter().map(String::as_bytes);
        let mut builder = AhoCorasick::builder();
        // Its speed is that of the answer's bytes, however many words there are.
        let builder = builder
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA));
        self.telling = builder.build(words.chain(STATUSES)).ok();
        self
    }

    /// Why an answer is not to be kept, if that is said in it. Most answers hold none of the words that
    /// are looked for, and all of these are looked for at once.
    pub(in super::super) fn why_not_kept(&self, body: &[u8]) -> Option<&'static str> {
        if !self
            .telling
            .as_ref()
            .is_none_or(|words| words.is_match(body))
        {
            None
        } else if self.is_unsettled(body) {
            Some("it says that something is on its way")
        } else {
            self.is_secret(body).then_some("it holds a secret")
        }
    }

    /// Whether an answer says that something is on its way: the next one will be another. That is said in a
    /// status or a state, under whatever longer name; most answers have neither. A word may be a part of
    /// a longer one, as in `CREATE_IN_PROGRESS`.
    pub(in super::super) fn is_unsettled(&self, body: &[u8]) -> bool {
        let has = |part: &[u8]| memchr::memmem::find(body, part).is_some();
        if !STATUSES.into_iter().any(has) {
            return false;
        }
        let letter = |byte: u8| 1_u32 << (byte.to_ascii_lowercase().wrapping_sub(b'a') & 31);
        let firsts = self.unsettled.iter().filter_map(|word| word.bytes().next());
        let firsts = firsts.fold(0, |firsts, byte| firsts | letter(byte));
        let says = |value: &[u8]| {
            let joins = value.iter().enumerate().filter(|(_, byte)| is_join(byte));
            let starts = std::iter::once(0).chain(joins.map(|(at, _)| at + 1));
            let texts = starts.filter_map(|at| value.get(at..));
            texts
                .filter(|text| text.first().is_some_and(|byte| firsts & letter(*byte) != 0))
                .any(|text| self.unsettled.iter().any(|word| begins(text, word)))
        };
        if is_cbor(body) {
            let mut texts = (0..body.len()).filter_map(|at| cbor_text(body.get(at..)?));
            return texts.any(says);
        }
        memchr::memchr2_iter(b'"', b'>', body)
            .filter_map(|at| body.get(at + 1..))
            .filter_map(|text| {
                let value = text.get(..LONGEST_STATUS).unwrap_or(text);
                value.get(..memchr::memchr2(b'"', b'<', value)?)
            })
            .any(says)
    }

    /// Whether an answer has a member that is called like a secret, or a link with such a parameter,
    /// whatever the operation is called. A name may be longer than the word: `MasterUserPassword`.
    pub(in super::super) fn is_secret(&self, body: &[u8]) -> bool {
        let Some(telling) = &self.telling else {
            return !self.secrets.is_empty();
        };
        // In another format nothing stands after a name.
        let is_text = matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'<'));
        telling
            .find_overlapping_iter(body)
            .filter(|found| found.pattern().as_usize() < self.secrets.len())
            .any(|found| !is_text || ends_a_name(body.get(found.end()..).unwrap_or_default()))
    }
}

/// Whether what follows a word says that a name ended with it.
fn ends_a_name(rest: &[u8]) -> bool {
    if matches!(rest.first(), Some(b'>' | b'=')) {
        return true;
    }
    // JSON may be within a text of JSON.
    let rest = rest.strip_prefix(b"\\").unwrap_or(rest);
    let rest = rest.strip_prefix(b"\"").map(<[u8]>::trim_ascii_start);
    rest.is_some_and(|rest| rest.first() == Some(&b':'))
}
