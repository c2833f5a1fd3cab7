//! Emits the typed constants with their documentation.

use bedrock_catalog_data::{Catalog, Date, Model, Profile, Status};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::error::GenError;
use crate::names::names;
use crate::print::doc_text;

/// One `pub const` per model.
pub(crate) fn models(catalog: &Catalog) -> Result<TokenStream, GenError> {
    let named = catalog.all_models();
    let names = names(named.map(|model| (model.id(), model.constant())))?;
    let constants = catalog.all_models().zip(0u16..).zip(names);
    let constants = constants.map(|((model, number), name)| {
        let (name, id) = (format_ident!("{name}"), model.id());
        let docs = docs(&model_docs(model));
        let deprecated = deprecated(model_end(model, catalog.observed_at().date()));
        quote! {
            #docs
            #deprecated
            pub const #name: ModelId = ModelId::baked(#id, Brand, #number);
        }
    });
    Ok(constants.collect())
}

/// One `pub const` per inference profile.
pub(crate) fn profiles(catalog: &Catalog) -> Result<TokenStream, GenError> {
    let named = catalog.all_profiles();
    let names = names(named.map(|profile| (profile.id(), profile.constant())))?;
    let constants = catalog.all_profiles().zip(0u16..).zip(names);
    let constants = constants.map(|((profile, number), name)| {
        let (name, id) = (format_ident!("{name}"), profile.id());
        let docs = docs(&profile_docs(profile));
        let deprecated = deprecated(profile_end(profile, catalog.observed_at().date()));
        quote! {
            #docs
            #deprecated
            pub const #name: ProfileId = ProfileId::baked(#id, Brand, #number);
        }
    });
    Ok(constants.collect())
}

/// One `pub const` per region, with destinations and former regions.
pub(crate) fn regions(catalog: &Catalog) -> Result<TokenStream, GenError> {
    let ids = catalog.known_regions();
    let names = names(ids.clone().map(|id| (id, None)))?;
    let constants = ids.zip(0u16..).zip(names);
    let constants = constants.map(|((id, number), name)| {
        let name = format_ident!("{name}");
        let docs = docs(&[doc_text(id)]);
        quote! {
            #docs
            pub const #name: RegionId = RegionId::baked(#id, Brand, #number);
        }
    });
    Ok(constants.collect())
}

