//! The stage: what is known, what goes wrong, and a log of what was asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bedrock_catalog::recording::{ModelSummary, ProfileSummary, Recording, RegionAnswers};
use serde_json::{Map, Value, json};

use super::body::Delivery;
use super::converse;
use super::protocol::{Ask, Operation, Reply};
use super::script::{Fault, Rule, Tokens};

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The region it was signed for; empty without a signature.
    pub region: String,
    /// What it asked.
    pub operation: Operation,
    /// Which request of this region and operation it was, from 1.
    pub nth: u64,
    /// Its page token.
    pub token: Option<String>,
}

/// A recording to replay, a script, and a log.
#[derive(Debug)]
pub struct Stage {
    recording: Recording,
    page_size: usize,
    latency: Duration,
    rules: Vec<Rule>,
    log: Mutex<Log>,
    open: Gauge,
}

#[derive(Debug, Default)]
struct Log {
    seen: Vec<Seen>,
    counts: HashMap<(String, Operation), u64>,
}

/// How many are there, and how many there were at most.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Gauge {
    pub(super) fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
    }

    pub(super) fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Stage {
    /// Replays this recording, at once and without faults. A region that it does not have answers as
    /// one that the account has not enabled.
    pub fn new(recording: Recording) -> Self {
        Self {
            recording,
            page_size: 1000,
            latency: Duration::ZERO,
            rules: Vec::new(),
            log: Mutex::default(),
            open: Gauge::default(),
        }
    }

    /// The most profiles a page has, whatever is asked for.
    #[must_use]
    pub fn profile_page_size(mut self, rows: usize) -> Self {
        self.page_size = rows.max(1);
        self
    }

    /// Passes before every answer.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Adds a rule to the script.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The recording that is replayed.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Everything that was asked, in the order it came.
    pub fn seen(&self) -> Vec<Seen> {
        self.log().seen.clone()
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.log().seen.len()
    }

    /// How many requests came for a region and an operation.
    pub fn requests_of(&self, region: &str, operation: Operation) -> u64 {
        let key = (region.to_owned(), operation);
        self.log().counts.get(&key).copied().unwrap_or_default()
    }

    /// Forgets what was asked, so that the script starts anew.
    pub fn forget(&self) {
        *self.log() = Log::default();
    }

    /// Connections (on the in-memory wire: requests) open now.
    pub fn open(&self) -> usize {
        self.open.now.load(Ordering::SeqCst)
    }

    /// The most that were open at once.
    pub fn peak(&self) -> usize {
        self.open.peak.load(Ordering::SeqCst)
    }

    pub(super) fn gauge(&self) -> &Gauge {
        &self.open
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request, and a line in the log.
    pub fn answer(&self, ask: &Ask) -> Reply {
        let region = ask.region.clone().unwrap_or_default();
        let nth = self.note(&region, ask);
        let mut latency = self.latency;
        let mut fault = None;
        for rule in self
            .rules
            .iter()
            .filter(|rule| rule.meets(&region, ask.operation, nth))
        {
            match &rule.fault {
                Fault::Latency(more) => latency += *more,
                other => fault = fault.or(Some(other)),
            }
        }
        let mut reply = match fault {
            Some(Fault::Error(status, code, message)) => Reply::error(*status, code, message),
            Some(Fault::Raw(status, content_type, body)) => {
                Reply::raw(*status, content_type, body.clone())
            }
            _ => self.rightly(ask, nth, fault),
        };
        match fault {
            Some(Fault::Truncate(bytes)) => reply.body.truncate(*bytes),
            Some(Fault::Reset(bytes)) => reply.delivery = Delivery::Reset(*bytes),
            Some(Fault::Silence(bytes)) => reply.delivery = Delivery::Silence(*bytes),
            Some(Fault::Slow(bytes, every)) => reply.delivery = Delivery::Slow(*bytes, *every),
            Some(Fault::Hang) => reply.delivery = Delivery::Never,
            _ => {}
        }
        reply.delay = latency;
        reply
    }

    fn note(&self, region: &str, ask: &Ask) -> u64 {
        let mut log = self.log();
        let count = log
            .counts
            .entry((region.to_owned(), ask.operation))
            .or_default();
        *count += 1;
        let nth = *count;
        log.seen.push(Seen {
            region: region.to_owned(),
            operation: ask.operation,
            nth,
            token: ask.parameter("nextToken").map(ToOwned::to_owned),
        });
        nth
    }

    /// The answer as AWS gives it, but for faults in its content.
    fn rightly(&self, ask: &Ask, nth: u64, fault: Option<&Fault>) -> Reply {
        if ask.operation == Operation::Unknown {
            return Reply::error(404, "UnknownOperationException", "");
        }
        let Some(region) = &ask.region else {
            return Reply::error(
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            );
        };
        let Some(answers) = self.recording.regions.get(region) else {
            let message = "The security token included in the request is invalid.";
            return Reply::error(403, "UnrecognizedClientException", message);
        };
        match ask.operation {
            Operation::Models => models(ask, answers, fault),
            Operation::Profiles => profiles(ask, answers, self.page_size, nth, fault),
            Operation::Converse | Operation::Unknown => converse::answer(&ask.path, answers),
        }
    }
}

fn models(ask: &Ask, answers: &RegionAnswers, fault: Option<&Fault>) -> Reply {
    let has =
        |list: &Option<Vec<String>>, word: &str| list.iter().flatten().any(|item| item == word);
    let wanted = |row: &&ModelSummary| {
        ask.query.iter().all(|(name, value)| match name.as_str() {
            "byProvider" => row
                .provider_name
                .as_ref()
                .is_some_and(|provider| provider.eq_ignore_ascii_case(value)),
            "byOutputModality" => has(&row.output_modalities, value),
            "byInferenceType" => has(&row.inference_types_supported, value),
            "byCustomizationType" => has(&row.customizations_supported, value),
            _ => true,
        })
    };
    let rows = answers
        .models
        .iter()
        .filter(wanted)
        .map(|row| json!(row))
        .collect();
    let mut answer = Map::new();
    answer.insert("modelSummaries".to_owned(), Value::Array(bent(rows, fault)));
    finish(answer, fault)
}

fn profiles(
    ask: &Ask,
    answers: &RegionAnswers,
    page: usize,
    nth: u64,
    fault: Option<&Fault>,
) -> Reply {
    let refuse = |message: &str| Reply::error(400, "ValidationException", message);
    let asked = match ask.parameter("maxResults").map(str::parse::<usize>) {
        None => page,
        Some(Ok(rows @ 1..=1000)) => rows.min(page),
        Some(_) => return refuse("maxResults has to be between 1 and 1000"),
    };
    let offset = match (ask.parameter("nextToken"), fault) {
        (None, _) | (_, Some(Fault::Tokens(_))) => 0,
        (Some(token), _) => match offset_of(token) {
            Some(offset) => offset,
            None => return refuse("The provided next token is invalid."),
        },
    };
    let wanted = |row: &&ProfileSummary| match ask.parameter("type") {
        Some(kind) => row.kind.as_deref() == Some(kind),
        None => true,
    };
    let rows: Vec<&ProfileSummary> = answers.profiles.iter().filter(wanted).collect();
    let here = rows
        .iter()
        .skip(offset)
        .take(asked)
        .map(|row| json!(row))
        .collect();
    let next = match fault {
        Some(Fault::Empty) => None,
        Some(Fault::Tokens(Tokens::Endless)) => Some(format!("endless-{nth}")),
        Some(Fault::Tokens(Tokens::Repeating)) => Some("again".to_owned()),
        Some(Fault::Tokens(Tokens::Alternating)) => Some(format!("turn-{}", nth % 2)),
        Some(Fault::Tokens(Tokens::Empty)) => Some(String::new()),
        _ => (offset + asked < rows.len()).then(|| token_of(offset + asked)),
    };
    let mut answer = Map::new();
    answer.insert(
        "inferenceProfileSummaries".to_owned(),
        Value::Array(bent(here, fault)),
    );
    if let Some(next) = next {
        answer.insert("nextToken".to_owned(), Value::String(next));
    }
    finish(answer, fault)
}

/// Tokens that only come back right from a client that encodes them.
fn token_of(offset: usize) -> String {
    format!("p&g/{offset}+==")
}

fn offset_of(token: &str) -> Option<usize> {
    token
        .strip_prefix("p&g/")?
        .strip_suffix("+==")?
        .parse()
        .ok()
}

/// Rows as the script wants them.
fn bent(mut rows: Vec<Value>, fault: Option<&Fault>) -> Vec<Value> {
    match fault {
        Some(Fault::Empty) => rows.clear(),
        Some(Fault::UnknownWords) => {
            for row in rows.iter_mut().filter_map(Value::as_object_mut) {
                row.insert(
                    "inventedField".to_owned(),
                    json!({ "deep": [1, { "er": null }] }),
                );
                if row.contains_key("modelId") {
                    for list in [
                        "inputModalities",
                        "inferenceTypesSupported",
                        "customizationsSupported",
                    ] {
                        row.insert(list.to_owned(), json!(["TEXT", "INVENTED"]));
                    }
                    row.insert("modelLifecycle".to_owned(), json!({ "status": "INVENTED" }));
                } else {
                    row.insert("status".to_owned(), json!("INVENTED"));
                }
            }
        }
        _ => {}
    }
    rows
}

fn finish(mut answer: Map<String, Value>, fault: Option<&Fault>) -> Reply {
    if let Some(Fault::Huge(bytes)) = fault {
        answer.insert("padding".to_owned(), Value::String("x".repeat(*bytes)));
    }
    Reply::json(200, &Value::Object(answer))
}
