//! Rules as they are written down, read and checked. This file may not know what they are for.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::answer::Ends;
use super::{Drop, Never, Operations, Rules, Write};
use crate::error::ClientError;

/// The format of the rules this version reads.
const FORMAT: u32 = 1;

/// The rules as they are written down.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default)]
    never: Vec<NeverText>,
    #[serde(default)]
    harmless: Vec<String>,
    #[serde(default)]
    unsettled: Vec<String>,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    scopes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    writes: Vec<WriteText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NeverText {
    operations: String,
    when: Option<String>,
    #[serde(rename = "why")]
    _why: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteText {
    service: String,
    operations: Vec<String>,
    path: Option<String>,
    drops: Vec<String>,
    #[serde(rename = "why")]
    _why: Option<String>,
}

impl Rules {
    /// Rules from JSON, as `rules.json` in this crate's source has them.
    ///
    /// # Errors
    /// It is no such JSON, or a rule in it cannot mean anything: the message names the rule.
    pub fn from_json(json: &str) -> Result<Self, ClientError> {
        let file: File = serde_json::from_str(json)
            .map_err(|cause| wrong("these are no rules").because(cause))?;
        if file.format != FORMAT {
            return Err(wrong(format!(
                "rules of format {}; this version reads format {FORMAT}",
                file.format
            )));
        }
        let never = file.never.into_iter().map(|never| {
            if let Some(when) = &never.when {
                parameter(when, &never.operations)?;
            }
            Ok(Never {
                operations: operations(&never.operations, &never.operations)?,
                when: never.when,
            })
        });
        let harmless = file.harmless.iter().map(|text| {
            let harmless = operations(text, text)?;
            let words = &harmless.operation;
            if words.strip_suffix('*').unwrap_or(words).contains('*') {
                return Err(wrong(format!(
                    "the harmless {text:?}: a * stands at the end, for further words"
                )));
            }
            Ok(harmless)
        });
        for (service, names) in &file.scopes {
            glob(service, service)?;
            names.iter().try_for_each(|name| parameter(name, service))?;
        }
        if file.unsettled.iter().any(|word| word.is_empty()) {
            return Err(wrong("an empty word under \"unsettled\""));
        }
        if file.secrets.iter().any(|word| word.len() < 4) {
            return Err(wrong("a word of less than four letters under \"secrets\""));
        }
        Ok(Self {
            never: never.collect::<Result<_, ClientError>>()?,
            harmless: harmless.collect::<Result<_, ClientError>>()?,
            unsettled: file
                .unsettled
                .iter()
                .map(|word| word.to_ascii_lowercase())
                .collect(),
            scopes: file.scopes,
            writes: file
                .writes
                .into_iter()
                .map(Write::checked)
                .collect::<Result<_, ClientError>>()?,
            ends: Ends::of(&file.secrets),
            secrets: file.secrets,
        })
    }
}

impl Write {
    fn checked(text: WriteText) -> Result<Self, ClientError> {
        let rule = format!("{}:{}", text.service, text.operations.join("|"));
        glob(&text.service, &rule)?;
        if text.operations.is_empty() || text.drops.is_empty() {
            return Err(wrong(format!(
                "the rule {rule:?} has no operations, or drops nothing"
            )));
        }
        text.operations
            .iter()
            .try_for_each(|operation| glob(operation, &rule))?;
        if text
            .path
            .as_ref()
            .is_some_and(|path| !path.starts_with('/'))
        {
            return Err(wrong(format!(
                "the path of the rule {rule:?} does not begin with a slash"
            )));
        }
        let drops = text.drops.iter().map(|drop| Drop::checked(drop));
        Ok(Self {
            drops: drops.collect::<Result<_, ClientError>>()?,
            service: text.service,
            operations: text.operations,
            path: text.path,
        })
    }
}

impl Drop {
    /// From `service:Operation` or `service:Operation:{Parameter}`.
    fn checked(text: &str) -> Result<Self, ClientError> {
        let mut parts = text.splitn(3, ':');
        let (service, operation, names) = (parts.next(), parts.next(), parts.next());
        let names = names.map(|names| {
            let name = names
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let name = name.ok_or_else(|| {
                wrong(format!(
                    "the pattern {text:?} has to end in {{Parameter}}, or after the operation"
                ))
            })?;
            parameter(name, text).map(|()| name.to_owned())
        });
        Ok(Self {
            operations: operations(
                &[service, operation]
                    .map(Option::unwrap_or_default)
                    .join(":"),
                text,
            )?,
            names: names.transpose()?,
        })
    }
}

/// From `service:Operation`.
fn operations(text: &str, rule: &str) -> Result<Operations, ClientError> {
    let (service, operation) = text.split_once(':').unwrap_or((text, ""));
    glob(service, rule)?;
    glob(operation, rule)?;
    Ok(Operations {
        service: service.into(),
        operation: operation.into(),
    })
}

fn glob(text: &str, rule: &str) -> Result<(), ClientError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '*');
    if text.is_empty() || !text.chars().all(allowed) {
        return Err(wrong(format!(
            "{text:?} in the rule {rule:?}: a service or an operation is letters, digits, - and *, as in service:Operation"
        )));
    }
    Ok(())
}

fn parameter(text: &str, rule: &str) -> Result<(), ClientError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || !text.chars().all(allowed) {
        return Err(wrong(format!(
            "{text:?} in the rule {rule:?}: a parameter is letters, digits, - and _, with a dot between one and what is within it"
        )));
    }
    Ok(())
}

fn wrong(message: impl Into<String>) -> ClientError {
    ClientError::new(message)
}
