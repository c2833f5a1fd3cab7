//! Log lines, captured as text.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A line: its level, and its fields as text.
#[derive(Debug, Clone)]
pub struct Line {
    pub level: Level,
    pub path: Option<String>,
    pub text: String,
}

#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<Line>>>);

struct Fields(Line);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0.text, "{}={value:?} ", field.name());
        if field.name() == "path" {
            self.0.path = Some(format!("{value:?}"));
        }
    }
}

impl Subscriber for Capture {
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

/// Captures the lines that `work` logs in this thread.
pub fn captured<T>(work: impl FnOnce() -> T) -> (T, Vec<Line>) {
    let capture = Capture::default();
    let result = tracing::subscriber::with_default(capture.clone(), work);
    let lines = capture.0.lock().unwrap().clone();
    (result, lines)
}
