//! [`Source`]: a place that knows feature groups. It is only ever read.
//!
//! Listing comes before reading, and what was listed counts as seen however reading it ends: a group that can't be read is faulty,
//! never deleted. A source that could not list everything must say so ([`Listing::complete`]); nothing is deleted then.

use async_trait::async_trait;

use super::observed::ObservedGroup;
use crate::catalog::SyncFileChanges;
use crate::model::Error;

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
    /// What to know the next time.
    pub cursor: Option<String>,
}

/// A group that was read, or why it could not be.
pub type Fetched = (Listed, Result<ObservedGroup, SourceError>);

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
        use crate::model::ErrorKind;
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
}
