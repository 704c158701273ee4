//! What there is to say about a group, as lines: beside the list and on its first tab.

use ratatui::text::{Line, Span};

use crate::model::FeatureGroup;
use crate::tui::fit;
use crate::tui::matching::Query;
use crate::tui::model::Model;
use crate::tui::model::data::{Origin, Saying};
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{UNKNOWN, age, ago, bytes, counted, exact, moment, thin, whole_span};
use crate::tui::widgets::text::{fitted, prose, span};

/// Columns of the words before the facts.
const KEY: usize = 12;

/// Builds lines of facts of a width.
pub(super) struct Facts<'a> {
    /// The theme.
    pub(super) theme: &'a Theme,
    /// Columns there are.
    pub(super) columns: usize,
    /// What has been said.
    pub(super) lines: Vec<Line<'static>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(theme: &'a Theme, columns: u16) -> Self {
        Self { theme, columns: usize::from(columns), lines: Vec::new() }
    }

    /// A heading with a blank line before it.
    pub(super) fn heading(&mut self, title: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        self.lines.push(Line::from(Span::styled(title.to_uppercase(), self.theme.muted)));
    }

    /// A word and what there is to say of it; text that is too long goes on under itself.
    pub(super) fn fact(&mut self, key: &str, text: &str) {
        let room = self.columns.saturating_sub(KEY).max(8);
        let mut parts = fit::wrap(&crate::tui::clean::clean(text), room);
        if parts.is_empty() {
            parts.push(UNKNOWN.to_owned());
        }
        for (place, part) in parts.into_iter().enumerate() {
            let key = if place == 0 { key } else { "" };
            self.spans(key, vec![Span::styled(part, self.theme.text)]);
        }
    }

    /// A word and styled text that is short enough.
    pub(super) fn spans(&mut self, key: &str, spans: Vec<Span<'static>>) {
        let mut line = vec![Span::styled(format!("{key:<KEY$}"), self.theme.muted)];
        line.extend(spans);
        self.lines.push(fitted(Line::from(line), self.columns));
    }

    /// As many of these details as fit behind so many columns.
    fn details(&self, taken: usize, details: &[String]) -> String {
        let mut room = self.columns.saturating_sub(KEY + taken);
        let mut text = String::new();
        for detail in details {
            let Some(left) = room.checked_sub(fit::width(detail) + 3) else { break };
            room = left;
            text.push_str("   ");
            text.push_str(detail);
        }
        text
    }

    /// Fields of which different things are said, with who says what; what is shown bears a tick.
    pub(super) fn disagreements<'b>(&mut self, fields: impl IntoIterator<Item = &'b (String, Vec<Saying>)>) {
        let theme = self.theme;
        for (number, (path, said)) in fields.into_iter().enumerate() {
            if number == 0 {
                self.heading("sources disagree");
            }
            self.lines.push(Line::from(span(&fit::cut_middle(&crate::tui::clean::clean(path), self.columns), theme.text)));
            for Saying { source, says, is_shown } in said {
                let style = if *is_shown { theme.text } else { theme.muted };
                let mark = if *is_shown { sign::GOOD } else { " " };
                self.spans(
                    &fit::cut(&crate::tui::clean::clean(source), 11),
                    vec![span(&format!("{mark} "), theme.good), span(says, style)],
                );
            }
        }
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: &str, query: &Query) {
        for part in fit::wrap(&crate::tui::clean::clean(text), self.columns) {
            let hits = query.text_hits(&part);
            self.lines.push(Line::from(prose(&part, self.columns, &hits, self.theme.text, self.theme.matched)));
        }
    }
}

