//! What the tier says, caught as text.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// One line: its level, and its fields as text.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) level: Level,
    pub(super) path: Option<String>,
    pub(super) text: String,
}

#[derive(Clone, Default)]
struct Catch(Arc<Mutex<Vec<Line>>>);

struct Fields(Line);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0.text, "{}={value:?} ", field.name());
        if field.name() == "path" {
            self.0.path = Some(format!("{value:?}"));
        }
    }
}

impl Subscriber for Catch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().contains("cache")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Line {
            level: *event.metadata().level(),
            path: None,
            text: String::new(),
        });
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The lines that `work` logs in this thread.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> (T, Vec<Line>) {
    let catch = Catch::default();
    let result = tracing::subscriber::with_default(catch.clone(), work);
    let lines = catch.0.lock().unwrap().clone();
    (result, lines)
}