fn docs(lines: &[String]) -> TokenStream {
    let lines = lines.iter().map(|line| format!(" {line}"));
    // An empty line makes each a paragraph.
    let mut attributes = TokenStream::new();
    for (position, line) in lines.enumerate() {
        if position > 0 {
            attributes.extend(quote!(#[doc = ""]));
        }
        attributes.extend(quote!(#[doc = #line]));
    }
    attributes
}

fn model_docs(model: Model<'_>) -> Vec<String> {
    let name = doc_text(model.name().unwrap_or(model.id()));
    let title = match model.provider() {
        Some(provider) => format!("{name}, of {}.", doc_text(provider)),
        // Only listings have names.
        None if model.is_listed() || model.name().is_some() => format!("{name}."),
        None => format!("{name}, known through inference profiles only."),
    };
    let regions: Vec<String> = model
        .regions()
        .map(|region| doc_text(region.id()))
        .collect();
    let mut lines = vec![title, format!("Id: {}", doc_text(model.id()))];
    lines.push(match regions.is_empty() {
        true => format!("In no region; last seen on {}.", model.last_seen()),
        false => format!("In {}: {}.", counted(regions.len()), regions.join(", ")),
    });
    lines.extend(lifecycle(model));
    lines
}

fn counted(regions: usize) -> String {
    match regions {
        1 => "1 region".to_owned(),
        more => format!("{more} regions"),
    }
}

fn lifecycle(model: Model<'_>) -> Option<String> {
    let lifecycle = model.lifecycle();
    let status = lifecycle.status().map(|status| doc_text(status.as_str()));
    let dates = dates(model);
    match (status, dates.is_empty()) {
        (None, true) => None,
        (status, _) => {
            let status = status.unwrap_or_else(|| "not told".to_owned());
            Some(format!(
                "Lifecycle: {}.",
                [vec![status], dates].concat().join(", ")
            ))
        }
    }
}

/// The known dates as text.
fn dates(model: Model<'_>) -> Vec<String> {
    let lifecycle = model.lifecycle();
    let dates = [
        ("launched", lifecycle.start()),
        ("legacy from", lifecycle.legacy()),
        ("extended access from", lifecycle.extended_access()),
        ("ends", lifecycle.end_of_life()),
    ];
    let known = dates
        .into_iter()
        .filter_map(|(event, date)| Some(format!("{event} {}", date?)));
    known.collect()
}

fn profile_docs(profile: Profile<'_>) -> Vec<String> {
    let name = doc_text(profile.name().unwrap_or(profile.id()));
    let models: Vec<String> = profile.models().map(|model| doc_text(model.id())).collect();
    let mut sources: Vec<&str> = profile
        .routes()
        .map(|route| route.access.region().id())
        .collect();
    sources.sort_unstable();
    sources.dedup();
    let sources: Vec<String> = sources.into_iter().map(doc_text).collect();
    let mut lines = vec![
        format!("{name}."),
        format!("Id: {}", doc_text(profile.id())),
    ];
    match models.is_empty() {
        true => lines.push("Serves nothing any more.".to_owned()),
        false => {
            lines.push(format!("Serves {}.", models.join(", ")));
            lines.push(format!(
                "From {}: {}.",
                counted(sources.len()),
                sources.join(", ")
            ));
        }
    }
    lines
}

/// The reason to deprecate the constant of a model, if there is one.
fn model_end(model: Model<'_>, day: Date) -> Option<String> {
    let status = model.status_at(day);
    let state = match status {
        Status::Legacy | Status::Ended => status.to_string(),
        Status::Retired => format!("retired, last seen {}", model.last_seen()),
        _ => return None,
    };
    Some([vec![state], dates(model)].concat().join(", "))
}

/// The reason to deprecate the constant of a profile: every model that it serves has one.
fn profile_end(profile: Profile<'_>, day: Date) -> Option<String> {
    if profile.is_retired() {
        let last_seen = profile
            .last_seen()
            .map(|date| format!(", last seen {date}"));
        return Some(format!("retired{}", last_seen.unwrap_or_default()));
    }
    let mut ends = profile.models().map(|model| model_end(model, day));
    let first = ends.next()??;
    ends.all(|end| end.is_some()).then_some(first)
}

fn deprecated(note: Option<String>) -> TokenStream {
    note.map(|note| quote!(#[deprecated(note = #note)]))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedrock_catalog_data::{AccessEntry, Document, ModelEntry, Timestamp};

    #[test]
    fn only_unlisted_models_are_documented_as_known_through_profiles() {
        let entry = |id: &'static str, regions: &[&'static str]| {
            let mut entry = ModelEntry::new(id);
            let regions = regions.iter().map(|&region| region.into());
            entry.access.push(AccessEntry::new(None, regions.collect()));
            entry
        };
        let mut document = Document::new("aws", Timestamp::baked(0));
        document.regions.push("eu-west-1".into());
        document.models = vec![entry("a.listed", &["eu-west-1"]), entry("a.unlisted", &[])];
        let catalog = Catalog::from_document(&document).unwrap();
        let title = |id: &str| model_docs(catalog.model(id).unwrap()).swap_remove(0);
        assert_eq!(title("a.listed"), "a.listed.");
        let through = "a.unlisted, known through inference profiles only.";
        assert_eq!(title("a.unlisted"), through);
    }

    #[test]
    fn paragraphs_are_separated() {
        let tokens = docs(&["a".into(), "b".into()]).to_string();
        assert_eq!(tokens.matches("doc").count(), 3);
    }
}
