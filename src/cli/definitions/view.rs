//! A plan as text and as JSON. The field names are a contract: they are only ever added to.

use serde::Serialize;

use super::super::console::Console;
use super::super::exit::Failure;
use super::super::text::{NULL, counted, visible};
use crate::sync::definitions::{Action, ChangeKind, Fault, GroupPlan, Plan};

/// The document of `plan --json` and `apply --json`.
#[derive(Serialize)]
pub(super) struct PlanDocument<'a> {
    pending: bool,
    applied: bool,
    refused: Option<String>,
    unchanged: usize,
    groups: Vec<GroupEntry<'a>>,
}

#[derive(Serialize)]
struct GroupEntry<'a> {
    name: &'a str,
    action: &'static str,
    file: &'a str,
    line: u64,
    features: usize,
    changes: Vec<ChangeEntry<'a>>,
    affects: Vec<AffectedEntry<'a>>,
}

#[derive(Serialize)]
struct ChangeEntry<'a> {
    kind: &'static str,
    path: &'a str,
    old: Option<&'a str>,
    new: Option<&'a str>,
}

#[derive(Serialize)]
struct AffectedEntry<'a> {
    kind: &'a str,
    name: &'a str,
    #[serde(rename = "ref")]
    reference: &'a str,
    effect: &'a str,
    owner: Option<&'a str>,
}

/// A fault in `--json`.
#[derive(Serialize)]
pub(super) struct FaultEntry<'a> {
    file: &'a str,
    line: u64,
    column: u64,
    message: &'a str,
}

pub(super) fn faults(faults: &[Fault]) -> Vec<FaultEntry<'_>> {
    faults
        .iter()
        .map(|fault| FaultEntry { file: &fault.place.file, line: fault.place.line, column: fault.place.column, message: &fault.message })
        .collect()
}

pub(super) fn document(plan: &Plan, applied: bool, refused: Option<String>) -> PlanDocument<'_> {
    let groups = plan.groups.iter().map(|group| GroupEntry {
        name: group.name.as_str(),
        action: if group.action == Action::Create { "create" } else { "change" },
        file: &group.place.file,
        line: group.place.line,
        features: group.features,
        changes: group
            .changes
            .iter()
            .map(|one| ChangeEntry { kind: one.kind.as_str(), path: &one.path, old: one.old.as_deref(), new: one.new.as_deref() })
            .collect(),
        affects: group
            .affects
            .iter()
            .map(|one| AffectedEntry {
                kind: one.kind,
                name: &one.name,
                reference: &one.reference,
                effect: one.effect.as_str(),
                owner: one.owner.as_deref(),
            })
            .collect(),
    });
    PlanDocument { pending: plan.is_pending(), applied, refused, unchanged: plan.unchanged, groups: groups.collect() }
}

/// Writes a plan: a line for each group and each field, unchanged groups only counted.
pub(super) fn write(console: &mut Console, plan: &Plan) -> Result<(), Failure> {
    for group in &plan.groups {
        write_group(console, group)?;
    }
    let created = plan.groups.iter().filter(|group| group.action == Action::Create).count();
    let parts = [
        (created, "to create"),
        (plan.groups.len() - created, "to change"),
        (plan.refused().count(), "refused"),
        (plan.unchanged, "unchanged"),
    ];
    let told: Vec<String> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    console.line(if told.is_empty() { "nothing is defined".to_owned() } else { told.join(", ") })
}

fn write_group(console: &mut Console, group: &GroupPlan) -> Result<(), Failure> {
    let style = console.style();
    let name = style.strong(&visible(group.name.as_str()));
    let place = style.muted(&visible(&group.place.to_string()));
    if group.action == Action::Create {
        console.line(format!("{} create {name} with {}  {place}", style.good("+"), counted(group.features as u64, "feature")))?;
    } else {
        console.line(format!("~ change {name}  {place}"))?;
    }
    for change in &group.changes {
        let (glyph, word) = match change.kind {
            ChangeKind::Metadata => ("~".to_owned(), "metadata"),
            ChangeKind::InPlace => ("~".to_owned(), "in place"),
            ChangeKind::Replacement => (style.bad("✖"), "needs replacement"),
            ChangeKind::Impossible => (style.bad("!"), "impossible"),
        };
        let text = |value: &Option<String>| value.as_deref().map_or_else(|| NULL.to_owned(), |text| visible(text).into_owned());
        console.line(format!(
            "    {glyph} {}  {}: {} → {}",
            style.muted(word),
            visible(&change.path),
            text(&change.old),
            text(&change.new)
        ))?;
    }
    for one in &group.affects {
        let owner = one.owner.as_deref().map(|owner| format!(" ({})", visible(owner))).unwrap_or_default();
        console.line(format!("    affects {} {}{owner}: {}", one.kind, visible(&one.name), one.effect.as_str()))?;
    }
    Ok(())
}
