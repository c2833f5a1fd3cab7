//! Keys and the patterns that select them.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use foldhash::quality::RandomState;
use hmac_sha256::Hash as Sha256;

use crate::hex;

/// The name of an entry: `resource:operation:identifier`, then any number of `:sub`.
///
/// Parts may hold any text. A character other than a letter, a digit or one of `. _ - / @ + =` is written
/// as `%XX`, so different lists of parts make different keys. A key longer than [`Key::MAX_LEN`] keeps its
/// leading whole parts and ends in `~` and the SHA-256 of all of it. Cloning is cheap.
///
/// ```
/// use bedrock_catalog_cache::Key;
///
/// let key = Key::new("reports", "list", "berlin").sub("page:2");
/// assert_eq!(key.as_str(), "reports:list:berlin:page%3A2");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    text: Arc<str>,
    /// The hash of the text in this process: a key is looked up in several tables during a call.
    hash: u64,
}

impl Key {
    /// The longest text of a key, in bytes.
    pub const MAX_LEN: usize = 200;

    /// The key of these three parts.
    #[must_use]
    pub fn new(resource: &str, operation: &str, identifier: &str) -> Self {
        let mut text = String::with_capacity(Self::MAX_LEN);
        escape(resource, &mut text);
        for part in [operation, identifier] {
            text.push(':');
            escape(part, &mut text);
        }
        Self::bounded(text)
    }

    /// The key of these parts, at least three: an empty one is added for each that is missing.
    ///
    /// ```
    /// use bedrock_catalog_cache::Key;
    ///
    /// let key = Key::from_parts(["reports", "list", "berlin", "page:2"]);
    /// assert_eq!(key, Key::new("reports", "list", "berlin").sub("page:2"));
    /// ```
    #[must_use]
    pub fn from_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::with_capacity(Self::MAX_LEN);
        let mut count = 0;
        for part in parts {
            if count > 0 {
                text.push(':');
            }
            escape(part, &mut text);
            count += 1;
        }
        for _ in count.max(1)..3 {
            text.push(':');
        }
        Self::bounded(text)
    }

    /// This key with one more part.
    #[must_use]
    pub fn sub(&self, part: &str) -> Self {
        let mut text = String::with_capacity(self.text.len() + 1 + part.len());
        text.push_str(&self.text);
        text.push(':');
        escape(part, &mut text);
        Self::bounded(text)
    }

    /// The key with this text, or `None` where no key has it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, short) = match text.split_once('~') {
            None => (text, None),
            Some((kept, rest)) => (kept, Some(rest)),
        };
        let is_key = match short {
            None => whole.split(':').count() >= 3,
            // The kept parts end with their colon; parts may have been added after the hash.
            Some(rest) => {
                let (hash, _) = rest.split_once(':').unwrap_or((rest, ""));
                (whole.is_empty() || whole.ends_with(':'))
                    && hash.len() == 64
                    && hex::is_lower(hash)
            }
        };
        let mut parts = whole.split(':').chain(short.unwrap_or("").split(':'));
        (is_key && text.len() <= Self::MAX_LEN && parts.all(is_escaped))
            .then(|| Self::written(text.into()))
    }

    /// The text of the key: ASCII, without spaces or control characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the text of the key begins with `prefix`, or may have done so before it was shortened. Tiers
    /// scan with this: an invalidation may reach too far, but never not far enough.
    #[must_use]
    pub fn starts_with(&self, prefix: &str) -> bool {
        self.text.starts_with(prefix) || self.kept().is_some_and(|kept| prefix.starts_with(kept))
    }

    /// The leading parts that are left of a shortened key.
    fn kept(&self) -> Option<&str> {
        self.text.split_once('~').map(|(kept, _)| kept)
    }

    fn written(text: Arc<str>) -> Self {
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
        let hash = SEED.hash_one(&*text);
        Self { text, hash }
    }

    fn bounded(text: String) -> Self {
        if text.len() <= Self::MAX_LEN {
            return Self::written(text.into());
        }
        let room = Self::MAX_LEN - 65;
        // Whole parts only; an already shortened key is cut before its mark.
        let end = text.find('~').unwrap_or(text.len()).min(room);
        let kept = text
            .get(..end)
            .and_then(|head| head.rfind(':'))
            .and_then(|colon| text.get(..=colon))
            .unwrap_or("");
        let hash = hex::lower(&Sha256::hash(text.as_bytes()));
        Self::written(format!("{kept}~{hash}").into())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.text)
    }
}

