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
        for (number, id) in (0u16..).zip(ids) {
            // Never grows: the capacity holds all, so no row is hashed again.
            rows.insert_unique(hasher.hash_one(id), number, |_| 0);
        }
        Some(Self { hasher, rows })
    }

    fn find<'a>(&self, key: &str, id_of: impl Fn(u16) -> Option<&'a str>) -> Option<u16> {
        use core::hash::BuildHasher;
        self.rows
            .find(self.hasher.hash_one(key), |&number| {
                id_of(number) == Some(key)
            })
            .copied()
    }
}

/// A minimal perfect hash table over the ids of a baked catalog.
///
/// Made by `bedrock-catalog-gen`; part of the hidden, versioned layout.
#[derive(Debug, Clone)]
pub struct PerfectHash {
    seed: u64,
    buckets: Modulus,
    slots_len: Modulus,
    displacements: StaticList<(u32, u32)>,
    slots: StaticList<Slot>,
}

/// One place of the table: the low half of the key's hash (a miss is told without touching the
/// row) and the row.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    fingerprint: u32,
    number: u16,
}

impl Slot {
    /// A slot.
    pub const fn new(fingerprint: u32, number: u16) -> Self {
        Self {
            fingerprint,
            number,
        }
    }
}

impl PerfectHash {
    /// A table as `phf_generator` solved it. An empty list answers nothing.
    pub const fn new(
        seed: u64,
        displacements: StaticList<(u32, u32)>,
        slots: StaticList<Slot>,
        displacements_len: u32,
        slots_len: u32,
    ) -> Self {
        Self {
            seed,
            buckets: Modulus::new(displacements_len),
            slots_len: Modulus::new(slots_len),
            displacements,
            slots,
        }
    }

    /// The parts, for the generator: seed, displacements, slots as (fingerprint, row).
    pub fn parts(&self) -> (u64, &[(u32, u32)], impl Iterator<Item = (u32, u16)>) {
        let slots = self
            .slots
            .iter()
            .map(|slot| (slot.fingerprint, slot.number));
        (self.seed, &self.displacements, slots)
    }

    #[inline]
    fn find<'a>(&self, key: &str, id_of: impl Fn(u16) -> Option<&'a str>) -> Option<u16> {
        let hash = KeyHash::new(key, self.seed);
        let bucket = self.buckets.reduce(hash.bucket());
        let &(d1, d2) = self.displacements.get(bucket)?;
        let place = phf_shared::displace(hash.low(), hash.high(), d1, d2);
        let slot = self.slots.get(self.slots_len.reduce(place))?;
        if slot.fingerprint != hash.low() {
            return None;
        }
        (id_of(slot.number)? == key).then_some(slot.number)
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

/// The hash of an id under a seed: 64 bits, read as words in little-endian order on every machine,
/// folded by wide multiplication (the scheme of wyhash and foldhash).
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

#[inline]
fn word(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}

impl KeyHash {
    /// The hash of a key. The generator must check that its keys' hashes are distinct.
    #[inline]
    pub fn new(key: &str, seed: u64) -> Self {
        let [mix_a, mix_b, mix_c] = MIX;
        let mut bytes = key.as_bytes();
        let mut state = seed ^ (bytes.len() as u64).wrapping_mul(mix_a);
        // All but the last 1 to 16 bytes.
        while bytes.len() > 16 {
            let Some((block, rest)) = bytes.split_first_chunk::<16>() else {
                break;
            };
            if let (Some(a), Some(b)) = (block.first_chunk(), block.last_chunk()) {
                state = fold(word(a) ^ state, word(b) ^ mix_b);
            }
            bytes = rest;
        }
        // The last bytes, as two words that may overlap.
        let (a, b) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (Some(a), Some(b)) => (word(a), word(b)),
            _ => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
                (Some(a), Some(b)) => (
                    u64::from(u32::from_le_bytes(*a)),
                    u64::from(u32::from_le_bytes(*b)),
                ),
                _ => (
                    bytes
                        .iter()
                        .fold(0, |all, &byte| (all << 8) | u64::from(byte)),
                    0,
                ),
            },
        };
        Self(fold(a ^ state, b ^ mix_c))
    }

    /// The half that names the place; also the fingerprint.
    #[inline]
    pub fn low(self) -> u32 {
        self.0 as u32
    }

    /// The other half.
    #[inline]
    pub fn high(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// What names the bucket.
    #[inline]
    pub fn bucket(self) -> u32 {
        (self.0.wrapping_mul(MIX[0]) >> 32) as u32
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
        ("", 2253880681, 296879133),
        ("us", 2367891652, 2722078786),
        ("eu-west-1", 1785169615, 1817604816),
        ("amazon.nova-pro-v1:0", 1860626792, 3457258967),
        (
            "us.stability.stable-image-remove-background-v1:0",
            37640756,
            2001952560,
        ),
    ];
}
