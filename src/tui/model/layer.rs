//! What lies over a screen and has the keys while it does: the palette, the choice of colours, a form, what was said lately.
//!
//! One layer at a time. Esc closes it and leaves everything below as it was.

use super::line::Line;
use super::list::List;

/// A layer over the screen.
#[derive(Debug)]
pub(crate) enum Layer {
    /// Any action, screen, group or feature by name.
    Palette(Palette),
    /// The choice of colours; the theme before, to go back to.
    Themes(List, String),
    /// Texts to edit.
    Form(Form),
    /// What was said lately.
    Messages(List),
}

/// The palette.
#[derive(Debug, Default)]
pub(crate) struct Palette {
    /// What was typed.
    pub(crate) line: Line,
    /// The offer under the cursor.
    pub(crate) list: List,
}

/// A form of one or several texts.
#[derive(Debug)]
pub(crate) struct Form {
    /// What is edited.
    pub(crate) title: String,
    /// The texts.
    pub(crate) fields: Vec<Field>,
    /// The field that has the keys.
    pub(crate) at: usize,
    /// What is done with them.
    pub(crate) purpose: Purpose,
    /// What is wrong with what was typed.
    pub(crate) complaint: Option<String>,
}

/// One text of a form.
#[derive(Debug)]
pub(crate) struct Field {
    /// What it is.
    pub(crate) label: &'static str,
    /// The text.
    pub(crate) line: Line,
    /// How it is written.
    pub(crate) note: &'static str,
}

/// What a form is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The description of a group or of one of its features.
    Description {
        /// The group.
        group: String,
        /// The feature; none for the group itself.
        feature: Option<String>,
    },
    /// The tags of a group or the parameters of a feature, as `key=value, key=value`.
    Tags {
        /// The group.
        group: String,
        /// The feature; none for the group itself.
        feature: Option<String>,
    },
    /// The file for all rows of a statement.
    Export {
        /// The statement.
        sql: String,
    },
    /// The owner of a group.
    Owner {
        /// The group.
        group: String,
    },
}
