//! The flags that say what a training dataset is to be.

use clap::Args;

use crate::model::{Error, EventTime, Result, TimeMode};
use crate::store::datasets::{DatasetRequest, FeatureSelection, SpineSource, TtlOverride};
use crate::store::settings::parse_bytes;

/// Spine, features and how old they may be.
#[derive(Args, Debug, Default)]
pub(super) struct RequestFlags {
    /// Take the rows of this file: Parquet, CSV or JSON lines; a folder, a glob, or '-' for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "spine_sql", help_heading = "Spine")]
    pub(super) spine: Option<String>,
    /// Take the rows of this statement over the groups
    #[arg(long, value_name = "SQL", help_heading = "Spine")]
    pub(super) spine_sql: Option<String>,
    /// Column of the spine that holds record identifiers
    #[arg(long, value_name = "COL", help_heading = "Spine")]
    pub(super) spine_id: Option<String>,
    /// Column of the spine that holds the time of each row
    #[arg(long, value_name = "COL", help_heading = "Spine")]
    pub(super) spine_time: Option<String>,
    /// Take features of a group: 'group[@spine_column][ as alias][:feature[ as column],…]', repeatable
    #[arg(long, value_name = "SELECTION", help_heading = "Features")]
    pub(super) features: Vec<String>,
    /// How old a record may be instead of the group's own ttl: 7d, GROUP=7d, GROUP=none, repeatable
    #[arg(long, value_name = "TTL", help_heading = "Features")]
    pub(super) ttl: Vec<String>,
    /// Take only records that were written by then
    #[arg(long, value_name = "TIME", help_heading = "Features")]
    pub(super) as_of: Option<String>,
}

impl RequestFlags {
    /// True if nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        let Self { spine, spine_sql, spine_id, spine_time, features, ttl, as_of } = self;
        [spine, spine_sql, spine_id, spine_time, as_of].iter().all(|flag| flag.is_none()) && features.is_empty() && ttl.is_empty()
    }

    /// True if the spine is what comes through standard input.
    pub(super) fn waits(&self) -> bool {
        self.spine.as_deref() == Some("-")
    }

    /// What the flags ask for.
    pub(super) fn request(&self) -> Result<DatasetRequest> {
        let missing = |flag: &str, what: &str| Error::usage(format!("{what} is not said")).remedy(format!("add {flag}"));
        let spine = match (&self.spine, &self.spine_sql) {
            (Some(file), _) => SpineSource::File(file.clone()),
            (None, Some(sql)) => SpineSource::Sql(sql.clone()),
            (None, None) => return Err(missing("--spine FILE or --spine-sql SQL", "where the rows come from")),
        };
        let spine_id = self.spine_id.clone().ok_or_else(|| missing("--spine-id COL", "which column of the spine holds the identifiers"))?;
        let spine_time = self.spine_time.clone().ok_or_else(|| missing("--spine-time COL", "which column of the spine holds the times"))?;
        if self.features.is_empty() {
            return Err(missing("--features 'group' or 'group:feature,feature'", "which features to take"));
        }
        Ok(DatasetRequest {
            spine,
            spine_id,
            spine_time,
            features: self.features.iter().map(|text| FeatureSelection::parse(text)).collect::<Result<_>>()?,
            ttls: self.ttls()?,
            as_of: self.as_of()?,
        })
    }

    /// The ttls that were given.
    pub(super) fn ttls(&self) -> Result<Vec<TtlOverride>> {
        self.ttl.iter().map(|text| text.parse()).collect()
    }

    /// The write time that was given.
    pub(super) fn as_of(&self) -> Result<Option<EventTime>> {
        self.as_of.as_deref().map(|text| time("--as-of", text)).transpose()
    }
}

/// Reads a time that a flag gives.
pub(super) fn time(flag: &str, text: &str) -> Result<EventTime> {
    EventTime::parse_text(text, TimeMode::Lenient).map_err(|_| {
        Error::usage(format!("'{}' is not a time for {flag}", text.escape_debug()))
            .remedy("write it like 2026-11-23T09:30:00Z or 2026-11-23")
    })
}

/// Reads the memory that a flag gives.
pub(super) fn memory(text: Option<&str>) -> Result<Option<u64>> {
    text.map(|text| parse_bytes("--memory", text)).transpose()
}
