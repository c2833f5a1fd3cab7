//! From an id to its row: one perfect-hash table for baked catalogs, one hash table for catalogs
//! built at run time, one question for both.
//!
//! The perfect hash is of the `phf` family: `phf_generator` finds the displacements and
//! [`phf_shared::displace`] applies them. The hash of the key is ours, because the family's SipHash
//! is three quarters of a lookup. Nothing here names `phf::Map`, whose layout another crate of the
//! same build can change.

use crate::text::StaticList;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Where a catalog finds the row of an id.
pub(crate) enum Index {
    Baked(PerfectHash),
    Built(BuiltIndex),
}

impl Index {
    /// The number of the row whose id is `key`; `id_of` tells a row's id.
    #[inline]
    pub(crate) fn find<'a>(
        &self,
        key: &str,
        id_of: impl Fn(u16) -> Option<&'a str>,
    ) -> Option<u16> {
        match self {
            Self::Baked(table) => table.find(key, id_of),
            Self::Built(table) => table.find(key, id_of),
        }
    }
}

/// The index of a catalog built at run time. The hasher is seeded, so ids from outside cannot be
/// chosen to collide.
#[derive(Default)]
pub(crate) struct BuiltIndex {
    hasher: DefaultHashBuilder,
    rows: HashTable<u16>,
}

impl BuiltIndex {
    /// An index of distinct ids, in the order of their rows; `None` for more than 65,535.
    pub(crate) fn new<'a>(ids: impl ExactSizeIterator<Item = &'a str> + Clone) -> Option<Self> {
        use core::hash::BuildHasher;
        u16::try_from(ids.len()).ok()?;
        let hasher = DefaultHashBuilder::default();
        let mut rows = HashTable::with_capacity(ids.len());
        for (id, number) in ids.zip(0u16..) {
            // Never grows: the capacity holds all, so no row is hashed again.
            rows.insert_unique(hasher.hash_one(id), number, |_| 0);
        }
        Some(Self { hasher, rows })
    }

    pub(crate) fn find<'a>(
        &self,
        key: &str,
        id_of: impl Fn(u16) -> Option<&'a str>,
    ) -> Option<u16> {
        use core::hash::BuildHasher;
        self.rows
            .find(self.hasher.hash_one(key), |&number| {
                id_of(number) == Some(key)
            })
            .copied()
    }
}

/// A minimal perfect hash table over the ids of a baked catalog. A lookup reads one displacement
/// and one line, which holds the id itself: a miss touches nothing else.
///
/// Made by `bedrock-catalog-gen`; part of the hidden, versioned layout.
#[derive(Debug, Clone)]
pub struct PerfectHash {
    seed: u64,
    places: Modulus,
    displacements: StaticList<(u32, u32)>,
    lines: StaticList<Line>,
}

/// One place of the table, a cache line: an id, in words, and its row.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Line {
    words: Words,
    number: u16,
}

impl Line {
    /// The line of an id and its row.
    pub const fn new(id: &str, number: u16) -> Self {
        Self {
            words: Words::of(id.as_bytes()),
            number,
        }
    }
}

impl PerfectHash {
    /// A table as `phf_generator` solved it, and how many lines it has. An empty one answers nothing.
    pub const fn new(
        seed: u64,
        displacements: StaticList<(u32, u32)>,
        lines: StaticList<Line>,
        lines_len: u32,
    ) -> Self {
        Self {
            seed,
            places: Modulus::new(lines_len),
            displacements,
            lines,
        }
    }

    /// The parts, for the generator: seed, displacements, and the row of each line.
    pub fn parts(&self) -> (u64, &[(u32, u32)], impl Iterator<Item = u16>) {
        let rows = self.lines.iter().map(|line| line.number);
        (self.seed, &self.displacements, rows)
    }