/// A set of keys: one, those under leading parts, or those that match a glob.
///
/// ```
/// use bedrock_catalog_cache::{Key, Pattern};
///
/// let key = Key::new("reports", "list", "berlin");
/// assert!(Pattern::under(["reports", "list"]).matches(&key));
/// assert!(!Pattern::under(["reports", "li"]).matches(&key));
/// assert!(Pattern::glob("reports:*:ber*").matches(&key));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Exact(Key),
    /// The key is this text, or goes on after it with a colon.
    Under(String),
    Glob(String),
    Any(Vec<Pattern>),
}

impl Pattern {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self::glob("*")
    }

    /// One key.
    #[must_use]
    pub fn exact(key: &Key) -> Self {
        Self(Kind::Exact(key.clone()))
    }

    /// The keys whose first parts are these.
    #[must_use]
    pub fn under<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut text = String::new();
        let mut some = false;
        for part in parts {
            if some {
                text.push(':');
            }
            some = true;
            escape(part, &mut text);
        }
        if some {
            Self(Kind::Under(text))
        } else {
            Self::all()
        }
    }

    /// The keys whose text matches the glob: `*` stands for any text, `?` for one character.
    #[must_use]
    pub fn glob(text: &str) -> Self {
        Self(Kind::Glob(text.into()))
    }

    /// The keys that match one of these, in one scan of a tier. Without any pattern, no key.
    ///
    /// ```
    /// use bedrock_catalog_cache::{Key, Pattern};
    ///
    /// let either = Pattern::any([Pattern::under(["users"]), Pattern::glob("groups:list:*")]);
    /// assert!(either.matches(&Key::new("users", "get", "u-1")));
    /// assert!(!either.matches(&Key::new("groups", "get", "g-1")));
    /// ```
    #[must_use]
    pub fn any(patterns: impl IntoIterator<Item = Self>) -> Self {
        Self(Kind::Any(patterns.into_iter().collect()))
    }

    /// Whether the key matches. A shortened key whose hidden part decides does: an invalidation had rather
    /// remove too much than too little.
    #[must_use]
    pub fn matches(&self, key: &Key) -> bool {
        match &self.0 {
            Kind::Exact(exact) => exact == key,
            Kind::Under(text) => {
                let under = |rest: &str| rest.is_empty() || rest.starts_with(':');
                key.as_str().strip_prefix(text.as_str()).is_some_and(under)
                    || key.kept().is_some_and(|kept| text.starts_with(kept))
            }
            Kind::Glob(glob) => {
                glob_matches(glob.as_bytes(), key.as_str().as_bytes())
                    || key
                        .kept()
                        .is_some_and(|kept| glob_may_go_on(glob.as_bytes(), kept.as_bytes()))
            }
            Kind::Any(patterns) => patterns.iter().any(|pattern| pattern.matches(key)),
        }
    }

    /// A text that every matching key [starts with](Key::starts_with), to narrow a scan.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match &self.0 {
            Kind::Exact(key) => key.as_str(),
            Kind::Under(text) => text,
            Kind::Glob(glob) => glob.split(['*', '?']).next().unwrap_or(""),
            Kind::Any(patterns) => {
                let mut prefixes = patterns.iter().map(Self::prefix);
                let first = prefixes.next().unwrap_or("");
                prefixes.fold(first, common)
            }
        }
    }

    /// The pattern as ASCII words with a space between, for a message; [`Pattern::read`] reads it. It
    /// may reach a little further than this one.
    #[cfg(any(feature = "redis", test))]
    pub(crate) fn write(&self) -> String {
        match &self.0 {
            Kind::Exact(key) => format!("={key}"),
            Kind::Under(text) => format!("/{text}"),
            // Keys are printing ASCII: nothing else in a glob is to be found in one.
            Kind::Glob(glob) => {
                let plain = |b: u8| if b.is_ascii_graphic() { b } else { b'?' };
                let glob = glob.bytes().map(|b| char::from(plain(b)));
                std::iter::once('*').chain(glob).collect()
            }
            Kind::Any(patterns) => {
                let words: Vec<String> = patterns.iter().map(Self::write).collect();
                words.join(" ")
            }
        }
    }

    /// The pattern of these words; `None` where they are none.
    #[cfg(any(feature = "redis", test))]
    pub(crate) fn read<'a>(words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let one = |word: &str| {
            let (kind, text) = word.split_at_checked(1)?;
            let is_plain = text.bytes().all(|b| b.is_ascii_graphic());
            match kind {
                "=" => Key::parse(text).map(Kind::Exact),
                "/" if is_plain => Some(Kind::Under(text.to_owned())),
                "*" if is_plain => Some(Kind::Glob(text.to_owned())),
                _ => None,
            }
        };
        let mut all: Vec<Self> = words
            .map(|word| one(word).map(Self))
            .collect::<Option<_>>()?;
        match all.len() {
            0 => None,
            1 => all.pop(),
            _ => Some(Self(Kind::Any(all))),
        }
    }

    /// The one key, where the pattern is one key.
    #[must_use]
    pub fn as_exact(&self) -> Option<&Key> {
        match &self.0 {
            Kind::Exact(key) => Some(key),
            _ => None,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Exact(key) => key.fmt(f),
            Kind::Under(text) => write!(f, "{text}:*"),
            Kind::Glob(glob) => f.write_str(glob),
            Kind::Any(patterns) => {
                for (index, pattern) in patterns.iter().enumerate() {
                    if index > 0 {
                        f.write_str(" | ")?;
                    }
                    pattern.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

/// The common beginning. Keys are ASCII, so any byte is a place to cut.
fn common<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
    one.get(..same.count()).unwrap_or("")
}

/// Two pointers and one step back to the last `*`: no recursion, at most `glob × text` steps.
pub(crate) fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                retry = Some((g, t));
                g += 1;
            }
            Some(b) if *b == b'?' || text.get(t) == Some(b) => {
                g += 1;
                t += 1;
            }
            _ => match &mut retry {
                Some((star, from)) => {
                    *from += 1;
                    (g, t) = (*star + 1, *from);
                }
                None => return false,
            },
        }
    }
    glob.get(g..)
        .is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

