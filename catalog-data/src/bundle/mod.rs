//! The bundle: the catalog that `catalog-gen build` baked. This file is written by hand, the others
//! are not; lint allowances for them stand here.

#[rustfmt::skip]
#[allow(unreachable_pub)]
mod tables;

/// The ids of all models, as constants: the id in upper case with every other character as `_`.
///
/// A constant never vanishes in a data update; those of legacy, ended and retired models are
/// deprecated, with the dates. It is an id like any other, which every catalog answers; the bundle,
/// and catalogs built at run time beside it, need not hash it.
#[rustfmt::skip]
#[allow(deprecated)]
pub mod models;

/// The ids of all inference profiles, as constants.
#[rustfmt::skip]
#[allow(deprecated)]
pub mod profiles;

/// The ids of all regions, as constants.
#[rustfmt::skip]
pub mod regions;

pub(crate) use tables::CATALOG;
