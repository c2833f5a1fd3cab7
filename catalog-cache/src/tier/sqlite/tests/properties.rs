//! Any history of calls, against a map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Call {
    Put(usize, u8, Vec<u8>),
    Remove(usize),
    Invalidate(&'static str),
    Pass(u64),
    Cleanup,
    Reopen,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => (0..15_usize, 0..100_u8, proptest::collection::vec(any::<u8>(), 0..6_000))
            .prop_map(|(n, minutes, bytes)| Call::Put(n, minutes, bytes)),
        1 => (0..15_usize).prop_map(Call::Remove),
        1 => prop_oneof![Just("*"), Just("sqlite:test:1*"), Just("sqlite:test:?"), Just("s*:2")]
            .prop_map(Call::Invalidate),
        1 => (0..90_u64).prop_map(Call::Pass),
        1 => Just(Call::Cleanup),
        1 => Just(Call::Reopen),
    ]
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

proptest! {
    #[test]
    fn a_history_is_that_of_a_map(calls in proptest::collection::vec(call(), 1..40)) {
        let stage = Stage::new();
        let mut tier = stage.tier();
        let mut map: BTreeMap<Key, Entry> = BTreeMap::new();
        for call in calls {
            match call {
                Call::Put(n, age, bytes) => {
                    let written_at = stage.clock.now() - minutes(age.into());
                    let entry = super::entry(ns(), &key(n), bytes, written_at, HOUR);
                    let newer = map.get(&key(n)).filter(|there| {
                        there.envelope().supersedes(entry.envelope(), stage.clock.now())
                    });
                    let receipt = tier.put(&entry).unwrap();
                    prop_assert_eq!(receipt.superseded_by.as_ref(), newer);
                    if newer.is_none() {
                        map.insert(key(n), entry);
                    }
                }
                Call::Remove(n) => {
                    let was_there = map.remove(&key(n)).is_some();
                    prop_assert_eq!(tier.remove(&ns(), &key(n)).unwrap(), was_there);
                }
                Call::Invalidate(glob) => {
                    let pattern = Pattern::glob(glob);
                    let before = map.len();
                    map.retain(|key, _| !pattern.matches(key));
                    let removed = tier.invalidate(&ns(), &pattern).unwrap();
                    prop_assert_eq!(removed, (before - map.len()) as u64);
                }
                Call::Pass(count) => stage.clock.advance(minutes(count)),
                Call::Cleanup => {
                    let (now, before) = (stage.clock.now(), map.len());
                    let expired = crate::Standing::Expired;
                    map.retain(|_, entry| entry.envelope().standing(now) != expired);
                    prop_assert_eq!(tier.cleanup(now).unwrap(), (before - map.len()) as u64);
                }
                Call::Reopen => tier = stage.tier(),
            }
            let keys: Vec<Key> = (0..15).map(key).collect();
            let found = tier.get_many(&ns(), &keys);
            for (key, found) in keys.iter().zip(found) {
                let found = found.unwrap().map(|found| found.entry);
                prop_assert_eq!(found.as_ref(), map.get(key));
            }
            prop_assert_eq!(tier.size().unwrap().entries, map.len() as u64);
        }
    }

    /// A name from outside goes into the file as a value, never as SQL.
    #[test]
    fn keys_are_values(parts in proptest::array::uniform3("\\PC{0,120}"), glob in "[\\PC*?]{0,20}") {
        let stage = Stage::new();
        let tier = stage.tier();
        let key = Key::new(&parts[0], &parts[1], &parts[2]);
        let entry = super::entry(ns(), &key, "{}", stage.clock.now(), HOUR);
        tier.put(&entry).unwrap();
        prop_assert_eq!(tier.get(&ns(), &key).unwrap().map(|found| found.entry), Some(entry));
        let pattern = Pattern::glob(&glob);
        let removed = tier.invalidate(&ns(), &pattern).unwrap();
        prop_assert_eq!(removed, u64::from(pattern.matches(&key)));
    }
}