/// Everything about a group but its features.
pub(super) fn group_facts(model: &Model, group: &FeatureGroup, query: &Query, theme: &Theme, columns: u16) -> Vec<Line<'static>> {
    let mut facts = Facts::new(theme, columns);
    match &group.description {
        Some(description) => facts.paragraph(description, query),
        None => facts.lines.push(Line::from(Span::styled("no description", theme.muted))),
    }
    if let Some(reason) = &group.failure_reason {
        facts.lines.push(Line::default());
        facts.lines.push(Line::from(vec![
            Span::styled(format!("{} {}", sign::BAD, group.status), theme.bad),
            span(&format!("  {reason}"), theme.text),
        ]));
    }
    match model.origins.get(group.name.as_str()) {
        Some(origin) => elsewhere(&mut facts, model, origin),
        None => stores(&mut facts, model, group),
    }
    keys_and_times(&mut facts, model, group);
    facts.heading("about");
    facts.fact("owner", group.owner.as_deref().unwrap_or_default());
    let tags: Vec<String> = group.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    facts.fact("tags", &tags.join("  "));
    facts.fact("created", &moment(group.created.unix_micros(), model.now));
    facts.lines
}

/// Of a group that a sync brought in: where it lies, and how old what is known of it is.
fn elsewhere(facts: &mut Facts<'_>, model: &Model, origin: &Origin) {
    facts.heading("synced");
    facts.fact("source", &origin.source);
    facts.fact("read", &origin.seen.map_or_else(|| UNKNOWN.to_owned(), |seen| ago(seen, model.now)));
    if let Some(fault) = &origin.fault {
        facts.fact("not since", fault);
    }
    if let Some(history) = &origin.history {
        let lies = [counted(history.records, "row", "rows"), counted(history.files, "file", "files"), bytes(history.bytes)];
        facts.fact("history", &lies.join(" · "));
    }
    if !origin.local.is_empty() {
        facts.fact("noted here", &origin.local.join("  "));
    }
    facts.disagreements(&origin.disagreements);
}

/// Where sources say different things of a feature; of a group of this store it is known once its page was open.
pub(super) fn disagreements_on<'a>(model: &'a Model, group: &FeatureGroup, feature: &str) -> Vec<&'a (String, Vec<Saying>)> {
    let page = Some(&model.overview).filter(|page| page.group == group.name.as_str());
    let all = match model.origins.get(group.name.as_str()) {
        Some(origin) => &origin.disagreements[..],
        None => page.and_then(|page| page.known.value()).map(|known| &known.disagreements[..]).unwrap_or_default(),
    };
    let is_of = |path: &str| {
        path.strip_prefix("features.").and_then(|of| of.split('.').next()).is_some_and(|name| name.eq_ignore_ascii_case(feature))
    };
    all.iter().filter(|field| is_of(&field.0)).collect()
}

fn stores(facts: &mut Facts<'_>, model: &Model, group: &FeatureGroup) {
    let theme = facts.theme;
    let remote = model.summaries.get(group.name.as_str());
    let summary = remote.and_then(|remote| remote.value());
    facts.heading("stores");
    let tick = || Span::styled(format!("{} ", sign::GOOD), theme.good);
    let none = || vec![Span::styled(UNKNOWN, theme.muted)];
    let style = theme.text;
    match &group.online {
        Some(online) => {
            let records = summary.map_or(UNKNOWN.to_owned(), |summary| counted(summary.online_records, "record", "records"));
            let ttl = online.ttl.map_or("no ttl".to_owned(), |ttl| format!("ttl {}", whole_span(ttl.seconds())));
            let ttl = facts.details(fit::width(&records) + 2, &[ttl]);
            facts.spans("online", vec![tick(), Span::styled(records, style), Span::styled(ttl, theme.muted)]);
        }
        None => facts.spans("online", none()),
    }
    match &group.offline {
        Some(offline) => {
            let rows = summary.map_or(UNKNOWN.to_owned(), |summary| counted(summary.records, "row", "rows"));
            let files = summary.map_or_else(Vec::new, |summary| vec![counted(summary.files, "file", "files"), bytes(summary.bytes)]);
            let details = facts.details(fit::width(&rows) + 2, &files);
            facts.spans("offline", vec![tick(), Span::styled(rows, style), Span::styled(details, theme.muted)]);
            if let Some(summary) = summary.filter(|summary| summary.waiting > 0) {
                facts.spans("", vec![Span::styled(format!("  {} not in files yet", counted(summary.waiting, "row", "rows")), theme.muted)]);
            }
            if let Some(version) = summary.and_then(|summary| summary.delta_version) {
                facts.spans("delta", vec![Span::styled(format!("version {version}"), style)]);
            }
            facts.fact("at", offline.external.as_deref().unwrap_or(&offline.s3_uri));
        }
        None => facts.spans("offline", none()),
    }
    if let Some(error) = remote.and_then(|remote| remote.error()) {
        facts.spans("", vec![Span::styled(format!("{} ", sign::BAD), theme.bad), span(&error.line(), style)]);
    }
}

