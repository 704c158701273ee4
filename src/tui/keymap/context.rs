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
    /// Lists whose rows open, where left and right are taken.
    OpenRow,
    /// Lists that can be filtered.
    Filter,
    /// Lists that can be sorted.
    Sort,
    /// What can be written into a file.
    Export,
    /// Lists whose rows can be marked.
    Marks,
    /// The tabs of a group.
    Tabs,
    /// The tabs of a group, where left and right aren't a time line.
    TabArrows,
    /// A record and its history.
    Record,
    /// The list of features and its counts.
    Catalog,
    /// The counts beside the list of features.
    Facets,
    /// The page of an empty store.
    FirstRun,
    /// The schema of a group.
    Schema,
    /// Statistics of values.
    Stats,
    /// Drift.
    Drift,
    /// The graph.
    Lineage,
    /// Statements.
    Sql,
    /// Typing a statement.
    SqlInput,
    /// Runs.
    Jobs,
    /// The overview of a group.
    Overview,
    /// Rows with columns one can walk over.
    Columns,
    /// Rows of a history.
    Rows,
    /// Files of a history.
    Files,
    /// Training datasets.
    Datasets,
    /// Rows of a training dataset.
    Cells,
    /// Typing a condition.
    ConditionInput,
    /// Typing a filter.
    FilterInput,
    /// Typing a record identifier.
    IdentifierInput,
    /// Typing into the help.
    HelpInput,
    /// Typing into the palette, the choice of colours, or a form.
    LayerInput,
    /// What can be described and tagged in place.
    Edits,
    /// Editing any input.
    Edit,
}

impl Context {
    /// Every context.
    pub(crate) const ALL: [Self; 36] = [
        Self::Always,
        Self::Global,
        Self::Move,
        Self::Ends,
        Self::Open,
        Self::OpenRow,
        Self::Filter,
        Self::Sort,
        Self::Export,
        Self::Marks,
        Self::Tabs,
        Self::TabArrows,
        Self::Record,
        Self::Catalog,
        Self::Facets,
        Self::FirstRun,
        Self::Schema,
        Self::Stats,
        Self::Drift,
        Self::Lineage,
        Self::Overview,
        Self::Columns,
        Self::Rows,
        Self::Files,
        Self::Datasets,
        Self::Cells,
        Self::ConditionInput,
        Self::Sql,
        Self::SqlInput,
        Self::Jobs,
        Self::FilterInput,
        Self::IdentifierInput,
        Self::HelpInput,
        Self::LayerInput,
        Self::Edits,
        Self::Edit,
    ];

    /// Stable name in a configuration file, kebab-case.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Global => "global",
            Self::Move => "move",
            Self::Ends => "ends",
            Self::Open => "open",
            Self::OpenRow => "open-row",
            Self::Filter => "filter",
            Self::Sort => "sort",
            Self::Export => "export",
            Self::Marks => "marks",
            Self::Tabs => "tabs",
            Self::TabArrows => "tab-arrows",
            Self::Record => "record",
            Self::Catalog => "catalog",
            Self::Facets => "facets",
            Self::FirstRun => "first-run",
            Self::Schema => "schema",
            Self::Stats => "stats",
            Self::Drift => "drift",
            Self::Lineage => "lineage",
            Self::Overview => "overview",
            Self::Columns => "columns",
            Self::Rows => "rows",
            Self::Files => "files",
            Self::Datasets => "datasets",
            Self::Cells => "cells",
            Self::ConditionInput => "condition-input",
            Self::Sql => "sql",
            Self::SqlInput => "sql-input",
            Self::Jobs => "jobs",
            Self::FilterInput => "filter-input",
            Self::IdentifierInput => "identifier-input",
            Self::HelpInput => "help-input",
            Self::LayerInput => "layer-input",
            Self::Edits => "edits",
            Self::Edit => "edit",
        }
    }

    /// True where a plain character is text.
    pub(crate) fn is_typing(self) -> bool {
        matches!(
            self,
            Self::Always
                | Self::FilterInput
                | Self::IdentifierInput
                | Self::ConditionInput
                | Self::HelpInput
                | Self::LayerInput
                | Self::SqlInput
                | Self::Edit
        )
    }

    /// Heading in the help.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Always => "Everywhere, also while typing",
            Self::Global => "Everywhere",
            Self::Move | Self::Ends => "Move",
            Self::Open | Self::OpenRow | Self::Filter | Self::Sort | Self::Export | Self::Marks => "List",
            Self::Tabs | Self::TabArrows => "Tabs",
            Self::Record => "Record",
            Self::Catalog | Self::Facets => "Facets",
            Self::FirstRun => "Empty store",
            Self::Schema => "Schema",
            Self::Stats => "Statistics",
            Self::Drift => "Drift",
            Self::Lineage => "Lineage",
            Self::Overview => "Overview",
            Self::Columns => "Columns",
            Self::Rows => "Rows",
            Self::Files => "Files",
            Self::Datasets => "Training datasets",
            Self::Cells => "Cells",
            Self::ConditionInput => "Condition",
            Self::Sql | Self::SqlInput => "SQL",
            Self::Jobs => "Jobs",
            Self::FilterInput => "Filter",
            Self::IdentifierInput => "Record identifier",
            Self::HelpInput => "Help",
            Self::LayerInput => "Choice",
            Self::Edits => "In place",
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
    Catalog,
    Facets,
    Overview,
    Schema,
    Record,
    Use,
    Stats,
    Drift,
    Lineage,
    LineageTab,
    Sql,
    SqlInput,
    Datasets,
    DatasetsTab,
    Cells,
    Rows,
    Files,
    Jobs,
    FilterInput,
    IdentifierInput,
    ConditionInput,
    Help,
    Layer,
}

