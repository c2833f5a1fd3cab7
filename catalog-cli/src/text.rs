//! The answers for people: tables and short lists. Catalog text is made safe for a terminal here.

use std::fmt::Write;

use bedrock_catalog::{Access, Date, Model, Profile, Region, Route, Status};
use comfy_table::Table;
use comfy_table::presets::NOTHING;

use bedrock_catalog::StatusReport;

use crate::answers::CacheAnswer;
use crate::output::plain;

/// A table with headings and no lines.
fn table(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headings);
    let mut count = 0;
    for row in rows {
        count += 1;
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = table.trim_fmt();
    let _ = write!(text, "\n{count} in all\n");
    text
}

/// Lines of a name and a value, the values below each other; lines without a value are left out.
fn lines(lines: &[(&str, String)]) -> String {
    let mut text = String::new();
    let present = lines.iter().filter(|(_, value)| !value.is_empty());
    for (name, value) in present {
        let _ = writeln!(text, "  {name:<14} {}", plain(value));
    }
    text
}

fn or_unknown(text: Option<&str>) -> String {
    text.unwrap_or("unknown").to_owned()
}

fn words<W: AsRef<str>>(words: Option<&[W]>) -> String {
    let joined = |words: &[W]| {
        words
            .iter()
            .map(AsRef::as_ref)
            .collect::<Vec<_>>()
            .join(", ")
    };
    words.map_or_else(|| "unknown".to_owned(), joined)
}

fn yes_or_no(known: Option<bool>) -> String {
    match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
    .to_owned()
}

fn ids<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    ids.collect::<Vec<_>>().join(", ")
}

