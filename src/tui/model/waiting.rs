//! What of the screen shown is on its way, and since when: it decides whether a spinner turns, and whether anything wakes the process.

use super::Model;
use super::screens::{Screen, Tab};
use crate::tui::units::Micros;

impl Model {
    /// Since when the longest-waiting pane that is shown has been waiting.
    pub(crate) fn waiting_since(&self) -> Option<Micros> {
        let shown = match self.screen {
            Screen::Catalog | Screen::Groups => None,
            Screen::Group => self.tab_waiting_since(),
            Screen::Lineage => self.lineage_waiting_since(),
            Screen::Sql => earliest([self.sql.grid.rows.waiting_since(), self.sql.exporting]),
            Screen::Datasets => self.datasets_waiting_since(),
            Screen::Jobs => self.jobs.runs.waiting_since(),
        };
        earliest([self.groups.waiting_since(), self.demo.waiting_since(), shown])
    }

    fn tab_waiting_since(&self) -> Option<Micros> {
        let page = &self.statistics;
        match self.group_screen.tab {
            Tab::Stats => earliest([page.numbers.waiting_since(), page.days.waiting_since()]),
            Tab::Drift => page.drift.waiting_since(),
            Tab::Lineage => self.lineage_waiting_since(),
            Tab::Data => self.rows.grid.rows.waiting_since(),
            Tab::Online => self.group_screen.record.found.waiting_since(),
            Tab::Files => self.files.files.waiting_since(),
            Tab::Datasets => self.datasets_waiting_since(),
            Tab::Overview => earliest([self.overview.known.waiting_since(), self.overview.checked.waiting_since()]),
            Tab::Schema | Tab::Use => None,
        }
    }

    fn lineage_waiting_since(&self) -> Option<Micros> {
        earliest([self.lineage.graph.waiting_since(), self.lineage.breaks.waiting_since()])
    }

    fn datasets_waiting_since(&self) -> Option<Micros> {
        let screen = &self.datasets;
        let open = screen.open.as_ref().map(|open| [open.grid.rows.waiting_since(), open.cell.waiting_since()]);
        let known = [screen.datasets.waiting_since(), screen.manifest.waiting_since(), screen.report.waiting_since()];
        earliest(known.into_iter().chain(open.into_iter().flatten()))
    }
}

fn earliest(since: impl IntoIterator<Item = Option<Micros>>) -> Option<Micros> {
    since.into_iter().flatten().min()
}
