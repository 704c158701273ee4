//! The catalogue of actions: the one place that says what can be done, how it is called, and which keys do it.
//!
//! Key dispatch, hint bar and help are generated from this table; nothing else names a key. `name` is what a
//! configuration file will call the action, `hint` is the word beside the key in the last line, `help` is the sentence in the help.

use super::context::Context::{self, *};

/// What the catalogue says of an action.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The action.
    pub(crate) action: Action,
    /// Stable name, kebab-case.
    pub(crate) name: &'static str,
    /// A word or two for the hint bar.
    pub(crate) hint: &'static str,
    /// A sentence for the help.
    pub(crate) help: &'static str,
    /// Keys by context, most usual first, in the notation of [`crate::tui::model::key`].
    pub(crate) keys: &'static [(Context, &'static [&'static str])],
}

macro_rules! catalogue {
    ($($action:ident, $name:literal, $hint:literal, $help:literal, [$($context:ident: $keys:expr),* $(,)?];)*) => {
        /// Something a person can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub(crate) enum Action { $($action),* }

        /// Every action there is.
        pub(crate) const CATALOGUE: &[Entry] = &[
            $(Entry { action: Action::$action, name: $name, hint: $hint, help: $help, keys: &[$(($context, &$keys)),*] }),*
        ];
    };
}