/// Whether some text that begins with `kept` matches.
fn glob_may_go_on(glob: &[u8], kept: &[u8]) -> bool {
    for (index, byte) in kept.iter().enumerate() {
        match glob.get(index) {
            // From the first star on anything may follow; the literal before it agreed.
            Some(b'*') => return true,
            Some(b'?') => {}
            Some(b) if b == byte => {}
            _ => return false,
        }
    }
    true
}

/// Letters, digits and `. _ - / @ + =`, as ranges.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'+' | b'-'..=b'9' | b'=' | b'@'..=b'Z' | b'_' | b'a'..=b'z')
}

fn escape(part: &str, into: &mut String) {
    if part.bytes().all(is_plain) {
        return into.push_str(part);
    }
    for byte in part.bytes() {
        if is_plain(byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            hex::push_upper(byte, into);
        }
    }
}

/// Whether this is a result of [`escape`]: only the necessary characters are escaped, in one way.
fn is_escaped(part: &str) -> bool {
    let mut pieces = part.split('%');
    let is_plain_text = |text: &str| text.bytes().all(is_plain);
    pieces.next().is_some_and(is_plain_text)
        && pieces.all(|piece| {
            piece.split_at_checked(2).is_some_and(|(digits, rest)| {
                let is_upper = !digits.bytes().any(|b| b.is_ascii_lowercase() || b == b'+');
                let byte = u8::from_str_radix(digits, 16).ok();
                is_upper && byte.is_some_and(|byte| !is_plain(byte)) && is_plain_text(rest)
            })
        })
}
