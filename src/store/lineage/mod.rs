//! Lineage of a store: what is captured without asking, what people declare, what other systems send, and the answers.
//!
//! ```text
//! [`capture`]  loads (file -> group) and builds (features -> dataset), as edges and as OpenLineage run events
//! [`declare`]  what people say: a model was trained on a dataset, a dashboard reads a feature
//! [`entities`] artifacts, contexts, actions and their associations, as clients of the wire API know them; [`entity_walk`] their graph
//! [`import`]   what other systems say, as OpenLineage events
//! [`journal`]  the last two, in a file beside the data: a lost catalog is filled again from there
//! [`nodes`]    what people type -> nodes
//! [`question`] walk, impact
//! [`told`]     what sources of sync tell
//! [`usage`]    who reads what, counted a day
//! ```

pub(super) mod capture;
mod declare;
mod entities;
mod entity_walk;
mod import;
mod journal;
mod nodes;
mod question;
mod told;
pub(super) mod usage;

pub use crate::catalog::{AssociationRow, EntityContent, EntityId, EntityKind, EntityPage, EntityRow, EntitySource};
pub use crate::catalog::{EdgeKind, EdgeMethod, NodeKey, NodeKind, UsageDay, UsageRow};
pub use crate::lineage::answer::{Answer, AnswerEdge, AnswerNode, Channel, Coverage};
pub use crate::lineage::format;
pub use crate::lineage::impact::{Affected, Change, Effect, Impact};
pub use crate::lineage::openlineage::{EmitterReport, Event};
pub use crate::lineage::walk::{Certainty, Direction};
pub(crate) use declare::fitting;
pub use declare::{Declaration, Declared};
pub use entities::{EntityChange, NewEntity};
pub use entity_walk::{EntityEdge, EntityGraph};
pub use import::ImportReport;
pub(crate) use nodes::declared_key;
pub use question::LineageQuestion;

use std::time::Duration;

use super::FeatureStore;
use crate::lineage::Names;
use crate::lineage::openlineage::{Emitter, Transport};
use crate::model::Result;
use crate::store::settings::Settings;

/// How long the end of a process waits for events that are on their way.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// The emitter that the settings ask for.
pub(super) fn emitter(settings: &Settings) -> Result<Emitter> {
    let asked = &settings.openlineage;
    let transport = match &asked.url {
        Some(url) if !asked.disabled => Transport::parse(url, &asked.endpoint, asked.api_key.as_ref().map(|key| key.expose()))?,
        _ => Transport::None,
    };
    Ok(Emitter::new(transport))
}

impl FeatureStore {
    /// What things of this store are called in lineage.
    pub fn lineage_names(&self) -> Names {
        Names::new(&self.inner.settings.region, &self.inner.settings.account)
    }

    /// Lets lineage events that wait be delivered, for a moment, and tells what became of all of them. Blocks.
    pub fn end_lineage_events(&self) -> EmitterReport {
        self.inner.emitter.close(LAST_EVENTS)
    }

    /// An answer as OpenLineage events.
    pub fn lineage_events(&self, answer: &Answer) -> Vec<Event> {
        crate::lineage::openlineage::outgoing::answer_events(&self.lineage_names(), answer, self.now())
    }
}
