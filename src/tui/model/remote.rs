//! Something that comes from the store: absent, on its way, here, here but being renewed, or failed.
//!
//! Every pane holds its data in a [`Remote`], so the visual states of waiting and failing come with the type. What
//! was here once stays visible while it is renewed and when renewing fails.

use crate::model::Error;
use crate::tui::units::Micros;

/// Data that a job brings.
#[derive(Debug, Clone, Default)]
pub(crate) enum Remote<T> {
    /// Nobody has asked.
    #[default]
    Idle,
    /// Asked at that time, nothing to show.
    Loading(Micros),
    /// Here.
    Ready(T),
    /// Here, and asked again at that time.
    Stale(T, Micros),
    /// Asking failed; what was here before stays.
    Failed(ErrorText, Option<T>),
}

/// An error in words a pane can lay out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorText {
    /// What happened.
    pub(crate) what: String,
    /// Why, if known.
    pub(crate) why: Option<String>,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

impl From<&Error> for ErrorText {
    fn from(error: &Error) -> Self {
        Self { what: error.what().to_owned(), why: error.reason(), remedy: error.advice().map(str::to_owned) }
    }
}

impl ErrorText {
    /// All of it in one line, as the command line would print it.
    pub(crate) fn line(&self) -> String {
        let mut line = self.what.clone();
        if let Some(why) = &self.why {
            line.push_str(&format!(" ({why})"));
        }
        if let Some(remedy) = &self.remedy {
            line.push_str(&format!("; {remedy}"));
        }
        line
    }
}

impl<T> Remote<T> {
    /// What there is to show, whatever its state.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Ready(value) | Self::Stale(value, _) | Self::Failed(_, Some(value)) => Some(value),
            Self::Idle | Self::Loading(_) | Self::Failed(_, None) => None,
        }
    }

    /// Since when it is being fetched, if it is.
    pub(crate) fn waiting_since(&self) -> Option<Micros> {
        match self {
            Self::Loading(since) | Self::Stale(_, since) => Some(*since),
            _ => None,
        }
    }

    /// The error, if the last attempt failed.
    pub(crate) fn error(&self) -> Option<&ErrorText> {
        match self {
            Self::Failed(error, _) => Some(error),
            _ => None,
        }
    }

    /// Marks it as asked for; what is here stays.
    pub(crate) fn ask(&mut self, now: Micros) {
        *self = match std::mem::take(self) {
            Self::Ready(value) | Self::Stale(value, _) | Self::Failed(_, Some(value)) => Self::Stale(value, now),
            Self::Idle | Self::Loading(_) | Self::Failed(_, None) => Self::Loading(now),
        };
    }

    /// Takes the answer; a failure keeps what is here.
    pub(crate) fn answer(&mut self, answer: Result<T, ErrorText>) {
        *self = match (answer, std::mem::take(self)) {
            (Ok(value), _) => Self::Ready(value),
            (Err(error), Self::Ready(old) | Self::Stale(old, _) | Self::Failed(_, Some(old))) => Self::Failed(error, Some(old)),
            (Err(error), _) => Self::Failed(error, None),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> ErrorText {
        ErrorText { what: "disk gone".into(), why: None, remedy: None }
    }

    #[test]
    fn what_was_here_stays_while_it_is_renewed_and_when_that_fails() {
        let mut remote = Remote::default();
        remote.ask(1);
        assert!(remote.value().is_none());
        remote.answer(Ok(7));
        remote.ask(2);
        assert_eq!((remote.value(), remote.waiting_since()), (Some(&7), Some(2)));
        remote.answer(Err(failure()));
        assert_eq!((remote.value(), remote.error()), (Some(&7), Some(&failure())));
    }
}