catalogue! {
    // Catalog and groups.
    Open, "open", "open", "Open what is under the cursor", [Open: ["enter", "l", "right"], OpenRow: ["enter"]];
    Filter, "filter", "filter", "Filter: words, tag:pii, owner:growth, type:frac, !without", [Filter: ["/"]];
    Sort, "sort", "sort", "Sort by the next column", [Sort: ["s"]];
    SortReverse, "sort-reverse", "reverse", "Turn the order around", [Sort: ["S"]];
    ExportList, "export-list", "export", "Write what is listed into a file, or only the marked rows: .csv, .json or .parquet", [Export: ["e"], Stats: ["E"]];
    Mark, "mark", "mark", "Mark the row under the cursor, or take its mark away: copy and export then take the marked ones", [Marks: ["space"]];
    MarkRange, "mark-range", "mark range", "Mark all rows from the one marked last to the cursor", [Marks: ["v"]];
    MarkAll, "mark-all", "mark all", "Mark all rows that are listed, or take all marks away", [Marks: ["C-a"]];
    ChooseColumns, "choose-columns", "columns", "Choose the columns that are shown", [Sort: ["a"], Schema: ["a"], Stats: ["a"], Files: ["a"], Datasets: ["a"], Jobs: ["a"], Columns: ["a"]];
    Facets, "facets", "facets", "To the counts by type, owner, tag … and back", [Catalog: ["f", "tab"]];
    ToggleFacet, "toggle-facet", "only these", "List only what has this, or no longer", [Facets: ["space", "enter", "x"]];
    ClearFilters, "clear-filters", "clear", "Take every filter out and keep the words", [Catalog: ["F"]];

    FillDemo, "fill-demo", "demo", "Fill this store with the demo", [FirstRun: ["d"]];

    Older, "older", "step", "One version back in time", [Record: ["left", "h"]];
    Newer, "newer", "step", "One version forward in time", [Record: ["right", "l"]];
    Oldest, "oldest", "oldest", "To the oldest version", [Record: ["home"]];
    Newest, "newest", "now", "To the newest version", [Record: ["end"]];
    EditIdentifier, "edit-identifier", "look up", "Type a record identifier to look up", [Record: ["/", "i", "enter"]];

    PutRecord, "put-record", "put", "Put a record by hand; what would change is shown before it is written", [Record: ["p"]];
    DeleteRecord, "delete-record", "delete", "Delete the record that is shown; its history stays", [Record: ["D"]];

    CheckExpectations, "check-expectations", "check", "Check now whether the group is as it is expected to be", [Overview: ["x"]];

    // Statistics, drift, rows, files.
    Population, "population", "events ⇄ latest", "Figures of all events, or of the newest record of each identifier", [Stats: ["e"]];
    ReadAnew, "read-anew", "read anew", "Read every value again for the figures", [Stats: ["R"]];
    Baseline, "baseline", "baseline", "Compare with the days before, the same weekday, a pinned baseline, a training dataset", [Drift: ["b"]];
    SortDrift, "sort-drift", "sort", "The most changed first, or by name", [Drift: ["s"]];
    PinBaseline, "pin-baseline", "pin", "Keep the days that are compared now under a name, as a baseline", [Drift: ["P"]];
    UnpinBaseline, "unpin-baseline", "unpin", "Forget the pinned baseline that is in use", [Drift: ["X"]];

    FilterRows, "filter-rows", "where", "Only rows of which a condition in SQL is true", [Rows: ["/", "i"]];
    SortRows, "sort-rows", "sort", "Sort by the column under the cursor: up, down, as written", [Rows: ["s"]];
    ApplyCondition, "apply-condition", "ask", "Ask for the rows of which this is true", [ConditionInput: ["enter"]];
    FirstColumn, "first-column", "first column", "To the first column", [Columns: ["0"]];
    LastColumn, "last-column", "last column", "To the last column", [Columns: ["$"]];
    FreezeColumns, "freeze-columns", "freeze", "Keep all columns up to the cursor in sight, or only the keys again", [Columns: ["|"]];
    CopyCell, "copy-cell", "copy cell", "Copy the cell under the cursor", [Columns: ["y c"]];
    SortFiles, "sort-files", "sort", "Sort the files by the next column", [Files: ["s"]];
    ReverseFiles, "reverse-files", "reverse", "Turn the order of the files around", [Files: ["S"]];

    // Training datasets.
    MarkDataset, "mark-dataset", "mark", "Mark a training dataset to be compared, or take the mark away", [Datasets: ["space"]];
    Compare, "compare", "compare", "What differs between the two that are marked, or from the version before", [Datasets: ["d"]];
    Verify, "verify", "verify", "Build it again and see whether it is the same", [Datasets: ["v"]];
    Explain, "explain", "why", "Why the cell under the cursor has its value, or has none", [Cells: ["enter", "w"]];

    // Lineage.
    Center, "center", "re-centre", "Put what is under the cursor in the middle", [Lineage: ["enter"]];
    Recenter, "recenter", "middle before", "Put the node back in the middle that was there before", [Lineage: ["backspace"]];
    AlongBack, "along-back", "along", "To a neighbour it comes from", [Lineage: ["left", "h"]];
    AlongOn, "along-on", "along", "To a neighbour it goes into", [Lineage: ["right", "l"]];
    DrawOrList, "draw-or-list", "graph ⇄ tree", "Draw the graph, or list it as a tree", [Lineage: ["v"]];
    Deeper, "deeper", "deeper", "Follow one edge more", [Lineage: ["+"]];
    Shallower, "shallower", "shallower", "Follow one edge less", [Lineage: ["-"]];
    UpOnly, "up-only", "up", "Only where it comes from, or both ways again", [Lineage: ["u"]];
    DownOnly, "down-only", "down", "Only what it goes into, or both ways again", [Lineage: ["d"]];
    WhatBreaks, "what-breaks", "what breaks", "Mark what breaks if the node in the middle is removed, changes its type, its ttl, its meaning", [Lineage: ["w"]];
    OpenNode, "open-node", "open", "The page of the group or feature under the cursor", [Lineage: ["o"]];

    // SQL, jobs.
    RunStatement, "run-statement", "run", "Run the statement", [SqlInput: ["F5", "C-j"], Sql: ["F5"]];
    BreakLine, "break-line", "new line", "Begin a new line", [SqlInput: ["enter"]];
    CompleteName, "complete-name", "complete", "Take the first name on offer", [SqlInput: ["tab"], ConditionInput: ["tab"]];
    EarlierStatement, "earlier-statement", "earlier", "The statement that was run before", [SqlInput: ["A-up", "C-r"]];
    LaterStatement, "later-statement", "later", "The statement that was run after", [SqlInput: ["A-down"]];
    EditStatement, "edit-statement", "edit", "Edit the statement", [Sql: ["i", "/", "enter"]];
    ColumnsLeft, "columns-left", "columns", "One column to the left", [Columns: ["left", "h"]];
    ColumnsRight, "columns-right", "columns", "One column to the right", [Columns: ["right", "l"]];
    Export, "export", "export", "Write all rows of the result into a file", [Sql: ["e"]];
    Flush, "flush", "flush", "Move what waits in the outboxes into files", [Jobs: ["f"]];

    // Everywhere.
    NextTab, "next-tab", "next tab", "Next tab", [Tabs: ["tab", "]"], TabArrows: ["right", "l"]];
    PreviousTab, "previous-tab", "tab", "Previous tab", [IdentifierInput: ["backtab"], Tabs: ["backtab", "["], TabArrows: ["left", "h"]];

    MoveDown, "move-down", "move", "Down", [SqlInput: ["down", "C-n"], Move: ["down", "j"], FilterInput: ["down", "C-n"], IdentifierInput: ["down", "C-n"], HelpInput: ["down", "C-n"], LayerInput: ["down", "C-n", "tab"]];
    MoveUp, "move-up", "move", "Up", [SqlInput: ["up", "C-p"], Move: ["up", "k"], FilterInput: ["up", "C-p"], IdentifierInput: ["up", "C-p"], HelpInput: ["up", "C-p"], LayerInput: ["up", "C-p", "backtab"]];
    PageDown, "page-down", "page", "A page down", [Move: ["pagedown", "C-f"], FilterInput: ["pagedown"], HelpInput: ["pagedown"], LayerInput: ["pagedown"]];
    PageUp, "page-up", "page", "A page up", [Move: ["pageup", "C-b"], FilterInput: ["pageup"], HelpInput: ["pageup"], LayerInput: ["pageup"]];
    HalfDown, "half-page-down", "half page", "Half a page down", [Move: ["C-d"]];
    HalfUp, "half-page-up", "half page", "Half a page up", [Move: ["C-u"]];
    First, "first", "first", "To the first row", [Move: ["g"], Ends: ["home"]];
    Last, "last", "last", "To the last row", [Move: ["G"], Ends: ["end"]];

    Accept, "accept-filter", "keep", "Keep the filter and go to the list", [FilterInput: ["enter"]];
    Choose, "choose", "choose", "Take what is under the cursor, or what was typed", [LayerInput: ["enter"]];
    LookUp, "look-up", "look up", "Look the record up", [IdentifierInput: ["enter"]];
    Complete, "complete", "complete", "Take the identifier that is offered; with nothing typed, the next tab", [IdentifierInput: ["tab"]];
    OtherList, "other-list", "groups ⇄ features", "Look for the same in the list of groups or of features", [FilterInput: ["tab"]];
    Leave, "leave-input", "leave", "Clear the input, then leave it", [FilterInput: ["esc"], IdentifierInput: ["esc"], ConditionInput: ["esc"], SqlInput: ["esc"], HelpInput: ["esc"], LayerInput: ["esc"]];

    DeleteBack, "delete-back", "delete", "Delete the character before the caret", [Edit: ["backspace", "C-h"]];
    DeleteForward, "delete-forward", "delete", "Delete the character behind the caret", [Edit: ["delete", "C-d"]];
    DeleteWord, "delete-word", "delete word", "Delete the word before the caret", [Edit: ["C-w"]];
    DeleteToStart, "delete-to-start", "clear", "Delete everything before the caret", [Edit: ["C-u"]];
    CaretLeft, "caret-left", "left", "Caret to the left", [Edit: ["left", "C-b"]];
    CaretRight, "caret-right", "right", "Caret to the right", [Edit: ["right", "C-f"]];
    CaretStart, "caret-start", "start", "Caret to the start", [Edit: ["home", "C-a"]];
    CaretEnd, "caret-end", "end", "Caret to the end", [Edit: ["end", "C-e"]];

    Copy, "copy", "copy", "Copy what is under the cursor: a name, a record, the code shown", [Global: ["y y"]];
    CopyReference, "copy-reference", "copy reference", "Copy the full reference: group.feature", [Global: ["y r"]];
    CopyJson, "copy-json", "copy JSON", "Copy as JSON", [Global: ["y j"]];
    CopySql, "copy-sql", "copy SQL", "Copy a SQL statement that reads it", [Global: ["y s"]];
    CopyCode, "copy-code", "copy code", "Copy the Python code that reads it", [Global: ["y p"]];
    Palette, "palette", "commands", "Any action, screen, group or feature by name", [Global: [":", "C-p"]];
    Forward, "forward", "forward", "Forward to the screen that Back left", [Global: ["L", "A-right"]];
    BackInHistory, "back-in-history", "back", "The screen before, filters untouched", [Global: ["H", "A-left"]];
    ThemePicker, "theme", "theme", "Choose colours; the screen shows them at once", [Global: ["T"]];
    Mouse, "mouse", "mouse", "Give the mouse to the terminal, for selecting text, or take it back", [Global: ["M"]];
    Messages, "messages", "messages", "What was said lately", [Global: ["!"]];
    EditDescription, "edit-description", "describe", "Edit the description of what is under the cursor", [Edits: ["E"]];
    EditTags, "edit-tags", "tags", "Edit the tags of the group, or the parameters of the feature, under the cursor", [Edits: ["t"]];
    EditOwner, "edit-owner", "owner", "Edit the owner of the group under the cursor", [Edits: ["O"]];
    UndoEdit, "undo-edit", "undo", "Undo the last edit of a description, tag or owner", [Edits: ["U"]];
    ScreenCatalog, "screen-catalog", "catalog", "All features of all groups", [Global: ["1"]];
    ScreenGroups, "screen-groups", "groups", "All feature groups", [Global: ["2"]];
    ScreenLineage, "screen-lineage", "lineage", "The graph around what is under the cursor", [Global: ["3"]];
    ScreenOnline, "screen-online", "online", "Look up a record of the group under the cursor", [Global: ["4"]];
    ScreenSql, "screen-sql", "SQL", "Statements and their results", [Global: ["5"]];
    ScreenDatasets, "screen-datasets", "datasets", "Training datasets", [Global: ["6"]];
    ScreenJobs, "screen-jobs", "jobs", "What runs and what ran", [Global: ["7"]];
    Refresh, "refresh", "refresh", "Read everything again", [Global: ["r"]];
    Help, "help", "help", "Keys of this screen; type to search them", [Global: ["?"], Always: ["F1"]];
    Back, "back", "back", "One layer back: filter, then the screen before", [Global: ["esc"]];
    Close, "close", "quit", "Close this screen; on the first one, quit", [Global: ["q"]];
    Cancel, "cancel", "stop", "Stop what is running, else clear the input or close the layer; on the first screen, quit", [Always: ["C-c"]];
    Quit, "quit", "quit", "Quit at once", [Always: ["C-q"]];
    Suspend, "suspend", "suspend", "Back to the shell; fg returns here", [Always: ["C-z"]];
    Redraw, "redraw", "redraw", "Draw the whole screen again", [Always: ["C-l"]];
}
