//! Where the keys go: contexts that bind keys, and the focus that says which contexts are active at once.
//!
//! A focus is a list of contexts; a key means what the one context among them that binds it says. No key may be bound twice
//! within a focus (a test checks every one), so nothing depends on an order and help never shows a dead key.

/// A set of bindings that belong together; a heading in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Context {
    /// Everywhere, also while typing.
    Always,
    /// Everywhere but while typing.
    Global,
    /// The cursor up and down.
    Move,
    /// Home and End, where they aren't the ends of a time line.
    Ends,
    /// Lists whose rows open.
    Open,
    /// Lists that can be filtered.
    Filter,
    /// Lists that can be sorted.
    Sort,
    /// The tabs of a group.
    Tabs,
    /// The tabs of a group, where left and right aren't a time line.
    TabArrows,
    /// A record and its history.
    Record,
    /// The page of an empty store.
    FirstRun,
    /// Typing a filter.
    FilterInput,
    /// Typing a record identifier.
    IdentifierInput,
    /// Typing into the help.
    HelpInput,
    /// Editing any input.
    Edit,
}

impl Context {
    /// Heading in the help.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Always => "Everywhere, also while typing",
            Self::Global => "Everywhere",
            Self::Move | Self::Ends => "Move",
            Self::Open | Self::Filter | Self::Sort => "List",
            Self::Tabs | Self::TabArrows => "Tabs",
            Self::Record => "Record",
            Self::FirstRun => "Empty store",
            Self::FilterInput => "Filter",
            Self::IdentifierInput => "Record identifier",
            Self::HelpInput => "Help",
            Self::Edit => "Typing",
        }
    }
}

/// What has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Focus {
    Waiting,
    FirstRun,
    Groups,
    Features,
    Overview,
    Schema,
    Record,
    Use,
    FilterInput,
    IdentifierInput,
    Help,
}

impl Focus {
    /// Every focus, for the tests and the help.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 11] = [
        Self::Waiting,
        Self::FirstRun,
        Self::Groups,
        Self::Features,
        Self::Overview,
        Self::Schema,
        Self::Record,
        Self::Use,
        Self::FilterInput,
        Self::IdentifierInput,
        Self::Help,
    ];

    /// The contexts that bind keys here; the most particular first, as the help lists them.
    pub(crate) fn contexts(self) -> &'static [Context] {
        use Context as C;
        match self {
            Self::Waiting => &[C::Global, C::Always],
            Self::FirstRun => &[C::FirstRun, C::Global, C::Always],
            Self::Groups | Self::Features => &[C::Open, C::Filter, C::Sort, C::Move, C::Ends, C::Global, C::Always],
            Self::Overview | Self::Use => &[C::Tabs, C::TabArrows, C::Move, C::Ends, C::Global, C::Always],
            Self::Schema => &[C::Filter, C::Tabs, C::TabArrows, C::Move, C::Ends, C::Global, C::Always],
            Self::Record => &[C::Record, C::Tabs, C::Move, C::Global, C::Always],
            Self::FilterInput => &[C::FilterInput, C::Edit, C::Always],
            Self::IdentifierInput => &[C::IdentifierInput, C::Edit, C::Always],
            Self::Help => &[C::HelpInput, C::Edit, C::Always],
        }
    }

    /// True where a plain character is text.
    pub(crate) fn is_typing(self) -> bool {
        matches!(self, Self::FilterInput | Self::IdentifierInput | Self::Help)
    }
}
