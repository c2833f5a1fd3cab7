//! Lines that tests print past the harness's capture: skips, tests left out, and counts of injected faults.
use std::fmt::Display;
use std::io::Write as _;

/// Says that this machine does not allow a test, and why.
///
/// # Panics
/// `BEDROCK_CATALOG_MUST_RUN` is set: in CI nobody would read it.
#[track_caller]
pub fn skip(name: &str, why: impl Display) {
    let may_skip = std::env::var_os("BEDROCK_CATALOG_MUST_RUN").is_none();
    assert!(
        may_skip,
        "BEDROCK_CATALOG_MUST_RUN is set, and {name} cannot run: {why}"
    );
    print_line(format_args!("SKIPPED {name}: {why}"));
}

/// Says that a test does not run in this lane, whatever the machine allows, or needs data that is not part
/// of a clone.
pub fn leave_out(name: &str, why: impl Display) {
    print_line(format_args!("LEFT OUT {name}: {why}"));
}

/// Says how many cases of a fault there were, as `104 writes`. None went wrong: a test says it at its end.
pub fn count(fault: &str, cases: impl Display) {
    print_line(format_args!("COUNTED {fault}: {cases}"));
}

fn print_line(line: impl Display) {
    // As one write: other tests talk at the same time.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
