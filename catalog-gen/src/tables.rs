//! Emits the tables of a catalog as statics.

use std::fmt::Display;

use bedrock_catalog_data::Date;
use bedrock_catalog_data::baked_v1::{
    LifecycleRow, ModelRow, OpenEnum, ProfileRow, RegionRow, Run, StaticList, Tables,
};
use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::perfect_hash::solve;

/// `BRAND`, the tables, and `pub static CATALOG`.
pub(crate) fn emit(tables: &Tables, digest: &str) -> TokenStream {
    let brand = Literal::u64_unsuffixed(brand(digest));
    let models = statics("MODELS", quote!(ModelRow), tables.models.iter().map(model));
    let profiles = statics(
        "PROFILES",
        quote!(ProfileRow),
        tables.profiles.iter().map(profile),
    );
    let regions = statics(
        "REGIONS",
        quote!(RegionRow),
        tables.regions.iter().map(region),
    );
    let access = tables.access.iter().map(|row| {
        let (model, region, types, flags, link, links, bounded) = row.parts();
        let numbers = [model, region, types, flags.into()].map(number);
        let (link, more) = (number(link), [links, bounded].map(number));
        quote!(AccessRow::new(#(#numbers,)* #link, #(#more),*))
    });
    let access = statics("ACCESS", quote!(AccessRow), access);
    let links = tables.links.iter().map(|row| {
        let (access, profile, start, len) = row.parts();
        let [access, profile, len] = [access, profile, len].map(number);
        let start = number(start);
        quote!(LinkRow::new(#access, #profile, #start, #len))
    });
    let links = statics("LINKS", quote!(LinkRow), links);
    let lists = [
        lists("TYPES", &tables.types),
        lists("MODALITIES", &tables.modalities),
        lists("CUSTOMIZATIONS", &tables.customizations),
    ];
    let pools = [
        numbers("DESTINATIONS", quote!(u16), &tables.destinations),
        numbers("MODEL_PROFILES", quote!(u16), &tables.model_profiles),
        numbers("PROFILE_LINKS", quote!(u32), &tables.profile_links),
        numbers("FACETS", quote!(u32), &tables.facets),
        numbers("CELLS", quote!(u16), &tables.cells),
    ];
    let id = |id: Run| tables.text(id);
    let models_ids = tables.models.iter().map(|row| id(row.id));
    let (models_tables, models_index) = index("MODEL", models_ids);
    let profiles_ids = tables.profiles.iter().map(|row| id(row.id));
    let (profiles_tables, profiles_index) = index("PROFILE", profiles_ids);
    let regions_ids = tables.regions.iter().map(|row| id(row.id));
    let (regions_tables, regions_index) = index("REGION", regions_ids);
    let texts = texts(tables);
    let (models_len, profiles_len) = (number(tables.models.len()), number(tables.profiles.len()));
    let ids = quote! {
        static MODEL_IDS: [&str; #models_len] = ids_of_models(TEXTS, &MODELS);
        static PROFILE_IDS: [&str; #profiles_len] = ids_of_profiles(TEXTS, &PROFILES);
    };
    let (partition, observed_at) = (&*tables.partition, tables.observed_at.unix());
    let observed_at = Literal::i64_unsuffixed(observed_at);
    quote! {
        /// Numbers the rows of this catalog's constants.
        pub const BRAND: u64 = #brand;

        /// The catalog.
        pub static CATALOG: Catalog = Catalog::baked(
            Tables {
                brand: BRAND,
                partition: Borrowed(#partition),
                observed_at: Timestamp::baked(#observed_at),
                digest: Borrowed(#digest),
                models: Borrowed(&MODELS),
                profiles: Borrowed(&PROFILES),
                regions: Borrowed(&REGIONS),
                access: Borrowed(&ACCESS),
                links: Borrowed(&LINKS),
                texts: Borrowed(TEXTS),
                model_ids: &MODEL_IDS,
                profile_ids: &PROFILE_IDS,
                types: Borrowed(&TYPES),
                modalities: Borrowed(&MODALITIES),
                customizations: Borrowed(&CUSTOMIZATIONS),
                destinations: Borrowed(&DESTINATIONS),
                model_profiles: Borrowed(&MODEL_PROFILES),
                profile_links: Borrowed(&PROFILE_LINKS),
                facets: Borrowed(&FACETS),
                cells: Borrowed(&CELLS),
            },
            #models_index,
            #profiles_index,
            #regions_index,
        );

        #models
        #profiles
        #regions
        #access
        #links
        #texts
        #ids
        #(#lists)*
        #(#pools)*
        #models_tables
        #profiles_tables
        #regions_tables
    }
}

/// The brand of the constants of a catalog: the first 16 digits of its digest, never 0.
pub(crate) fn brand(digest: &str) -> u64 {
    let head = digest.get(..16).unwrap_or_default();
    u64::from_str_radix(head, 16).unwrap_or_default().max(1)
}

fn statics(
    name: &str,
    of: TokenStream,
    rows: impl ExactSizeIterator<Item = TokenStream>,
) -> TokenStream {
    let (name, len) = (quote::format_ident!("{name}"), rows.len());
    let len = Literal::usize_unsuffixed(len);
    quote!(static #name: [#of; #len] = [#(#rows),*];)
}

fn numbers<N: Display + Copy>(name: &str, of: TokenStream, numbers: &[N]) -> TokenStream {
    statics(name, of, numbers.iter().map(|&value| number(value)))
}

/// A number without a suffix.
fn number(value: impl Display) -> TokenStream {
    let text = value.to_string();
    text.parse().unwrap_or_default()
}

/// The perfect-hash table of ids: its statics, and the expression of the table.
fn index<'a>(of: &str, ids: impl Iterator<Item = &'a str>) -> (TokenStream, TokenStream) {
    let ids: Vec<&str> = ids.collect();
    let table = solve(&ids);
    let (seed, displacements, rows) = table.parts();
    let pairs = displacements.iter().map(|&(d1, d2)| {
        let (d1, d2) = (number(d1), number(d2));
        quote!((#d1, #d2))
    });
    let lines: Vec<TokenStream> = rows
        .map(|row| {
            let id = ids.get(usize::from(row)).copied().unwrap_or_default();
            let row = number(row);
            quote!(Line::new(#id, #row))
        })
        .collect();
    let name = |what: &str| quote::format_ident!("{of}_{what}");
    let (displacements_name, lines_name) = (name("DISPLACEMENTS"), name("LINES"));
    let places = number(lines.len());
    let displacements = statics(&format!("{of}_DISPLACEMENTS"), quote!((u32, u32)), pairs);
    let lines = statics(&format!("{of}_LINES"), quote!(Line), lines.into_iter());
    let seed = Literal::u64_unsuffixed(seed);
    let literal = quote! {
        PerfectHash::new(
            #seed,
            Borrowed(&#displacements_name),
            Borrowed(&#lines_name),
            #places,
        )
    };
    (quote!(#displacements #lines), literal)
}

fn model(row: &ModelRow) -> TokenStream {
    let (id, name, provider) = (
        run(row.id),
        option(row.name.map(run)),
        option(row.provider.map(run)),
    );
    let (input, output) = (number(row.input), number(row.output));
    let streaming = option(row.streaming.map(|streams| quote!(#streams)));
    let customizations = number(row.customizations);
    let lifecycle = lifecycle(&row.lifecycle);
    let (last_seen, retired) = (option(row.last_seen.map(date)), row.retired);
    let (access, profiles) = (run(row.access), run(row.profiles));
    let constant = option(row.constant.map(run));
    quote! {
        ModelRow {
            id: #id, name: #name, provider: #provider, input: #input, output: #output,
            streaming: #streaming, customizations: #customizations, lifecycle: #lifecycle,
            last_seen: #last_seen, retired: #retired, constant: #constant, access: #access,
            profiles: #profiles,
        }
    }
}

fn lifecycle(row: &LifecycleRow) -> TokenStream {
    let status = row.status.as_ref().map(open_enum);
    let status = option(status);
    let dates = [row.start, row.legacy, row.extended_access, row.end_of_life];
    let [start, legacy, extended_access, end_of_life] = dates.map(|day| option(day.map(date)));
    quote! {
        LifecycleRow {
            status: #status, start: #start, legacy: #legacy, extended_access: #extended_access,
            end_of_life: #end_of_life,
        }
    }
}

fn profile(row: &ProfileRow) -> TokenStream {
    let (id, name) = (run(row.id), option(row.name.map(run)));
    let description = option(row.description.map(run));
    let status = option(row.status.map(run));
    let geography = row.geography.as_ref().map(open_enum);
    let geography = option(geography);
    let (last_seen, retired) = (option(row.last_seen.map(date)), row.retired);
    let (constant, links) = (option(row.constant.map(run)), run(row.links));
    quote! {
        ProfileRow {
            id: #id, name: #name, description: #description, status: #status,
            geography: #geography, last_seen: #last_seen, retired: #retired, constant: #constant,
            links: #links,
        }
    }
}

fn region(row: &RegionRow) -> TokenStream {
    let (id, recorded) = (run(row.id), row.recorded);
    let stale_since = option(row.stale_since.map(|since| {
        let seconds = Literal::i64_unsuffixed(since.unix());
        quote!(Timestamp::baked(#seconds))
    }));
    let counts = [row.models, row.on_demand, row.profiles].map(number);
    let [models, on_demand, profiles] = counts;
    quote! {
        RegionRow {
            id: #id, recorded: #recorded, stale_since: #stale_since, models: #models,
            on_demand: #on_demand, profiles: #profiles,
        }
    }
}

fn run(run: Run) -> TokenStream {
    let (start, len) = (number(run.start), number(run.len));
    quote!(Run::new(#start, #len))
}

fn date(date: Date) -> TokenStream {
    let year = number(date.year());
    let (month, day) = (number(date.month()), number(date.day()));
    quote!(Date::baked(#year, #month, #day))
}

fn option(value: Option<TokenStream>) -> TokenStream {
    value.map_or_else(|| quote!(None), |value| quote!(Some(#value)))
}

/// Distinct lists of enum values.
fn lists<E: OpenEnum + Clone>(name: &str, lists: &[StaticList<E>]) -> TokenStream {
    let of = quote::format_ident!("{}", E::NAME);
    let lists = lists.iter().map(|list| {
        let values = list.iter().map(open_enum);
        quote!(Borrowed(&[#(#values),*]))
    });
    statics(name, quote!(StaticList<#of>), lists)
}

/// The texts in order, one literal each.
fn texts(tables: &Tables) -> TokenStream {
    let models = tables.models.iter();
    let models = models.flat_map(|row| [Some(row.id), row.name, row.provider, row.constant]);
    let profiles = tables.profiles.iter();
    let profiles = profiles.flat_map(|row| {
        [
            Some(row.id),
            row.name,
            row.description,
            row.status,
            row.constant,
        ]
    });
    let regions = tables.regions.iter().map(|row| Some(row.id));
    let mut runs: Vec<Run> = models.chain(profiles).chain(regions).flatten().collect();
    runs.sort_by_key(|run| run.start);
    let texts = runs.into_iter().map(|run| tables.text(run));
    quote!(
        static TEXTS: &str = concat!(#(#texts),*);
    )
}

/// A value of an open enum: its variant, or `Other` with the text.
fn open_enum<E: OpenEnum>(value: &E) -> TokenStream {
    let of = quote::format_ident!("{}", E::NAME);
    match value.variant() {
        Some(variant) => {
            let variant = quote::format_ident!("{variant}");
            quote!(#of::#variant)
        }
        None => {
            let text = value.as_ref();
            quote!(#of::Other(Borrowed(#text)))
        }
    }
}
