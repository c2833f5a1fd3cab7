//! A catalog to generated files: those of the data crate, or the one of a build script.

#[cfg(feature = "bundle")]
use std::collections::BTreeMap;

use bedrock_catalog_data::baked_v1::{Run, Tables};
use bedrock_catalog_data::{Catalog, Document};
use bedrock_catalog_recording::catalog_to_json;
use proc_macro2::TokenStream;
use quote::quote;

use crate::error::{GenError, GenErrorKind};
use crate::print::{Origin, file};
use crate::{constants, names, perfect_hash, tables};

/// The generated files of a catalog. Equal catalogs give equal bytes.
#[cfg(feature = "bundle")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Baked {
    /// The text of each file, by its path in the folder of the data crate.
    pub files: BTreeMap<&'static str, String>,
}

/// SHA-256 of the canonical compact JSON of a catalog, in hex.
pub fn digest(catalog: &Catalog) -> String {
    sha256(catalog_to_json(catalog).as_bytes())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&hmac_sha256::Hash::hash(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The catalog of a document, with a name for every constant. Ids of the previous catalog keep theirs.
///
/// # Errors
/// The document is no valid catalog, or two of its ids have equal hashes.
pub fn name_constants(
    mut document: Document<'_>,
    previous: Option<&Catalog>,
) -> Result<Catalog, GenError> {
    names::assign(&mut document, previous);
    let invalid = |message: String| GenError::new(GenErrorKind::InvalidInput, message);
    let catalog = Catalog::from_document(&document).map_err(|error| invalid(error.to_string()))?;
    check_hashes(catalog.tables())?;
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

fn check_hashes(tables: &Tables) -> Result<(), GenError> {
    let message = "two ids have one hash under every seed; no table can hold both";
    match ids(tables).iter().all(|ids| perfect_hash::is_solvable(ids)) {
        true => Ok(()),
        false => Err(GenError::new(GenErrorKind::InvalidInput, message)),
    }
}

/// The files of the data crate: `catalog.json`, its schema, `fingerprints.csv`, and the tables and constants
/// in `src/bundle/`.
///
/// # Errors
/// A constant has an invalid or duplicate name, or the generated code does not parse as intended.
#[cfg(feature = "bundle")]
pub fn bake(catalog: &Catalog) -> Result<Baked, GenError> {
    let digest = digest(catalog);
    let origin = origin(catalog, &digest, "cargo gen build");
    let table_items = tables::emit(catalog.tables(), &digest);
    let imports = quote! { use crate::baked_v1::*; };
    let constants = |items: TokenStream, id: TokenStream| {
        // An unused import would be a warning. Names of constants have no lower-case letters and cannot
        // clash with the imports.
        let imports = (!items.is_empty()).then(|| {
            quote! {
                use super::tables::BRAND as Brand;
                use crate::baked_v1::#id;
            }
        });
        file(&origin, quote!(#imports #items))
    };
    let files = BTreeMap::from([
        (
            "catalog.json",
            bedrock_catalog_recording::catalog_to_json_pretty(catalog),
        ),
        ("catalog.schema.json", Document::JSON_SCHEMA.to_owned()),
        ("fingerprints.csv", crate::fingerprints::csv(catalog)?),
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

/// One file for `include!`: `CATALOG` and the modules `models`, `profiles` and `regions`. `root` is the path
/// of the crate with the types.
pub(crate) fn one_file(catalog: &Catalog, root: &TokenStream) -> Result<String, GenError> {
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

/// The catalog with the index of a baked one, for tests of the lookup code without a compiler run.
#[doc(hidden)]
pub fn baked_in_memory(catalog: &Catalog) -> Catalog {
    let mut tables = catalog.tables().clone();
    tables.brand = tables::brand(&digest(catalog));
    let [models, profiles, regions] = ids(&tables).map(|ids| perfect_hash::solve(&ids));
    Catalog::baked(tables, models, profiles, regions)
}
