//! The owner of an entry, as a hash.

use std::fmt;
use std::str::FromStr;

use hmac_sha256::Hash;

use crate::hex;

/// The owner of entries: a hash of parts, such as a partition and an account. The parts are not visible
/// in it, but a short one, such as an account id, can be found by trying all. A namespace is discreet, not
/// secret.
///
/// An entry of one namespace is never an answer in another: tiers and the envelope both check.
///
/// ```
/// use bedrock_catalog_cache::Namespace;
///
/// let one = Namespace::of(["tenant", "one"]);
/// assert_ne!(one, Namespace::of(["tenant", "two"]));
/// assert_eq!(one.to_string().len(), 32);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace(u128);

impl Namespace {
    /// The namespace of these parts. Different lists of parts have different namespaces.
    #[must_use]
    pub fn of<I>(parts: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut hash = Hash::new();
        for part in parts {
            let part = part.as_ref().as_bytes();
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut half = [0; 16];
        half.iter_mut()
            .zip(hash.finalize())
            .for_each(|(to, from)| *to = from);
        Self(u128::from_be_bytes(half))
    }
}

impl fmt::Display for Namespace {
    /// 32 lower-case hexadecimal digits, safe as the name of a folder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({self})")
    }
}

impl FromStr for Namespace {
    type Err = NotANamespace;

    fn from_str(text: &str) -> Result<Self, NotANamespace> {
        if text.len() != 32 || !hex::is_lower(text) {
            return Err(NotANamespace);
        }
        u128::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| NotANamespace)
    }
}

/// The error of a text that is not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANamespace;

impl fmt::Display for NotANamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a namespace is 32 lower-case hexadecimal digits")
    }
}

impl std::error::Error for NotANamespace {}