    /// The row of a key; `id_of` tells a row's id.
    #[inline]
    pub fn find<'a>(&self, key: &str, id_of: impl Fn(u16) -> Option<&'a str>) -> Option<u16> {
        // Two kinds of keys, so that the branch is foreseen: region ids, and model and profile ids.
        match key.len() {
            16..=48 => self.find_by::<6>(key.as_bytes()),
            8..=15 => self.find_by::<2>(key.as_bytes()),
            _ => self.find_odd(key, id_of),
        }
    }

    /// Finds a key that its first `N` words hold whole. Not inlined: together the two would keep
    /// more registers than either needs.
    #[inline(never)]
    fn find_by<const N: usize>(&self, key: &[u8]) -> Option<u16> {
        let words = Words::take::<N>(key)?;
        let line = self.line(KeyHash::of::<N>(&words, self.seed))?;
        line.words.are::<N>(&words).then_some(line.number)
    }

    /// Finds a key that is too short or too long for the words alone; no id of today is.
    #[cold]
    #[inline(never)]
    fn find_odd<'a>(&self, key: &str, id_of: impl Fn(u16) -> Option<&'a str>) -> Option<u16> {
        let line = self.line(KeyHash::new(key, self.seed))?;
        (id_of(line.number)? == key).then_some(line.number)
    }

    #[inline(always)]
    fn line(&self, hash: KeyHash) -> Option<&Line> {
        let &(d1, d2) = self
            .displacements
            .get(hash.bucket(self.displacements.len()))?;
        let place = phf_shared::displace(hash.low(), hash.high(), d1, d2);
        self.lines.get(self.places.reduce(place))
    }
}

/// `x % divisor` by two multiplications (Lemire, Kaser and Kurz, "Faster remainder by direct
/// computation"): exact for every 32-bit `x`.
#[derive(Debug, Clone, Copy)]
struct Modulus {
    divisor: u32,
    reciprocal: u64,
}

impl Modulus {
    const fn new(divisor: u32) -> Self {
        // A divisor of 0 belongs to an empty table; everything is then out of its range.
        let reciprocal = match (u64::MAX).checked_div(divisor as u64) {
            Some(quotient) => quotient.wrapping_add(1),
            None => 0,
        };
        Self {
            divisor,
            reciprocal,
        }
    }

    #[inline]
    fn reduce(self, x: u32) -> usize {
        let fraction = self.reciprocal.wrapping_mul(u64::from(x));
        let remainder = (u128::from(fraction) * u128::from(self.divisor)) >> 64;
        remainder as usize
    }
}

/// A key as words, in little-endian order on every machine: all of a key of at most 48 bytes, of a
/// longer one its beginning, middle and end. Words may overlap; with the length they are
/// unambiguous.
#[derive(Debug, Clone, Copy)]
struct Words {
    words: [u64; 6],
    len: u32,
}

impl Words {
    /// The words of any key; a key of fewer than eight bytes is one word.
    const fn of(bytes: &[u8]) -> Self {
        let words = match bytes.len() {
            ..=15 => Self::take::<2>(bytes),
            _ => Self::take::<6>(bytes),
        };
        match words {
            Some(words) => words,
            None => Self::new([few(bytes), 0, 0, 0, 0, 0], bytes),
        }
    }

    /// The first and the last word of a key of at least 8 bytes (`N` is 2), or the first, middle
    /// and last two of one of at least 16 (`N` is 6).
    #[inline(always)]
    const fn take<const N: usize>(bytes: &[u8]) -> Option<Self> {
        if N == 2 {
            let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
                return None;
            };
            let (a, b) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
            return Some(Self::new([a, b, 0, 0, 0, 0], bytes));
        }
        let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
            return None;
        };
        let Some((_, rest)) = bytes.split_at_checked((bytes.len() - 16) / 2) else {
            return None;
        };
        let Some(middle) = rest.first_chunk() else {
            return None;
        };
        let ([a, b], [c, d], [e, f]) = (pair(first), pair(last), pair(middle));
        Some(Self::new([a, b, c, d, e, f], bytes))
    }

    const fn new(words: [u64; 6], bytes: &[u8]) -> Self {
        // No id is near 4 GiB; two lengths that are equal here would be told apart by their text.
        let len = bytes.len() as u32;
        Self { words, len }
    }

    /// Whether the lengths and the first `N` words are equal, without a call.
    #[inline(always)]
    fn are<const N: usize>(&self, other: &Self) -> bool {
        let pairs = self.words.iter().zip(&other.words).take(N);
        self.len == other.len && pairs.fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

#[inline]
const fn pair(block: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*block);
    [both as u64, (both >> 64) as u64]
}

