//! A catalog → the files that are committed, or the one file of a build script.

use std::collections::BTreeMap;

use bedrock_catalog_data::baked_v1::{Run, Tables};
use bedrock_catalog_data::{CATALOG_SCHEMA, Catalog, Document};
use bedrock_catalog_recording::{catalog_to_json, catalog_to_json_pretty};
use proc_macro2::TokenStream;
use quote::quote;
use sha2::{Digest, Sha256};

use crate::print::{Origin, file};
use crate::{constants, fingerprints, names, perfect_hash, tables};

/// The files made of a catalog, by their place below the data crate's folder. The same catalog gives
/// the same bytes, always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baked {
    /// The text of each file.
    pub files: BTreeMap<&'static str, String>,
}

/// SHA-256 of a catalog's canonical compact JSON, in hex: over its content, not its layout.
pub fn digest(catalog: &Catalog) -> String {
    hex(&Sha256::digest(catalog_to_json(catalog)))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The catalog of a document whose constants have their names: those of the previous catalog stay.
///
/// # Errors
/// Where the document is no valid catalog, or ids cannot be told apart by the table's hash.
pub fn named(mut document: Document<'_>, previous: Option<&Catalog>) -> Result<Catalog, String> {
    names::assign(&mut document, previous);
    let catalog = Catalog::from_document(&document).map_err(|error| error.to_string())?;
    solvable(catalog.tables())?;
    Ok(catalog)
}

/// The ids of models, of profiles and of regions.
fn ids(tables: &Tables) -> [Vec<&str>; 3] {
    let text = |id: Run| tables.text(id);
    [
        tables.models.iter().map(|row| text(row.id)).collect(),
        tables.profiles.iter().map(|row| text(row.id)).collect(),
        tables.regions.iter().map(|row| text(row.id)).collect(),
    ]
}

fn solvable(tables: &Tables) -> Result<(), String> {
    match ids(tables).iter().all(|ids| perfect_hash::is_solvable(ids)) {
        true => Ok(()),
        false => Err("two ids have one hash under every seed; no table can hold both".to_owned()),
    }
}

/// The files of the data crate: `catalog.json`, its schema, `fingerprints.csv`, and the tables and constants
/// below `src/bundle/`.
///
/// # Errors
/// Where generated code does not read as what it was made from; a fault of the generator.
pub fn bake(catalog: &Catalog) -> Result<Baked, String> {
    let digest = digest(catalog);
    let origin = origin(catalog, &digest, "cargo gen build");
    let table_items = tables::emit(catalog.tables(), &digest);
    let imports = quote! { use crate::baked_v1::*; };
    let constants = |items: TokenStream, id: TokenStream| {
        // A catalog without rows has no constants. No constant has the name of an import: theirs
        // have no small letters.
        let imports = (!items.is_empty()).then(|| {
            quote! {
                use super::tables::BRAND as Brand;
                use crate::baked_v1::#id;
            }
        });
        file(&origin, quote!(#imports #items))
    };
    let files = BTreeMap::from([
        ("catalog.json", catalog_to_json_pretty(catalog)),
        ("catalog.schema.json", CATALOG_SCHEMA.to_owned()),
        ("fingerprints.csv", fingerprints::csv(catalog)?),
        (
            "src/bundle/tables.rs",
            file(&origin, quote!(#imports #table_items))?,
        ),
        (
            "src/bundle/models.rs",
            constants(constants::models(catalog)?, quote!(ModelId))?,
        ),
        (
            "src/bundle/profiles.rs",
            constants(constants::profiles(catalog)?, quote!(ProfileId))?,
        ),
        (
            "src/bundle/regions.rs",
            constants(constants::regions(catalog)?, quote!(RegionId))?,
        ),
    ]);
    Ok(Baked { files })
}

/// One file with everything, for `include!`: `CATALOG` and the modules `models`, `profiles`, `regions`. `root` is the
/// path of the crate whose types it is made of.
pub(crate) fn one_file(catalog: &Catalog, root: &TokenStream) -> Result<String, String> {
    let digest = digest(catalog);
    let origin = origin(catalog, &digest, "the build script");
    let items = tables::emit(catalog.tables(), &digest);
    let module = |name: &str, docs: &str, items: TokenStream| {
        let name = quote::format_ident!("{name}");
        quote! {
            #[doc = #docs]
            #[allow(unused_imports, dead_code, deprecated)]
            pub mod #name {
                use super::tables::BRAND as Brand;
                use #root::baked_v1::{ModelId, ProfileId, RegionId};
                #items
            }
        }
    };
    let models = module("models", " The models' ids.", constants::models(catalog)?);
    let profiles = module(
        "profiles",
        " The inference profiles' ids.",
        constants::profiles(catalog)?,
    );
    let regions = module(
        "regions",
        " The regions' ids.",
        constants::regions(catalog)?,
    );
    let items = quote! {
        #[allow(unused_imports, clippy::all)]
        mod tables {
            use #root::baked_v1::*;
            #items
        }
        pub use tables::CATALOG;
        #models
        #profiles
        #regions
    };
    file(&origin, items)
}

fn origin<'a>(catalog: &Catalog, digest: &'a str, command: &'a str) -> Origin<'a> {
    Origin {
        command,
        observed_at: catalog.observed_at().to_string(),
        digest,
    }
}

/// The catalog with the index of a baked one, without a compiler between: its answers are the
/// bundle's lookup code's.
#[doc(hidden)]
pub fn baked_in_memory(catalog: &Catalog) -> Catalog {
    let mut tables = catalog.tables().clone();
    tables.brand = tables::brand(&digest(catalog));
    let [models, profiles, regions] = ids(&tables).map(|ids| perfect_hash::solve(&ids));
    Catalog::baked(tables, models, profiles, regions)
}