impl Focus {
    /// Every focus, for the tests and the help.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 26] = [
        Self::Waiting,
        Self::FirstRun,
        Self::Groups,
        Self::Catalog,
        Self::Facets,
        Self::Overview,
        Self::Schema,
        Self::Record,
        Self::Use,
        Self::Stats,
        Self::Drift,
        Self::Lineage,
        Self::LineageTab,
        Self::Sql,
        Self::SqlInput,
        Self::Datasets,
        Self::DatasetsTab,
        Self::Cells,
        Self::Rows,
        Self::Files,
        Self::Jobs,
        Self::FilterInput,
        Self::IdentifierInput,
        Self::ConditionInput,
        Self::Help,
        Self::Layer,
    ];

    /// The contexts that bind keys here; the most particular first, as the help lists them.
    pub(crate) fn contexts(self) -> &'static [Context] {
        use Context as C;
        match self {
            Self::Waiting => &[C::Filter, C::Global, C::Always],
            Self::FirstRun => &[C::FirstRun, C::Global, C::Always],
            Self::Groups => &[C::Open, C::Filter, C::Sort, C::Marks, C::Export, C::Edits, C::Move, C::Ends, C::Global, C::Always],
            Self::Catalog => {
                &[C::Open, C::Filter, C::Sort, C::Marks, C::Export, C::Catalog, C::Edits, C::Move, C::Ends, C::Global, C::Always]
            }
            Self::Facets => &[C::Facets, C::Catalog, C::Filter, C::Move, C::Ends, C::Global, C::Always],
            Self::Overview => &[C::Overview, C::Edits, C::Tabs, C::TabArrows, C::Move, C::Ends, C::Global, C::Always],
            Self::Use => &[C::Tabs, C::TabArrows, C::Move, C::Ends, C::Global, C::Always],
            Self::Schema => &[
                C::Schema,
                C::OpenRow,
                C::Filter,
                C::Marks,
                C::Export,
                C::Edits,
                C::Tabs,
                C::TabArrows,
                C::Move,
                C::Ends,
                C::Global,
                C::Always,
            ],
            Self::Record => &[C::Record, C::Export, C::Tabs, C::Move, C::Global, C::Always],
            Self::Stats => &[C::Stats, C::OpenRow, C::Tabs, C::TabArrows, C::Move, C::Ends, C::Global, C::Always],
            Self::Drift => &[C::Drift, C::OpenRow, C::Export, C::Tabs, C::TabArrows, C::Move, C::Ends, C::Global, C::Always],
            Self::LineageTab => &[C::Lineage, C::Tabs, C::Move, C::Ends, C::Global, C::Always],
            Self::Lineage => &[C::Lineage, C::Move, C::Ends, C::Global, C::Always],
            Self::Sql => &[C::Sql, C::Columns, C::Move, C::Ends, C::Global, C::Always],
            Self::SqlInput => &[C::SqlInput, C::Edit, C::Always],
            Self::Datasets => &[C::Datasets, C::OpenRow, C::Export, C::Move, C::Ends, C::Global, C::Always],
            Self::DatasetsTab => &[C::Datasets, C::OpenRow, C::Export, C::Tabs, C::TabArrows, C::Move, C::Ends, C::Global, C::Always],
            Self::Cells => &[C::Cells, C::Columns, C::Move, C::Ends, C::Global, C::Always],
            Self::Rows => &[C::Rows, C::OpenRow, C::Columns, C::Export, C::Tabs, C::Move, C::Ends, C::Global, C::Always],
            Self::Files => &[C::Files, C::Export, C::Tabs, C::TabArrows, C::Move, C::Ends, C::Global, C::Always],
            Self::Jobs => &[C::Jobs, C::Export, C::Move, C::Ends, C::Global, C::Always],
            Self::FilterInput => &[C::FilterInput, C::Edit, C::Always],
            Self::IdentifierInput => &[C::IdentifierInput, C::Edit, C::Always],
            Self::ConditionInput => &[C::ConditionInput, C::Edit, C::Always],
            Self::Help => &[C::HelpInput, C::Edit, C::Always],
            Self::Layer => &[C::LayerInput, C::Edit, C::Always],
        }
    }

    /// True where a plain character is text.
    pub(crate) fn is_typing(self) -> bool {
        matches!(self, Self::FilterInput | Self::IdentifierInput | Self::ConditionInput | Self::SqlInput | Self::Help | Self::Layer)
    }
}
