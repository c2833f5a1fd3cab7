//! Every step fails in every way: nothing panics, the old value or the new one is there, whole, and no
//! litter stays.

use super::*;
use crate::tier::disk::steps::probe;

/// ENOSPC, EDQUOT, EIO, EROFS, EMFILE, EXDEV, EACCES, EPERM, ENOENT, ESTALE, ENOTSUP, EINVAL, ENOLCK.
const ERRNOS: [i32; 13] = [28, 122, 5, 30, 24, 18, 13, 1, 2, 116, 95, 22, 37];

#[test]
#[cfg(unix)]
fn a_write_syncs_the_file_before_its_name_and_the_folder_after() {
    let stage = Stage::new(1);
    stage.tier.put(&stage.entry("old")).unwrap();
    stage.clock.advance(HOUR);
    let (result, steps) = probe::seen(|| stage.tier.put(&stage.entry("new")));
    result.unwrap();
    let at = |step| steps.iter().position(|s| *s == step);
    let order = [
        at(Step::Create),
        at(Step::SetMode),
        at(Step::Write),
        at(Step::SyncFile),
        at(Step::Rename),
        at(Step::SyncFolder),
    ];
    assert!(
        order.iter().all(Option::is_some),
        "a step is missing: {steps:?}"
    );
    assert!(order.is_sorted(), "out of order: {steps:?}");
}

#[test]
fn every_step_fails_once_with_every_errno() {
    let mut cases = 0;
    for errno in ERRNOS {
        // Until the fault is beyond the last step: then nothing failed.
        for fatal in 0.. {
            let stage = Stage::new(2);
            stage.tier.put(&stage.entry("old")).unwrap();
            stage.clock.advance(HOUR);
            let newer = stage.entry("new");
            let (result, steps) = probe::seen(|| {
                probe::failing(
                    move |count, _| (count == fatal).then_some(errno),
                    || stage.tier.put(&newer),
                )
            });
            if fatal >= steps.len() {
                break;
            }
            cases += 1;
            let what = format!("step {fatal} ({}) with errno {errno}", steps[fatal]);
            let payload = stage.payload();
            match result {
                Ok(_) => assert!(payload.is_some(), "{what}"),
                Err(_) => assert_eq!(payload.as_deref(), Some("old"), "{what}"),
            }
            // One failure in one location never keeps the other from taking the entry, unless the
            // older one could not be removed.
            let there = [payload, super::payload(&stage.only(1))];
            assert!(
                there.iter().flatten().any(|p| p == "new"),
                "{what}: {there:?}"
            );
            for index in 0..2 {
                assert!(stage.files(index, ".tmp").is_empty(), "litter after {what}");
            }
            // Without the fault it heals.
            stage.clock.advance(HOUR);
            stage.tier.put(&stage.entry("newer")).unwrap();
            assert_eq!(stage.payload().as_deref(), Some("newer"), "{what}");
        }
    }
    assert!(cases >= 150, "{cases}");
}

/// Network shares and FUSE: what they have no word for is no failure of theirs, what they have is.
#[test]
#[cfg(target_os = "linux")]
fn a_file_system_that_syncs_no_folders_or_has_no_locks_is_used_all_the_same() {
    for (step, errno, is_used) in [
        (Step::SyncFolder, 22, true),
        (Step::SyncFolder, 95, true),
        (Step::SyncFolder, 5, false),
        (Step::SyncFile, 22, false),
        (Step::Lock, 37, true),
        (Step::Lock, 95, true),
        (Step::Lock, 5, false),
    ] {
        let stage = Stage::new(2);
        let entry = stage.entry("new");
        let receipt = probe::failing(
            move |_, at| (at == step).then_some(errno),
            || stage.tier.put(&entry),
        );
        let what = format!("{step} with errno {errno}");
        match receipt {
            Ok(receipt) => assert!(is_used && receipt.failed.is_empty(), "{what}: {receipt:?}"),
            Err(error) => assert!(!is_used, "{what}: {error}"),
        }
        if is_used {
            assert_eq!(payload(&stage.only(0)).as_deref(), Some("new"), "{what}");
        }
    }
}

#[test]
fn every_step_fails_for_ever_and_in_pairs() {
    let kinds = [
        Step::OpenFolder,
        Step::MakeFolder,
        Step::Open,
        Step::Stat,
        Step::Read,
        Step::Create,
        Step::SetMode,
        Step::Write,
        Step::SyncFile,
        Step::Rename,
        Step::SyncFolder,
        Step::Remove,
        Step::Lock,
    ];
    let mut cases = 0;
    for (index, first) in kinds.into_iter().enumerate() {
        for second in kinds.into_iter().skip(index) {
            for errno in ERRNOS.into_iter().step_by(if long() { 1 } else { 5 }) {
                let stage = Stage::new(2);
                stage.tier.put(&stage.entry("old")).unwrap();
                stage.clock.advance(HOUR);
                let newer = stage.entry("new");
                probe::failing(
                    move |_, step| (step == first || step == second).then_some(errno),
                    || {
                        // Whatever is answered: nothing panics, and nothing else comes back.
                        let _ = stage.tier.put(&newer);
                        let found = stage.payload();
                        assert!(found.is_none_or(|p| p == "old" || p == "new"));
                        let _ = stage.tier.cleanup(stage.clock.now());
                        let _ = stage.tier.locations();
                        let _ = stage.tier.size();
                    },
                );
                cases += 1;
                let there = stage.payload();
                assert!(
                    there.is_some_and(|p| p == "old" || p == "new"),
                    "{first} + {second}"
                );
            }
        }
    }
    assert!(cases >= 200, "{cases}");
}
