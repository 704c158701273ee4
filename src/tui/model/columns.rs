//! Which columns of which list a person wants to see.
//!
//! What is remembered is what was hidden: a column that a later version adds is seen until somebody hides it. The name of what is listed
//! can't be hidden.

use std::collections::{BTreeMap, BTreeSet};

use super::list::List;

/// Lists with columns of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub(crate) enum Listed {
    Features,
    Groups,
    Schema,
    Stats,
    Files,
    Datasets,
    Jobs,
}

impl Listed {
    /// Every list.
    pub(crate) const ALL: [Self; 7] = [Self::Features, Self::Groups, Self::Schema, Self::Stats, Self::Files, Self::Datasets, Self::Jobs];

    /// Stable name in the state that is kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Groups => "groups",
            Self::Schema => "schema",
            Self::Stats => "stats",
            Self::Files => "files",
            Self::Datasets => "datasets",
            Self::Jobs => "jobs",
        }
    }

    /// The columns that can be hidden, by their titles.
    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Features => &["GROUP", "TYPE", "NULL", "SHAPE", "FRESH", "READERS", "OWNER", "DESCRIPTION"],
            Self::Groups => &["STORES", "FEATURES", "NEWEST", "OWNER", "TAGS"],
            Self::Schema => &["TYPE", "DESCRIPTION", "PARAMETERS"],
            Self::Stats => &["TYPE", "NULL", "DISTINCT", "MEAN", "SHAPE"],
            Self::Files => &["SIZE", "EVENT TIME", "IDENTIFIERS", "VERSION", "WRITTEN", "SPAN"],
            Self::Datasets => &["VERSION", "BUILT", "COLUMNS", "FOR"],
            Self::Jobs => &["GROUP", "ROWS", "A SECOND", "TOOK", "BEGAN"],
        }
    }
}

/// Columns that were hidden, by list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HiddenColumns(BTreeMap<Listed, BTreeSet<String>>);

impl HiddenColumns {
    /// True for a column that was hidden.
    pub(crate) fn holds(&self, list: Listed, title: &str) -> bool {
        self.0.get(&list).is_some_and(|hidden| hidden.contains(title))
    }

    /// Hides a column, or shows it again.
    pub(crate) fn toggle(&mut self, list: Listed, title: &str) {
        let hidden = self.0.entry(list).or_default();
        if !hidden.remove(title) {
            hidden.insert(title.to_owned());
        }
    }

    /// As it is kept: titles by name of the list.
    pub(crate) fn kept(&self) -> BTreeMap<String, Vec<String>> {
        let some = self.0.iter().filter(|(_, hidden)| !hidden.is_empty());
        some.map(|(list, hidden)| (list.name().to_owned(), hidden.iter().cloned().collect())).collect()
    }

    /// What was kept; titles that no list has are forgotten.
    pub(crate) fn read(kept: &BTreeMap<String, Vec<String>>) -> Self {
        let of = |list: Listed| {
            let known = kept.get(list.name()).into_iter().flatten().filter(|title| list.columns().contains(&title.as_str()));
            (list, known.cloned().collect())
        };
        Self(Listed::ALL.into_iter().map(of).collect())
    }
}

/// Whose columns are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnsOf {
    /// Those of a list.
    List(Listed),
    /// Those of the rows that are shown.
    Rows,
}

/// The choice of columns, while it is open.
#[derive(Debug)]
pub(crate) struct ColumnChoice {
    /// Whose columns.
    pub(crate) of: ColumnsOf,
    /// Their names, and whether they are shown.
    pub(crate) columns: Vec<(String, bool)>,
    /// Cursor and window.
    pub(crate) list: List,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_hidden_is_kept_and_what_no_list_has_is_forgotten() {
        let mut hidden = HiddenColumns::default();
        hidden.toggle(Listed::Groups, "OWNER");
        hidden.toggle(Listed::Groups, "TAGS");
        hidden.toggle(Listed::Groups, "TAGS");
        let mut kept = hidden.kept();
        assert!(HiddenColumns::read(&kept).holds(Listed::Groups, "OWNER"));
        assert!(!HiddenColumns::read(&kept).holds(Listed::Groups, "TAGS"));
        kept.insert("jobs".to_owned(), vec!["COLOUR".to_owned()]);
        assert!(!HiddenColumns::read(&kept).holds(Listed::Jobs, "COLOUR"));
    }
}
