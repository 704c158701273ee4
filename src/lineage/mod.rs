//! Lineage: what flows into what. Questions over the catalog's graph, and the languages in which they are asked and answered.
//!
//! ```text
//! names      what a thing is called: by people (`customer-features.loyalty_score`, `model:churn`) and in OpenLineage
//! walk       which nodes are reached, along which edges, how surely; asks for neighbourhoods and does no reading itself
//! answer     the nodes and edges of a walk with their details, and how much of the world it can know of (coverage)
//! impact     what a change of a feature does to each consumer
//! format     an answer as tree, dot, mermaid or OpenLineage events
//! openlineage  events of other systems into edges, work of ours into events, and their way out
//! ```
//!
//! What must stay true: missing detail never looks like safety. A consumer that is known for the group only is reached from
//! each of its features, marked as `column unknown`; an edge that is only inferred says so along the whole path; and every
//! answer says from where consumers are known at all.

pub mod answer;
pub mod format;
pub mod impact;
pub mod names;
pub mod openlineage;
pub mod walk;

pub use answer::{Answer, AnswerEdge, AnswerNode, Channel, Coverage};
pub use impact::{Change, Effect, Impact};
pub use names::Names;
pub use walk::{Certainty, Direction, Walk};
