//! The one error type: a kind that callers branch on, what happened, why, and what to do about it.
//!
//! Exit codes, HTTP status and AWS error names are three tables over [`ErrorKind`]; nothing else may be
//! branched on. A message names the thing and the remedy: `what (why); remedy`, lower case, no final stop.
//! [`ErrorKind::OutcomeUnknown`] is never folded into a failure: the step may have taken effect.

use std::error::Error as StdError;
use std::fmt;

/// Result of everything that can fail in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller can branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is malformed: flags, settings, SQL text.
    Usage,
    /// A value, record, file or definition breaks a rule.
    Invalid,
    /// A group, feature, file or store that is named does not exist.
    NotFound,
    /// A group of that name exists already.
    AlreadyExists,
    /// Somebody else changed the same thing at the same moment; reading again and retrying is right.
    Conflict,
    /// Another process holds the lock and did not let go in time.
    Locked,
    /// The store or disk cannot be written.
    ReadOnly,
    /// A disk, a map or a limit is full.
    Full,
    /// Stored bytes are not what was written.
    Corrupt,
    /// The store was made by a newer version of this program.
    NewerFormat,
    /// Another service that the step needs does not answer; nothing was changed.
    Unavailable,
    /// The step may or may not have taken effect.
    OutcomeUnknown,
    /// Stopped on request.
    Interrupted,
    /// Told to end by the system: SIGTERM, a terminal that was closed.
    Terminated,
    /// The operating system refused.
    Io,
    /// A bug in this program.
    Internal,
}

impl ErrorKind {
    /// True where the same call may succeed later without a change of its arguments.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Conflict | Self::Locked | Self::Unavailable | Self::OutcomeUnknown)
    }
}

/// An error of any layer.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    what: String,
    why: Option<String>,
    remedy: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Builds an error of a kind; `what` names the thing.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, what: what.into(), why: None, remedy: None, source: None }))
    }

    /// A request that is malformed.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, what)
    }

    /// A value, record, file or definition that breaks a rule.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, what)
    }

    /// Something named that does not exist.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, what)
    }

    /// Stored bytes that are not what was written.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, what)
    }

    /// A state that only a bug can reach.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, what)
    }

    /// Stopped on request.
    pub fn interrupted(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Interrupted, what)
    }

    /// An operating system error; a full disk and a read-only one get their own kinds and remedies.
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let (kind, remedy) = match source.kind() {
            Io::NotFound => (ErrorKind::NotFound, None),
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => {
                (ErrorKind::Full, Some("free some space and run the command again: nothing acknowledged was lost"))
            }
            Io::ReadOnlyFilesystem => (ErrorKind::ReadOnly, Some("choose a writable folder with --store")),
            Io::PermissionDenied => (ErrorKind::ReadOnly, Some("check the owner and mode of that path")),
            _ => (ErrorKind::Io, None),
        };
        let mut error = Self::new(kind, what).source(source);
        error.0.remedy = remedy.map(str::to_owned);
        error
    }

    /// Says why; without it the source's text stands in.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.0.why = Some(why.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Keeps the error underneath.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Puts the place in front of what happened, as an error travels up: `file.csv, line 7: …`.
    #[must_use]
    pub fn within(mut self, place: impl fmt::Display) -> Self {
        self.0.what = format!("{place}: {}", self.0.what);
        self
    }

    /// The same error for another caller; the error underneath stays with the first, its text goes along.
    #[must_use]
    pub fn repeated(&self) -> Self {
        let mut copy = Self::new(self.kind(), self.what());
        copy.0.why = self.reason();
        copy.0.remedy.clone_from(&self.0.remedy);
        copy
    }

    /// What callers branch on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, without why and remedy.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Why it happened, if that is known.
    pub fn reason(&self) -> Option<String> {
        self.0.why.clone().or_else(|| self.0.source.as_ref().map(|source| one_line(&source.to_string())))
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }
}

/// Messages of libraries may span lines; ours never do.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)?;
        if let Some(why) = self.reason() {
            write!(f, " ({why})")?;
        }
        if let Some(remedy) = &self.0.remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_why_and_remedy_in_one_line() {
        let source = std::io::Error::other("two\nlines");
        let error = Error::new(ErrorKind::Io, "can't read a.csv").source(source).remedy("check the path");
        assert_eq!(error.to_string(), "can't read a.csv (two lines); check the path");
        let error = error.why("it is gone").within("ingest");
        assert_eq!(error.to_string(), "ingest: can't read a.csv (it is gone); check the path");
    }

    #[test]
    fn full_and_read_only_disks_are_kinds_of_their_own() {
        assert_eq!(Error::io("x", std::io::ErrorKind::StorageFull.into()).kind(), ErrorKind::Full);
        assert_eq!(Error::io("x", std::io::ErrorKind::ReadOnlyFilesystem.into()).kind(), ErrorKind::ReadOnly);
    }
}
