//! What an answer says that is not to be kept: that something is on its way, or a secret. This file may not
//! know who asked what.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use wide::u8x32;

use super::Rules;

/// Whether there is a word for a status or a state anywhere: it may say how far something is.
fn has_status(body: &[u8]) -> bool {
    static TA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"ta"));
    let is_status = |rest: &[u8]| rest.starts_with(b"tus") || rest.starts_with(b"te");
    TA.find_iter(body)
        .any(|at| body.get(at + 2..).is_some_and(is_status))
}

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
    /// Why an answer is not to be kept, if that is said in it.
    pub(in super::super) fn why_not_kept(&self, body: &[u8]) -> Option<&'static str> {
        if self.is_unsettled(body) {
            Some("it says that something is on its way")
        } else {
            self.is_secret(body).then_some("it holds a secret")
        }
    }

    /// Whether an answer says that something is on its way: the next one will be another. That is said in a
    /// status or a state, under whatever longer name; most answers have neither. A word may be a part of
    /// a longer one, as in `CREATE_IN_PROGRESS`.
    pub(in super::super) fn is_unsettled(&self, body: &[u8]) -> bool {
        if !has_status(body) {
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
        if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'<')) {
            // A format where nothing stands after a name.
            return (0..=body.len())
                .any(|at| self.ends_in_secret(body.get(..at).unwrap_or_default()));
        }
        any_mark(body, |name| match name.last_chunk::<5>() {
            Some([.., b'\\', b'"']) => self.is_secret_before(body, name.len()),
            // Nearly all are told apart here.
            Some([letters @ .., b'"']) => {
                self.ends.may_be(letters) && self.is_secret_before(body, name.len())
            }
            _ => self.is_secret_before(body, name.len()),
        })
    }

    /// Whether the sign that stands here stands after a secret's name.
    #[cold]
    fn is_secret_before(&self, body: &[u8], at: usize) -> bool {
        let name = body.get(..at).unwrap_or_default();
        match body.get(at) {
            Some(b':') => self.ends_in_secret(unquoted(name)),
            Some(b'=' | b'>') => self.ends_in_secret(name),
            _ => false,
        }
    }

    fn ends_in_secret(&self, text: &[u8]) -> bool {
        self.ends.may_have(text) && self.secrets.iter().any(|word| ends_with(text, word))
    }
}

/// A name without the end of its quotes; empty where it has none. JSON may be within a text of JSON, and that
/// within another.
fn unquoted(text: &[u8]) -> &[u8] {
    // Also as XML writes it in a text, and some who write JSON within JSON.
    const QUOTES: [&[u8]; 3] = [b"\"", b"&quot;", b"\\u0022"];
    let text = text.trim_ascii_end();
    let mut names = QUOTES.iter().filter_map(|quote| text.strip_suffix(*quote));
    let mut text = names.next().unwrap_or_default();
    while let [shorter @ .., b'\\'] = text {
        text = shorter;
    }
    text
}

/// Whether something is it that ends where a name may end: before a `:`, a `=` or a `>`, and some others. There
/// is one every few bytes, and to begin a search anew at each takes longer than to look at all bytes.
fn any_mark(body: &[u8], is_it: impl Fn(&[u8]) -> bool) -> bool {
    const WIDTH: usize = 64;
    let marks = |half: &[u8; WIDTH / 2]| {
        let above = u8x32::from(*half) - u8x32::splat(b':');
        let is_mark = above.min(u8x32::splat(b'>' - b':')).simd_eq(above);
        u64::from(is_mark.to_bitmask())
    };
    let any = |from: usize, block: &[u8; WIDTH]| {
        let ([low, high], _) = block.as_chunks() else {
            return false;
        };
        let mut open = marks(low) | marks(high) << (WIDTH / 2);
        while open != 0 {
            let at = from + open.trailing_zeros() as usize;
            if body.get(..at).is_some_and(&is_it) {
                return true;
            }
            open &= open - 1;
        }
        false
    };
    let (blocks, rest) = body.as_chunks();
    let mut last = [0; WIDTH];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let mut blocks = (0..).step_by(WIDTH).zip(blocks.iter().chain([&last]));
    blocks.any(|(from, block)| any(from, block))
}

fn ends_with(name: &[u8], word: &str) -> bool {
    let cut = name.len().checked_sub(word.len());
    let end = cut.and_then(|cut| name.get(cut..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
}

/// How secrets' names end, by their last four letters: most names are told apart by that.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends([u64; 16]);

impl Ends {
    pub(super) fn of(words: &[String]) -> Self {
        let mut ends = Self::default();
        let letters = words.iter().filter_map(|word| word.as_bytes().last_chunk());
        for (at, bit) in letters.map(|letters| Self::place(*letters)) {
            if let Some(bits) = ends.0.get_mut(at) {
                *bits |= 1 << bit;
            }
        }
        ends
    }

    fn may_have(&self, name: &[u8]) -> bool {
        name.last_chunk()
            .is_some_and(|letters| self.may_be(letters))
    }

    fn may_be(&self, letters: &[u8; 4]) -> bool {
        let (at, bit) = Self::place(*letters);
        self.0.get(at).is_some_and(|bits| bits >> bit & 1 != 0)
    }

    /// A place among 16 times 64, the same for either case.
    fn place(letters: [u8; 4]) -> (usize, u32) {
        let letters = u32::from_le_bytes(letters) | 0x2020_2020;
        let hash = letters.wrapping_mul(0x9E37_79B1) >> 22;
        (hash as usize / 64, hash % 64)
    }
}