pub(crate) fn models(models: &[Model<'_>], day: Date) -> String {
    let rows = models.iter().map(|model| {
        vec![
            model.id().to_owned(),
            or_unknown(model.provider()),
            or_unknown(model.name()),
            words(model.input_modalities()),
            words(model.output_modalities()),
            model.status_at(day).to_string(),
            model.regions().len().to_string(),
        ]
    });
    table(
        &[
            "ID", "PROVIDER", "NAME", "INPUT", "OUTPUT", "STATUS", "REGIONS",
        ],
        rows,
    )
}

pub(crate) fn model(model: Model<'_>, day: Date) -> String {
    let lifecycle = model.lifecycle();
    let date = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
    let mut text = format!("{}\n", plain(model.id()));
    text.push_str(&lines(&[
        ("name", or_unknown(model.name())),
        ("provider", or_unknown(model.provider())),
        ("input", words(model.input_modalities())),
        ("output", words(model.output_modalities())),
        ("streaming", yes_or_no(model.streaming())),
        ("customization", words(model.customizations())),
        ("status", model.status_at(day).to_string()),
        ("launched", date(lifecycle.start())),
        ("legacy", date(lifecycle.legacy())),
        ("extended", date(lifecycle.extended_access())),
        ("end of life", date(lifecycle.end_of_life())),
        ("last seen", model.last_seen().to_string()),
        ("regions", ids(model.regions().map(|region| region.id()))),
        (
            "profiles",
            ids(model.profiles().map(|profile| profile.id())),
        ),
    ]));
    text
}

pub(crate) fn access(access: Access<'_>) -> String {
    let mut text = format!(
        "{} from {}\n",
        plain(access.model().id()),
        plain(access.region().id())
    );
    text.push_str(&lines(&[
        ("listed", yes_or_no(Some(access.is_listed()))),
        ("on demand", yes_or_no(access.on_demand())),
        ("provisioned", yes_or_no(access.provisioned())),
        ("types", words(access.inference_types())),
    ]));
    for (profile, destinations) in access.profiles() {
        let _ = writeln!(
            text,
            "  {}  →  {}",
            plain(profile.id()),
            plain(&destinations.to_string())
        );
    }
    if !access.is_callable() {
        text.push_str("  no way in\n");
    }
    text
}

pub(crate) fn accesses(rows: &[Access<'_>]) -> String {
    let rows = rows.iter().map(|access| {
        vec![
            access.model().id().to_owned(),
            access.region().id().to_owned(),
            yes_or_no(access.on_demand()),
            yes_or_no(access.provisioned()),
            ids(access.profiles().map(|(profile, _)| profile.id())),
        ]
    });
    table(
        &["MODEL", "REGION", "ON DEMAND", "PROVISIONED", "PROFILES"],
        rows,
    )
}

pub(crate) fn route(route: Route<'_>) -> String {
    let geography = route
        .geography()
        .map(|scope| format!(" ({scope})"))
        .unwrap_or_default();
    let mut text = format!("{}\n", plain(route.inference_id()));
    text.push_str(&lines(&[
        ("kind", format!("{}{geography}", route.kind())),
        ("served in", route.destinations().to_string()),
    ]));
    text
}

/// What a caller must know of a model that ends.
pub(crate) fn ending(model: Model<'_>, day: Date) -> Option<String> {
    let status = model.status_at(day);
    let word = match status {
        Status::Legacy | Status::Ended => status,
        _ => return None,
    };
    let end = model.lifecycle().end_of_life();
    let when = end
        .map(|date| format!("; its end of life is {date}"))
        .unwrap_or_default();
    Some(format!("{} is {word}{when}", model.id()))
}

pub(crate) fn profiles(profiles: &[Profile<'_>]) -> String {
    let rows = profiles.iter().map(|profile| {
        let mut sources: Vec<&str> = profile
            .routes()
            .map(|route| route.access.region().id())
            .collect();
        sources.sort_unstable();
        sources.dedup();
        vec![
            profile.id().to_owned(),
            profile
                .geography()
                .map(ToString::to_string)
                .unwrap_or_else(|| "unknown".to_owned()),
            ids(profile.models().map(|model| model.id())),
            sources.len().to_string(),
        ]
    });
    table(&["ID", "GEOGRAPHY", "MODELS", "SOURCES"], rows)
}

pub(crate) fn regions(regions: &[Region<'_>]) -> String {
    let rows = regions.iter().map(|region| {
        let stale = region.stale_since().map(|since| since.to_string());
        vec![
            region.id().to_owned(),
            region.model_count().to_string(),
            region.on_demand_count().to_string(),
            region.profile_count().to_string(),
            stale.unwrap_or_else(|| "-".to_owned()),
        ]
    });
    table(
        &["ID", "MODELS", "ON DEMAND", "PROFILES", "STALE SINCE"],
        rows,
    )
}

pub(crate) fn cache(cache: &CacheAnswer) -> String {
    let number = |known: Option<u64>| known.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    let mut text = String::new();
    for tier in &cache.tiers {
        let _ = writeln!(text, "{}", tier.name);
        text.push_str(&lines(&[
            ("health", tier.health.clone()),
            ("breaker", tier.breaker.to_owned()),
            ("entries", number(tier.entries)),
            ("bytes", number(tier.bytes)),
        ]));
        if let Some(counted) = &tier.counted {
            let oldest = counted.oldest.map(|oldest| oldest.to_string());
            text.push_str(&lines(&[
                ("hits", counted.hits.to_string()),
                ("writes", counted.writes.to_string()),
                ("errors", counted.errors.to_string()),
                ("hit rate", percent(counted.hit_rate)),
                ("oldest", oldest.unwrap_or_default()),
                (
                    "format",
                    counted.format.map(|n| n.to_string()).unwrap_or_default(),
                ),
            ]));
        }
    }
    if let Some(recent) = &cache.recent {
        let rows = recent.iter().map(|entry| {
            vec![
                entry.key.clone(),
                entry.tier.to_owned(),
                format!("{} s", entry.age_seconds),
                entry
                    .accesses
                    .map_or_else(|| "unknown".to_owned(), |n| n.to_string()),
                entry.bytes.to_string(),
                entry.path.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        });
        text.push_str(&table(
            &["KEY", "TIER", "AGE", "READS", "BYTES", "PATH"],
            rows,
        ));
    }
    if cache.tiers.is_empty() {
        text.push_str("no tiers\n");
    }
    text
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(
        || "unknown".to_owned(),
        |share| format!("{:.0} %", share * 100.0),
    )
}

pub(crate) fn status(status: &StatusReport) -> String {
    let overlay_error = status.overlay_error.as_ref();
    // Where it is the only one it is printed already.
    let overlay_error = overlay_error.filter(|_| status.error != status.overlay_error);
    let mut text = format!("{}\n", status.source);
    let failed = &status.regions.failed;
    text.push_str(&lines(&[
        ("observed at", status.observed_at.to_string()),
        ("age", format!("{} d", status.age_seconds / 86_400)),
        ("degraded", yes_or_no(Some(status.degraded))),
        ("partition", status.partition.to_owned()),
        (
            "regions",
            format!(
                "{} answered, {} failed",
                status.regions.answered.len(),
                failed.len()
            ),
        ),
        ("models", status.models.to_string()),
        ("profiles", status.profiles.to_string()),
        ("retired", status.retired.to_string()),
        ("overlay", status.overlay.to_string()),
        ("tier", status.tier.clone().unwrap_or_default()),
        ("path", status.path.clone().unwrap_or_default()),
        ("error", status.error.clone().unwrap_or_default()),
        ("overlay error", overlay_error.cloned().unwrap_or_default()),
    ]));
    for (region, reason) in failed {
        let _ = writeln!(text, "  {}: {}", plain(region), plain(reason));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedrock_catalog::{Catalog, Policy};

    #[test]
    fn no_answer_steers_a_terminal() {
        // Every text of a catalog is hostile.
        let hostile = "x\u{1b}[2J\u{202e}\n\r\u{9b}\u{7f}</script>";
        let bundle = Catalog::bundled().to_document();
        let mut document = bundle.clone();
        let text = |id: &str| bedrock_catalog::Text::from(format!("{id}{hostile}"));
        document.partition = text("aws");
        document.regions = document.regions.iter().map(|id| text(id)).collect();
        for model in &mut document.models {
            model.id = text(&model.id);
            model.name = Some(text("name"));
            model.provider = Some(text("provider"));
            model.input_modalities = Some(vec![(*text("IN")).into()]);
            model.lifecycle.status = Some((*text("LIFE")).into());
            for access in &mut model.access {
                access.regions = access.regions.iter().map(|id| text(id)).collect();
                access
                    .inference_types
                    .iter_mut()
                    .flatten()
                    .for_each(|word| {
                        if word.as_str() == "PROVISIONED" {
                            *word = (*text("TYPE")).into();
                        }
                    });
            }
        }
        for profile in &mut document.profiles {
            profile.id = text(&profile.id);
            profile.name = Some(text("name"));
            profile.geography = Some((*text("geo")).into());
            for route in &mut profile.routes {
                route.model = text(&route.model);
                route.sources = route.sources.iter().map(|id| text(id)).collect();
                if let bedrock_catalog::DestinationsEntry::Regions(to) = &mut route.destinations {
                    *to = to.iter().map(|id| text(id)).collect();
                }
            }
        }
        for region in &bundle.regions {
            document.stale.insert(text(region), bundle.observed_at);
        }
        let catalog = Catalog::from_document(&document).unwrap();
        let day = catalog.observed_at().date();
        let all: Vec<_> = catalog.all_models().collect();
        let mut texts = vec![
            models(&all, day),
            profiles(&catalog.all_profiles().collect::<Vec<_>>()),
            regions(&catalog.regions().collect::<Vec<_>>()),
            accesses(&catalog.accesses().take(100).collect::<Vec<_>>()),
        ];
        texts.extend(all.iter().map(|one| model(*one, day)));
        texts.extend(
            all.iter()
                .filter_map(|one| ending(*one, day))
                .map(|text| plain(&text)),
        );
        texts.extend(catalog.accesses().take(200).map(access));
        let routes = catalog
            .accesses()
            .filter_map(|access| access.route(Policy::Any).ok());
        texts.extend(routes.take(200).map(route));
        for text in texts {
            let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(raw), "{text:?}");
            assert!(text.contains("\\u{202e}"), "{text:?}");
        }
    }
}
