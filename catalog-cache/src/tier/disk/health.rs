//! What each location is good for, asked without changing anything that stays.

use std::path::PathBuf;

use super::Health;
use super::files::Absent;
use super::reason::Reason;
use super::shelf::Site;

/// What a location is good for.
#[derive(Debug)]
pub struct LocationHealth {
    /// The folder.
    pub path: PathBuf,
    /// What it is good for.
    pub state: LocationState,
}

/// What a location is good for.
#[derive(Debug)]
#[non_exhaustive]
pub enum LocationState {
    /// It can be read and written.
    Usable,
    /// It is not there yet, and will be made when something is written.
    NotYetMade,
    /// It can be read only.
    ReadOnly(Reason),
    /// It is not used.
    Refused(Reason),
}

pub(super) fn of_location(site: &Site) -> LocationHealth {
    let state = match site.current(Absent::Leave) {
        Ok(None) => LocationState::NotYetMade,
        Ok(Some(folder)) => match folder.probe() {
            Ok(()) => LocationState::Usable,
            Err(reason) => LocationState::ReadOnly(reason),
        },
        Err(reason) => LocationState::Refused(reason),
    };
    LocationHealth {
        path: site.location.path.clone(),
        state,
    }
}

pub(super) fn of_all(locations: &[LocationHealth]) -> Health {
    let mut ok = false;
    let mut message = String::new();
    for LocationHealth { path, state } in locations {
        ok |= matches!(state, LocationState::Usable | LocationState::NotYetMade);
        let what = match state {
            LocationState::Usable => "usable".to_owned(),
            LocationState::NotYetMade => "not yet made".to_owned(),
            LocationState::ReadOnly(reason) => format!("read only: {reason}"),
            LocationState::Refused(reason) => format!("not used: {reason}"),
        };
        if !message.is_empty() {
            message.push_str("; ");
        }
        message.push_str(&format!("{}: {what}", path.display()));
    }
    if locations.is_empty() {
        message.push_str("there is no cache folder");
    }
    Health { ok, message }
}
