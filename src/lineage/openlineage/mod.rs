//! OpenLineage 2-0-2, both ways.
//!
//! ```text
//! event      the three events as they are written and read
//! facets     what we say of datasets and runs, each facet with its schema
//! intake     an event of another system -> edges of the catalog
//! outgoing   loads and builds of ours -> run events; an answer -> dataset and job events
//! emitter    a bounded queue to a file or an HTTP endpoint
//! ```
//!
//! What must stay true: an event that can be read is taken in, whatever facets it brings, in whatever order events arrive; nothing
//! that has to do with sending can fail or hold up the store.

pub mod emitter;
pub mod event;
pub mod facets;
pub mod intake;
pub mod outgoing;

pub use emitter::{Emitter, EmitterReport, Transport};
pub use event::Event;
pub use intake::{Intake, Resolve};
