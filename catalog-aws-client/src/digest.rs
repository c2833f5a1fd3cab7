//! The digest of a question, and how what goes into it is written down, so that no two different
//! questions are written alike. This file may not know what a question is.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Longer heads are not remembered, in bytes.
const LONGEST: usize = 1024;

/// With its length first, so that where one ends and the next begins is part of the hash.
#[inline]
pub(super) fn feed(into: &mut Vec<u8>, bytes: &[u8]) {
    feed_number(into, bytes.len());
    into.extend_from_slice(bytes);
}

/// Seven bits in a byte, the last one without the eighth: most are one byte, and none begins another.
#[inline]
pub(super) fn feed_number(into: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// The last head and what hashing it came to: who asks, where and for which operation is mostly the
/// same, and longer than what is asked.
#[derive(Default)]
pub(super) struct Heads(Mutex<Option<(Vec<u8>, [u8; 32])>>);

impl Heads {
    /// The digest of a head and what comes after it: of the latter, keyed with that of the head.
    pub(super) fn digest(&self, head: &[u8], rest: &[u8]) -> [u8; 32] {
        blake3::keyed_hash(&self.of_head(head), rest).into()
    }

    fn of_head(&self, head: &[u8]) -> [u8; 32] {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, digest)) = last.as_ref()
            && *of == head
        {
            return *digest;
        }
        let digest = blake3::hash(head).into();
        if head.len() <= LONGEST {
            *last = Some((head.to_vec(), digest));
        }
        digest
    }
}

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heads").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedrock_catalog_cache::hex;

    #[test]
    fn what_is_remembered_changes_no_digest() {
        let heads = Heads::default();
        let (one, other, long) = ([1; 100], [2; 100], vec![7; 2 * LONGEST]);
        let all: [(&[u8], &[u8]); 7] = [
            (b"short", b"rest"),
            (&one, b"rest"),
            (&one, b"rest"),
            (&one, b""),
            (&other, b"rest"),
            (&long, b"rest"),
            (&one, b"rest"),
        ];
        for (head, rest) in all {
            let plain = blake3::keyed_hash(blake3::hash(head).as_bytes(), rest);
            assert_eq!(&heads.digest(head, rest), plain.as_bytes());
        }
        // They are in what processes share.
        let digest = hex::lower(&heads.digest(b"head", b"rest"));
        assert_eq!(
            digest,
            "7bb74b90d9ec9a4f24e7db6102d37bc7786048c53d94a7dec3d6e36f3510d59c"
        );
    }

    #[test]
    fn no_list_is_fed_like_another() {
        let fed = |parts: &[&[u8]]| {
            let mut into = Vec::new();
            parts.iter().for_each(|part| feed(&mut into, part));
            into
        };
        let long = [1; 300];
        assert_eq!(fed(&[&long]).len(), 302);
        assert_ne!(fed(&[b"ab", b"c"]), fed(&[b"a", b"bc"]));
        assert_ne!(fed(&[b""]), fed(&[b"", b""]));
        assert_ne!(fed(&[&long]), fed(&[&long[..299], b"\x01"]));
    }
}
