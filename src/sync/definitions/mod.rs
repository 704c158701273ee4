//! Definition files: feature groups as a team writes them down, in YAML, TOML or JSON.
//!
//! ```text
//! texts --read--> definitions | faults --plan--> what would change --apply--> the store
//!                                                  the store --export--> files
//! ```
//!
//! One model describes the files ([`schema_text`] is generated from it); every text is checked against that schema on a tree that
//! knows the place of each node, so that all faults of all files come back at once, each as `file:line:column`. Reading knows
//! no store and no disk: texts may come from a git tree as well. A plan is worked out wholly before anything changes, and what it
//! says is what [`apply`] does: in one transaction of the catalog, or not at all.
//!
//! A file says everything about what people write of a group (description, owner, tags, expectations, ttl): what it leaves out is
//! taken away. What it leaves out about where and how data is stored stays as the store has it. Lineage is only ever added.

mod apply;
mod defaults;
mod definition;
mod document;
mod export;
mod fault;
mod files;
mod flows;
mod format;
mod plan;
mod read;
mod rules;
mod schema;
mod shape;
mod tree;

pub use apply::{Applied, apply};
pub use definition::{Definition, Flow, Storage};
pub use export::{Exported, export};
pub use fault::{Fault, Place};
pub use files::gather;
pub use plan::{Action, Change, ChangeKind, GroupPlan, Plan, plan};
pub use read::{Reading, Text, read};
pub use schema::schema_text;
