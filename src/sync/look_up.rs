//! Records of groups that are kept elsewhere: the source that told of a group is asked for its record.

use super::kinds;
use super::source::LookUp;
use super::sources::{no_source, sources, synced_groups};
use crate::model::{Error, ErrorKind, Result};
use crate::store::{FeatureStore, OnlineRecord};

/// A record and where it came from.
#[derive(Debug, Clone)]
pub struct FoundRecord {
    /// The group's name, in the source's spelling.
    pub group: String,
    /// The source that was asked.
    pub source: String,
    /// Its records in the order of the identifiers; none where there is none.
    pub records: Vec<Option<OnlineRecord>>,
}

/// Looks up the latest records of a synced group at its source; none if no source tells of such a group.
///
/// # Errors
/// `NotFound` if the source is gone or serves no records; whatever keeps it from answering.
pub async fn look_up(
    store: &FeatureStore,
    group: &str,
    identifiers: &[String],
    features: Option<&[String]>,
) -> Result<Option<FoundRecord>> {
    let Some(synced) = synced_groups(store, Some(group)).await?.into_iter().next() else { return Ok(None) };
    let Some(row) = sources(store).await?.into_iter().find(|row| row.name == synced.source) else {
        return Err(no_source(&synced.source)
            .why(format!("it told of '{}' and was removed since", synced.group.name))
            .remedy("add it again to look up records there"));
    };
    if synced.group.online == Some(false) {
        return Err(Error::new(ErrorKind::NotFound, format!("'{}' of source '{}' has no online store", synced.group.name, synced.source))
            .remedy("its records are in its history only"));
    }
    let source = kinds::source((&row.kind, Some(&row.name)), &row.location, &row.options, store)?;
    let mut records = Vec::with_capacity(identifiers.len());
    for identifier in identifiers {
        let look_up = LookUp { group: &synced.group, identifier, features };
        let found = source.look_up(&look_up).await.map_err(|failure| failure.error.within(format_args!("source '{}'", synced.source)))?;
        records.push(found);
    }
    Ok(Some(FoundRecord { group: synced.group.name, source: synced.source, records }))
}
