//! The single operations on files, by name, so that tests can see them and make any of them fail.
//!
//! In production `run` is a plain call. In tests each step is recorded and may be told to fail.
//! This file knows nothing of what the steps are for.

use std::fmt;
use std::io;

use super::reason::Reason;

/// One operation on the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Opening a folder.
    OpenFolder,
    /// Making a folder.
    MakeFolder,
    /// Reading the names in a folder.
    List,
    /// Opening a file to read it.
    Open,
    /// Reading owner, mode and size.
    Stat,
    /// Reading.
    Read,
    /// Making the temporary file.
    Create,
    /// Setting the mode of a file just made.
    SetMode,
    /// Writing.
    Write,
    /// Bringing the file to the device.
    SyncFile,
    /// Giving the file its name.
    Rename,
    /// Bringing the name to the device.
    SyncFolder,
    /// Removing a file.
    Remove,
    /// Taking the lock.
    Lock,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenFolder => "opening the folder",
            Self::MakeFolder => "making the folder",
            Self::List => "listing the folder",
            Self::Open => "opening the file",
            Self::Stat => "asking for owner and mode",
            Self::Read => "reading",
            Self::Create => "making a temporary file",
            Self::SetMode => "setting the mode",
            Self::Write => "writing",
            Self::SyncFile => "syncing the file",
            Self::Rename => "renaming",
            Self::SyncFolder => "syncing the folder",
            Self::Remove => "removing",
            Self::Lock => "locking",
        })
    }
}

/// Runs one step and names it in the error.
#[inline]
pub(crate) fn run<T>(step: Step, operation: impl FnOnce() -> io::Result<T>) -> Result<T, Reason> {
    raw(step, operation).map_err(|source| Reason::Io { step, source })
}

/// Runs one step and leaves the system's own error, for steps whose failure can be an answer.
#[inline]
pub(crate) fn raw<T>(step: Step, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(test)]
    probe::before(step)?;
    #[cfg(not(test))]
    let _ = step;
    operation()
}

/// What tests see of the steps of their own thread, and how they make them fail.
#[cfg(test)]
pub(crate) mod probe {
    use std::cell::RefCell;
    use std::io;

    use super::Step;

    thread_local! {
        static SEEN: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
        static FAIL: RefCell<Option<Plan>> = const { RefCell::new(None) };
    }

    struct Plan {
        fails: Box<dyn FnMut(usize, Step) -> Option<i32>>,
        count: usize,
    }

    pub(super) fn before(step: Step) -> io::Result<()> {
        SEEN.with_borrow_mut(|seen| seen.push(step));
        let errno = FAIL.with_borrow_mut(|plan| {
            let plan = plan.as_mut()?;
            plan.count += 1;
            (plan.fails)(plan.count - 1, step)
        });
        errno.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }

    /// The steps taken by `work`, in order.
    pub(crate) fn seen<T>(work: impl FnOnce() -> T) -> (T, Vec<Step>) {
        SEEN.with_borrow_mut(Vec::clear);
        let result = work();
        (result, SEEN.with_borrow_mut(std::mem::take))
    }

    /// Runs `work` while `fails` chooses, by the step's number and name, which errno it gets.
    pub(crate) fn failing<T>(
        fails: impl FnMut(usize, Step) -> Option<i32> + 'static,
        work: impl FnOnce() -> T,
    ) -> T {
        FAIL.with_borrow_mut(|plan| {
            *plan = Some(Plan {
                fails: Box::new(fails),
                count: 0,
            });
        });
        let result = work();
        FAIL.with_borrow_mut(|plan| *plan = None);
        result
    }
}
