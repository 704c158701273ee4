//! A catalog that is published: what a team's store knows of feature groups, in a folder or bucket that everybody can read. No server.
//!
//! ```text
//! <place>/larder-catalog/00000001.json.gz, 00000002.json.gz, …      the newest one is the catalog
//! ```
//!
//! What must stay true: a version is created once and never changed ([`shelf`]), so a reader meets a whole one or none; of two publishers
//! who meet, one makes the next version ([`publish`]). The newest version says everything, so reading one object is enough.

mod document;
mod publish;
mod shelf;

pub use publish::{Published, publish};

pub(super) use document::{Document, PublishedGroup};
pub(super) use shelf::{FOLDER, Shelf};
