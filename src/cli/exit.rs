//! How a command ends: the one table from error kinds to exit codes.
//!
//! Scripts branch on these numbers, so they never change meaning:
//!
//! ```text
//!   0  done                       4  a check says no (record not found)
//!   1  failed                     6  another process holds the store
//!   2  wrong usage or settings    130, 143  interrupted, terminated
//!   3  partly done                5  deletions withheld
//! ```
//!
//! An unknown group is a failure (1), not a check that says no (4): a script that asks "is this record there?" must not take
//! a misspelt group for a plain "no".

use crate::model::{Error, ErrorKind};

/// How a command that ran to its end came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Done,
    /// Nothing, or not all, was done, and the user was told why.
    Failed,
    /// The command line or the settings make no sense.
    Usage,
    /// Some of it was done; the rest was reported.
    Partly,
    /// The question was answered, and the answer is no.
    CheckSaysNo,
    /// All was done but deletions, which looked like too many.
    Withheld,
    /// Another process holds what is needed.
    Locked,
    /// A signal ended the work; the number is the signal's.
    Signal(u8),
}

impl Exit {
    /// Returns the process exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Partly => 3,
            Exit::CheckSaysNo => 4,
            Exit::Withheld => 5,
            Exit::Locked => 6,
            Exit::Signal(number) => 128 + number,
        }
    }
}

/// The number of the signal that Ctrl-C sends.
pub(crate) const SIGNAL_INTERRUPT: u8 = 2;
/// The number of the signal that asks a process to end.
pub(crate) const SIGNAL_TERMINATE: u8 = 15;

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Exit {
        match kind {
            ErrorKind::Usage => Exit::Usage,
            ErrorKind::Locked => Exit::Locked,
            ErrorKind::Interrupted => Exit::Signal(SIGNAL_INTERRUPT),
            ErrorKind::Terminated => Exit::Signal(SIGNAL_TERMINATE),
            ErrorKind::Invalid
            | ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::Conflict
            | ErrorKind::ReadOnly
            | ErrorKind::Full
            | ErrorKind::Corrupt
            | ErrorKind::NewerFormat
            | ErrorKind::Unavailable
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Io
            | ErrorKind::Internal => Exit::Failed,
        }
    }
}

/// Why a command stopped before its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something went wrong that the user must hear of.
    Error(Error),
    /// Whoever read our output has seen enough (`larder list | head -1`): not a failure.
    ReaderGone,
    /// A signal arrived and nothing is left to say.
    Signal(u8),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error)
    }
}

/// What every verb answers.
pub(crate) type Verdict = Result<Exit, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_its_exit_code() {
        let table = [
            (ErrorKind::Usage, 2),
            (ErrorKind::Invalid, 1),
            (ErrorKind::NotFound, 1),
            (ErrorKind::AlreadyExists, 1),
            (ErrorKind::Conflict, 1),
            (ErrorKind::Locked, 6),
            (ErrorKind::ReadOnly, 1),
            (ErrorKind::Full, 1),
            (ErrorKind::Corrupt, 1),
            (ErrorKind::NewerFormat, 1),
            (ErrorKind::Unavailable, 1),
            (ErrorKind::OutcomeUnknown, 1),
            (ErrorKind::Interrupted, 130),
            (ErrorKind::Terminated, 143),
            (ErrorKind::Io, 1),
            (ErrorKind::Internal, 1),
        ];
        for (kind, code) in table {
            assert_eq!(Exit::from(kind).code(), code, "{kind:?}");
        }
    }

    #[test]
    fn checks_and_partial_work_have_codes_of_their_own() {
        assert_eq!(Exit::Done.code(), 0);
        assert_eq!(Exit::Partly.code(), 3);
        assert_eq!(Exit::CheckSaysNo.code(), 4);
        assert_eq!(Exit::Withheld.code(), 5);
        assert_eq!(Exit::Signal(15).code(), 143);
    }
}
