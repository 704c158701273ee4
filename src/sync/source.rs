//! [`Source`]: a place that knows feature groups. It is only ever read.
//!
//! Listing comes before reading, and what was listed counts as seen however reading it ends: a group that can't be read is faulty,
//! never deleted. A source that could not list everything must say so ([`Listing::complete`]); nothing is deleted then.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;

use super::observed::ObservedGroup;
use crate::catalog::{SyncFileChanges, SyncFileRow};
use crate::model::{Error, ErrorKind};
use crate::store::OnlineRecord;
use crate::store::statistics::ColumnProfile;

/// A group that a source has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// What the source calls it; stable as long as it exists.
    pub native_id: String,
    /// Differs for a group made anew under its name: an ARN with the creation time, a uuid.
    pub incarnation: String,
    /// The name that `--groups` is compared with.
    pub name: String,
    /// Differs once the group changed; none if the source can't tell, and it is read each time.
    pub token: Option<String>,
}

/// All groups of a source.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The groups.
    pub groups: Vec<Listed>,
    /// False if any may be missing.
    pub complete: bool,
    /// Native ids of groups that changed although their token is the same.
    pub touched: HashSet<String>,
    /// What to know the next time.
    pub cursor: Option<String>,
}

/// A group that was read, or why it could not be.
pub type Fetched = (Listed, Result<ObservedGroup, SourceError>);

/// A look-up of one record.
#[derive(Debug, Clone, Copy)]
pub struct LookUp<'a> {
    /// The group, as the source told of it.
    pub group: &'a ObservedGroup,
    /// The record identifier.
    pub identifier: &'a str,
    /// Features to answer with; none for all.
    pub features: Option<&'a [String]>,
}

/// What kind of trouble a source is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It may pass: throttling, time-outs, a dropped connection.
    Passing,
    /// Credentials are missing, wrong or expired.
    Credentials,
    /// What is there can't be understood.
    Corrupt,
    /// Anything else.
    Other,
}

impl Trouble {
    /// Its word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "retryable",
            Self::Credentials => "credentials",
            Self::Corrupt => "corrupt",
            Self::Other => "failed",
        }
    }
}

/// An error of a source.
#[derive(Debug)]
pub struct SourceError {
    /// Its kind of trouble.
    pub trouble: Trouble,
    /// What happened.
    pub error: Error,
}

impl SourceError {
    /// An error of that kind.
    pub fn new(trouble: Trouble, error: Error) -> Self {
        Self { trouble, error }
    }
}

impl From<Error> for SourceError {
    fn from(error: Error) -> Self {
        let trouble = match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Invalid => Trouble::Corrupt,
            kind if kind.is_retryable() => Trouble::Passing,
            _ => Trouble::Other,
        };
        Self { trouble, error }
    }
}

/// What a source has to say besides its groups, once some were read.
#[derive(Debug, Default)]
pub struct Besides {
    /// Parts that could not be read and belong to no group that failed, by their names: the source is degraded.
    pub faults: Vec<(String, SourceError)>,
    /// What was learnt of files, to be kept with what was read.
    pub files: SyncFileChanges,
}

/// What the values of one file look like.
#[derive(Debug, Clone, Default)]
pub struct FileProfile {
    /// Its rows.
    pub rows: u64,
    /// Delete markers among them, whose values are in no profile.
    pub deleted: u64,
    /// Features whose columns it has and whose types have figures.
    pub columns: BTreeMap<String, ColumnProfile>,
}

/// A place that knows feature groups.
#[async_trait]
pub trait Source: Send + Sync {
    /// Lists all groups; `cursor` is what the last listing left.
    async fn list(&self, cursor: Option<&str>) -> Result<Listing, SourceError>;

    /// Reads some of the groups that were listed, each of which is answered; an error means that none could be.
    async fn fetch(&self, wanted: &[Listed]) -> Result<Vec<Fetched>, SourceError>;

    /// What else came up while listing and reading; asked once, after both.
    async fn besides(&self) -> Besides {
        Besides::default()
    }

    /// Looks up the latest record of an identifier, where the source serves records.
    async fn look_up(&self, look_up: &LookUp<'_>) -> Result<Option<OnlineRecord>, SourceError> {
        let error = Error::new(ErrorKind::NotFound, format!("records of '{}' can't be looked up", look_up.group.name))
            .why("its source tells of groups and serves no records")
            .remedy("read them where they are kept, or make the group here and load them");
        Err(SourceError::new(Trouble::Other, error))
    }

    /// True if it lists files whose values can be read.
    fn holds_values(&self) -> bool {
        false
    }

    /// Reads the values of a file of a group for statistics, as a whole or not at all; `Interrupted` once `cancel` is set.
    async fn profile(&self, file: &SyncFileRow, _group: &ObservedGroup, _cancel: Arc<AtomicBool>) -> Result<FileProfile, SourceError> {
        Err(SourceError::new(Trouble::Other, Error::invalid(format!("the values of {} can't be read from here", file.path))))
    }

    /// True if it repeats requests itself, so that a call that failed with passing trouble is not worth repeating.
    fn repeats_itself(&self) -> bool {
        false
    }

    /// Requests it repeated so far.
    fn retries(&self) -> u64 {
        0
    }
}
