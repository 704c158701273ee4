//! The table of kinds: from KIND, LOCATION and options to a [`Source`]. A kind is one entry, written beside its source.

use std::collections::BTreeMap;

use super::source::Source;
use super::{aws, definitions_folder, feast, larder, parquet};
use crate::model::suggest::suggest;
use crate::model::{Error, Result};
use crate::store::FeatureStore;

/// All kinds, in the order in which help names them.
pub const KINDS: &[Kind] = &[definitions_folder::KIND, larder::KIND, aws::KIND, parquet::KIND, feast::KIND];

/// A kind of source.
pub struct Kind {
    /// The word that `source add` takes as KIND.
    pub name: &'static str,
    /// What LOCATION is for it, as help says it.
    pub location: &'static str,
    /// Its options and what each says.
    pub options: &'static [(&'static str, &'static str)],
    /// The location as it is kept.
    pub(super) settle: fn(&str) -> Result<String>,
    /// A source of it, ready to be read. Touches no network: this is also how a new source's location and options are checked.
    pub(super) make: fn(&SourcePlace<'_>) -> Result<Box<dyn Source>>,
}

/// What a source is made from.
pub(super) struct SourcePlace<'a> {
    /// Where it is, settled.
    pub location: &'a str,
    /// Its options; each is one of its kind's.
    pub options: &'a BTreeMap<String, String>,
    /// Its name; none before it was added.
    pub name: Option<&'a str>,
    /// The store that is synced, which is no source of itself.
    pub store: &'a FeatureStore,
}

/// The place as it is kept.
pub(super) fn settled_location(kind: &str, location: &str) -> Result<String> {
    (find(kind)?.settle)(location)
}

/// Makes a source of that kind ready to be read.
pub(super) fn source(
    (kind, name): (&str, Option<&str>),
    location: &str,
    options: &BTreeMap<String, String>,
    store: &FeatureStore,
) -> Result<Box<dyn Source>> {
    let kind = find(kind)?;
    if let Some(unknown) = options.keys().find(|option| !kind.options.iter().any(|(name, _)| name == option)) {
        return Err(unknown_option(kind, unknown));
    }
    (kind.make)(&SourcePlace { location, options, name, store })
}

/// A path of this machine made absolute, since sync may run from any folder.
pub(super) fn absolute_path(location: &str) -> Result<String> {
    let path = std::path::absolute(location).map_err(|error| Error::io(format!("can't find '{location}'"), error))?;
    path.to_str().map(str::to_owned).ok_or_else(|| Error::usage("the location is no text"))
}

fn find(name: &str) -> Result<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        Error::usage(format!("'{}' is no kind of source", name.escape_debug())).remedy(format!("use {}", names.join(", ")))
    })
}

fn unknown_option(kind: &Kind, option: &str) -> Error {
    let names: Vec<&str> = kind.options.iter().map(|(name, _)| *name).collect();
    let error = Error::usage(format!("a source of kind {} has no option '{}'", kind.name, option.escape_debug()));
    match suggest(option, names.iter().copied()) {
        Some(near) => error.remedy(format!("did you mean '{near}'?")),
        None if names.is_empty() => error.remedy("leave --option out"),
        None => error.remedy(format!("use {}", names.join(", "))),
    }
}