/// At most eight bytes as one word. No id is that short, and of those only the words are asked.
#[cold]
#[inline(never)]
const fn few(mut bytes: &[u8]) -> u64 {
    let mut word = 0;
    while let Some((&byte, rest)) = bytes.split_first() {
        word = (word << 8) | byte as u64;
        bytes = rest;
    }
    word
}

/// The hash of an id under a seed: 64 bits, folded by wide multiplication (the scheme of wyhash and
/// foldhash).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHash(u64);

const MIX: [u64; 3] = [
    0x9e37_79b9_7f4a_7c15,
    0xbf58_476d_1ce4_e5b9,
    0x94d0_49bb_1331_11eb,
];

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

impl KeyHash {
    /// The hash of a key. The generator must check that its keys' hashes are distinct.
    pub fn new(key: &str, seed: u64) -> Self {
        let words = Words::of(key.as_bytes());
        match key.len() {
            ..=15 => Self::of::<2>(&words, seed),
            16..=48 => Self::of::<6>(&words, seed),
            _ => Self::of::<6>(&words, seed).and_all(key.as_bytes()),
        }
    }

    /// The hash of the first `N` words.
    #[inline(always)]
    fn of<const N: usize>(words: &Words, seed: u64) -> Self {
        let [a, b, c, d, e, f] = words.words;
        let [mix_a, mix_b, mix_c] = MIX;
        let mut hash = fold(a ^ seed, b ^ mix_a);
        if N > 2 {
            hash ^= fold(c ^ mix_b, d ^ seed) ^ fold(e ^ seed, f ^ mix_c);
        }
        Self(hash.wrapping_add(u64::from(words.len)))
    }

    /// With all of a long key.
    #[cold]
    #[inline(never)]
    fn and_all(self, bytes: &[u8]) -> Self {
        let [mix, ..] = MIX;
        let blocks = bytes.chunks(8);
        Self(blocks.fold(self.0, |hash, block| fold(hash ^ few(block), mix)))
    }

    /// The half that names the place.
    #[inline]
    pub fn low(self) -> u32 {
        self.0 as u32
    }

    /// The half that names the bucket, and the place with the other.
    #[inline]
    pub fn high(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The bucket among so many: less than that, so the generator's own reduction keeps it.
    #[inline]
    pub fn bucket(self, buckets: usize) -> usize {
        ((u64::from(self.high()) * buckets as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reduction_is_the_remainder() {
        for divisor in [1u32, 2, 3, 5, 41, 50, 123, 150, 349, 65_535, u32::MAX] {
            let modulus = Modulus::new(divisor);
            for x in [
                0u32,
                1,
                2,
                149,
                150,
                65_536,
                1 << 31,
                u32::MAX - 1,
                u32::MAX,
            ] {
                assert_eq!(modulus.reduce(x), (x % divisor) as usize, "{x} % {divisor}");
            }
        }
    }

    #[test]
    fn the_hash_is_the_same_on_every_machine() {
        // Fixed values: a big-endian or 32-bit machine must read the tables made on this one.
        for (key, low, high) in GOLDEN {
            let hash = KeyHash::new(key, 7);
            assert_eq!((hash.low(), hash.high()), (low, high), "{key:?}");
        }
    }

    const GOLDEN: [(&str, u32, u32); 5] = [
        ("", 2064213143, 1401181202),
        ("us", 3094714901, 197455674),
        ("eu-west-1", 514072364, 3945383678),
        ("amazon.nova-pro-v1:0", 677665229, 3845130743),
        (
            "us.stability.stable-image-remove-background-v1:0",
            79467159,
            2022957205,
        ),
    ];
}