fn keys_and_times(facts: &mut Facts<'_>, model: &Model, group: &FeatureGroup) {
    let theme = facts.theme;
    facts.heading("keys");
    for (word, feature) in [("identifier", group.schema.identifier()), ("event time", group.schema.event_time())] {
        let spans = vec![span(feature.name.as_str(), theme.strong), Span::styled(format!("  {}", feature.type_text()), theme.muted)];
        facts.spans(word, spans);
    }
    let Some(summary) = model.summary(group.name.as_str()) else { return };
    facts.heading("event times");
    for (word, time) in [("newest", summary.newest), ("oldest", summary.oldest)] {
        let Some(time) = time else {
            facts.fact(word, "");
            continue;
        };
        let date = format!("{:<8}", age(time, model.now));
        facts.spans(word, vec![Span::styled(date, theme.text), Span::styled(moment(time, model.now), theme.muted)]);
    }
    if let (Some(ttl), Some(newest)) = (group.ttl(), summary.newest) {
        let expired = newest.saturating_add(i64::try_from(ttl.seconds()).unwrap_or(i64::MAX).saturating_mul(1_000_000)) < model.now;
        if expired && group.online.is_some() {
            facts.spans("", vec![Span::styled(format!("{} every record is past its ttl", sign::WATCH), theme.watch)]);
        }
    }
    let per_identifier = summary.records.checked_div(summary.online_records).filter(|_| group.offline.is_some());
    if let Some(versions) = per_identifier.filter(|versions| *versions > 1) {
        facts.fact("history", &format!("≈ {} versions a record", thin(versions)));
    }
}

/// The features of a group, as many as there are rows for: name, type, description.
pub(super) fn feature_lines(group: &FeatureGroup, query: &Query, theme: &Theme, columns: u16, rows: usize) -> Vec<Line<'static>> {
    let features = group.schema.features();
    let mut lines = vec![Line::from(vec![
        Span::styled("FEATURES", theme.muted),
        Span::styled(format!("  {}", exact(features.len() as u64)), theme.muted),
    ])];
    let longest = features.iter().map(|feature| fit::width(feature.name.as_str())).max().unwrap_or(0);
    let columns = usize::from(columns);
    let name_width = longest.clamp(8, 32).min(columns / 2);
    let room = rows.saturating_sub(1);
    let shown = if features.len() > room { room.saturating_sub(1) } else { features.len() };
    for feature in features.iter().take(shown) {
        let name_hits = query.name_hits(feature.name.as_str());
        let mut spans = crate::tui::widgets::text::name(feature.name.as_str(), name_width, &name_hits, theme.text, theme.matched);
        let taken: usize = spans.iter().map(Span::width).sum();
        spans.push(Span::raw(" ".repeat(name_width.saturating_sub(taken) + 2)));
        spans.push(Span::styled(format!("{:<12}", fit::cut(&feature.type_text(), 12)), theme.muted));
        let left = columns.saturating_sub(name_width + 2 + 12 + 2);
        let said = feature.description.as_deref().or_else(|| super::catalog::role(group, feature));
        if left >= 20
            && let Some(description) = said
        {
            spans.push(Span::raw("  "));
            spans.push(Span::styled(fit::cut(&crate::tui::clean::clean(description), left), theme.muted));
        }
        lines.push(Line::from(spans));
    }
    if features.len() > shown && room > 0 {
        lines.push(Line::from(Span::styled(format!("… {} more", exact((features.len() - shown) as u64)), theme.muted)));
    }
    lines
}
