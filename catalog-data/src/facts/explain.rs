//! Errors for ids that are known, but to facts only: former ids and ids of bedrock-mantle.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Fact, Former, Mantle};
use crate::Date;
use crate::catalog::Catalog;
use crate::error::{QueryError, QueryErrorKind, list, quoted};

impl Catalog {
    /// The error for an id that only facts know.
    #[cold]
    pub(crate) fn known_to_facts(&self, id: &str) -> Option<QueryError> {
        if let Some(former) = self.former(id) {
            return Some(self.ended(former));
        }
        let Some(mantle) = self.mantle(id) else {
            return self.not_listed(id);
        };
        Some(match mantle.model() {
            Some(model) => {
                let message = format!(
                    "{} is an id of bedrock-mantle; on bedrock-runtime the model is {}",
                    quoted(id),
                    quoted(model.id())
                );
                QueryError::new(QueryErrorKind::UnknownModel, message)
                    .suggesting(Vec::from([model.id().into()]))
                    .of(self)
            }
            None => self.mantle_only(mantle),
        })
    }

    /// The error for a former id.
    #[cold]
    pub(crate) fn ended(&self, former: Former<'_>) -> QueryError {
        let mut message = match former.profile_of() {
            Some(_) => format!("the inference profile {} ", quoted(former.id())),
            None => format!("{} ", quoted(former.id())),
        };
        let sourced = |event: &str, fact: &Fact<'_, Date>| {
            let (day, source) = (fact.value, fact.source);
            format!("{event} {day} ({}, {})", source.title, source.as_of)
        };
        message.push_str(&match (former.end_of_life(), former.gone_by()) {
            (Some(end), _) if former.profile_of().is_none() => sourced("ended on", &end),
            (_, Some(gone)) => sourced("ended on or before", &gone),
            (Some(end), None) => sourced("ended; its model ended on", &end),
            (None, None) => "ended".to_string(),
        });
        let mut suggestions: Vec<String> = Vec::new();
        if let Some(successor) = former.successor() {
            message.push_str(&format!("; its successor is {}", quoted(successor.value)));
            if self.model(successor.value).is_some() {
                suggestions.push(successor.value.into());
            }
        }
        QueryError::new(QueryErrorKind::Ended, message)
            .suggesting(suggestions)
            .of(self)
    }

    /// The error for a model of which facts are known, and which no region lists.
    fn not_listed(&self, id: &str) -> Option<QueryError> {
        let facts = self.facts_of(id)?;
        let sources = [
            facts.context_window().map(|fact| fact.source),
            facts.prices().next().and_then(|prices| prices.source()),
        ];
        let source = sources.into_iter().flatten().next()?;
        let message = format!(
            "no region of this catalog lists {}; it is known from {}, {}",
            quoted(id),
            source.title,
            source.as_of
        );
        Some(QueryError::new(QueryErrorKind::UnknownModel, message).of(self))
    }

    fn mantle_only(&self, mantle: Mantle<'_>) -> QueryError {
        let regions: Vec<&str> = mantle.regions().collect();
        let mut message = format!("bedrock-mantle alone serves {}", quoted(mantle.id()));
        if let Some(fact) = mantle.regions_fact() {
            let source = fact.source;
            message.push_str(&format!(
                ", in {} ({}, {})",
                list(&regions, "and"),
                source.title,
                source.as_of
            ));
        }
        message.push_str("; bedrock-runtime does not");
        QueryError::new(QueryErrorKind::MantleOnly, message).of(self)
    }
}
