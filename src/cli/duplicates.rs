//! `larder duplicates`: features of different groups that say the same.

use clap::Args;
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Failure, Verdict};
use super::place::Place;
use super::table::{Side, Table};
use super::text::counted;
use crate::store::duplicates::{Agreement, DuplicatePair, DuplicateReport, FeatureName, Verdict as Finding};

/// Find features of different groups that say the same
#[derive(Args, Debug)]
#[command(after_help = "\
Features that are called or described alike are compared on the same records, by their latest values:
  duplicate   98 % or more are equal, perhaps rounded or in another unit
  derived     the same order: Spearman's rank correlation of 0.99 or more
  related     0.9 or more

Examples:
  larder duplicates
  larder duplicates customer-features --json | jq -r '.[].other.feature'
  larder duplicates --dismiss customer-features:avg_order_value customer-account:mean_basket_value")]
pub(crate) struct Duplicates {
    /// Show only pairs with a feature of this group
    group: Option<String>,
    /// Remember that these two features, written GROUP:FEATURE, are no duplicates
    #[arg(long, num_args = 2, value_names = ["ONE", "OTHER"], conflicts_with = "group")]
    dismiss: Option<Vec<String>>,
    /// Take such a dismissal back
    #[arg(long, num_args = 2, value_names = ["ONE", "OTHER"], conflicts_with_all = ["group", "dismiss"])]
    recall: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Name<'a> {
    group: &'a str,
    feature: &'a str,
}

/// An entry of `duplicates --json`.
#[derive(Serialize)]
struct Entry<'a> {
    verdict: &'static str,
    keep: Name<'a>,
    other: Name<'a>,
    reasons: &'a [&'static str],
    records: usize,
    equal: f64,
    standard_error: f64,
    beyond_chance: f64,
    covered: f64,
    rounded: Option<f64>,
    ratio: Option<f64>,
    equal_at_ratio: Option<f64>,
    spearman: Option<f64>,
    alike_names: f64,
    alike_spelling: f64,
    alike_descriptions: f64,
}

impl Duplicates {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        if let Some([one, other]) = self.dismiss.as_deref() {
            let (one, other) = store.dismiss_duplicate(one, other).await?;
            let document = serde_json::json!({"dismissed": [one.to_string(), other.to_string()]});
            console.confirm(format!("{one} and {other} are not reported any more"), &document)?;
            return Ok(Exit::Done);
        }
        if let Some([one, other]) = self.recall.as_deref() {
            let recalled = store.recall_duplicate(one, other).await?;
            let line = if recalled { "the pair is compared again" } else { "the pair was not dismissed" };
            console.confirm(line, &serde_json::json!({"recalled": recalled}))?;
            return Ok(Exit::Done);
        }
        let report = store.duplicates(self.group.as_deref()).await?;
        if console.json() {
            console.document(&report.pairs.iter().map(entry).collect::<Vec<_>>())?;
        } else {
            write(&report, console)?;
        }
        report.notes.iter().for_each(|note| console.hint(note));
        Ok(Exit::Done)
    }
}

fn write(report: &DuplicateReport, console: &mut Console) -> Result<(), Failure> {
    if report.pairs.is_empty() {
        console.hint(format!("no duplicates among {} of features", counted(report.compared, "likely pair")));
        return Ok(());
    }
    let columns = [("VERDICT", Side::Left), ("KEEP", Side::Left), ("BECAUSE", Side::Left), ("OTHER", Side::Left), ("EVIDENCE", Side::Left)];
    let mut table = Table::new(&columns);
    for pair in &report.pairs {
        let reasons = if pair.verdict == Finding::Duplicate { pair.reasons.join(", ") } else { String::new() };
        table.row([pair.verdict.as_str().to_owned(), pair.keep.to_string(), reasons, pair.other.to_string(), evidence(pair)]);
    }
    console.table(&table)?;
    let duplicates = report.pairs.iter().filter(|pair| pair.verdict == Finding::Duplicate).count() as u64;
    let dismissed = if report.dismissed > 0 { format!(", {} dismissed earlier", report.dismissed) } else { String::new() };
    console.hint(format!("{} among {} compared{dismissed}", counted(duplicates, "duplicate"), counted(report.compared, "likely pair")));
    Ok(())
}

/// `99.8 % ±0.1 equal up to rounding on 1 013 records · ρ 1.00`
fn evidence(pair: &DuplicatePair) -> String {
    let Agreement { records, equal, rounded, scaled, spearman, .. } = pair.agreement;
    let best = pair.agreement.best_share();
    let how = match (rounded, scaled) {
        _ if equal >= best => "equal".to_owned(),
        (Some(rounded), _) if rounded >= best => "equal up to rounding".to_owned(),
        (_, Some((ratio, _))) => format!("equal times {}", short(ratio)),
        _ => "equal".to_owned(),
    };
    let error = 100.0 * pair.agreement.standard_error();
    let rank = spearman.map_or(String::new(), |rank| format!(" · ρ {rank:.3}"));
    format!("{:.1} % ±{error:.1} {how} on {}{rank}", 100.0 * best, counted(records as u64, "record"))
}

/// A ratio to four digits, without zeros at its end.
fn short(ratio: f64) -> String {
    let digits = (3.0 - ratio.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{ratio:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn entry(pair: &DuplicatePair) -> Entry<'_> {
    Entry {
        verdict: pair.verdict.as_str(),
        keep: name(&pair.keep),
        other: name(&pair.other),
        reasons: &pair.reasons,
        records: pair.agreement.records,
        equal: pair.agreement.equal,
        standard_error: pair.agreement.standard_error(),
        beyond_chance: pair.agreement.kappa,
        covered: pair.agreement.covered,
        rounded: pair.agreement.rounded,
        ratio: pair.agreement.scaled.map(|(ratio, _)| ratio),
        equal_at_ratio: pair.agreement.scaled.map(|(_, share)| share),
        spearman: pair.agreement.spearman,
        alike_names: pair.likeness.names,
        alike_spelling: pair.likeness.spelling,
        alike_descriptions: pair.likeness.descriptions,
    }
}

fn name(name: &FeatureName) -> Name<'_> {
    Name { group: &name.group, feature: &name.feature }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_short() {
        for (ratio, shown) in [(100.0, "100"), (0.01, "0.01"), (1.609_344, "1.609"), (1.0, "1"), (12_345.6, "12346"), (-2.5, "-2.5")] {
            assert_eq!(short(ratio), shown);
        }
    }
}
