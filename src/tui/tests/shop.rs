//! A small fixed store: eight groups of a shop, and the history of one customer.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{
    Collection, Error, EventTime, FeatureDefinition, FeatureGroup, FeatureName, FeatureType, GroupId, GroupName, GroupStatus,
    OfflineSettings, OnlineSettings, Schema, Ttl,
};
use crate::tui::listing::{Listing, ListingBuilder};
use crate::tui::model::catalog::{Answer, Evidence, Line, Question};
use crate::tui::model::data::{Found, Origins, Summary, Value, Version};
use crate::tui::model::remote::ErrorText;
use crate::tui::model::statistics::{FeatureNumbers, Level};
use crate::tui::msg::{News, Request, Slot};
use crate::tui::units::{Micros, SECOND};

/// The time at which all tests run: 2026-11-23T09:14:00Z.
pub(super) const NOW: Micros = 1_795_425_240 * SECOND;
const DAY: Micros = 86_400 * SECOND;

/// A store that answers from memory.
#[derive(Debug, Default, Clone)]
pub(super) struct Shop {
    pub(super) groups: Vec<Arc<FeatureGroup>>,
    /// Where those come from that are not the shop's own.
    pub(super) origins: Origins,
    /// Every question fails with this.
    pub(super) broken: Option<ErrorText>,
    /// What was asked to be written.
    pub(super) edits: Vec<Request>,
}

impl Shop {
    pub(super) fn stocked() -> Self {
        Self { groups: groups().into_iter().map(Arc::new).collect(), ..Self::default() }
    }

    pub(super) fn empty() -> Self {
        Self::default()
    }

    pub(super) fn broken() -> Self {
        let error = Error::corrupt("catalog.db: page 7 is damaged").why("checksum does not match").remedy("run `larder doctor`");
        Self { broken: Some(ErrorText::from(&error)), ..Self::default() }
    }

    /// What a store tells: groups that leave their features to the columns.
    fn listing(&self) -> Arc<Listing> {
        let mut builder = ListingBuilder::default();
        self.groups.iter().for_each(|group| builder.keep(group.as_ref().clone()).unwrap());
        Arc::new(builder.build())
    }

    /// The answers to a question, in the order they come.
    pub(super) fn answer(&mut self, request: &Request) -> Vec<News> {
        let broken = self.broken.clone();
        match request {
            Request::Groups => vec![News::Groups(broken.map_or_else(|| Ok((self.listing(), self.origins.clone())), Err))],
            Request::Summaries(groups) => {
                let named = |group: &Arc<FeatureGroup>| (group.name.to_string(), Ok(self.summary(group.name.as_str())));
                vec![News::Summaries(Ok(groups.iter().map(named).collect()))]
            }
            Request::Identifiers { group, prefix } => {
                if self.groups.iter().any(|known| known.name.as_str() == group && known.online.is_none()) {
                    return vec![News::Identifiers(Ok(Vec::new()))];
                }
                let all = (1..=200).map(|number| format!("C{number:04}")).filter(|id| id.starts_with(prefix));
                vec![News::Identifiers(Ok(all.take(50).collect()))]
            }
            Request::Record { group, identifier } => {
                let gone = || ErrorText { what: format!("no group '{group}'"), why: None, remedy: None };
                let group = self.groups.iter().find(|known| known.name.as_str() == group).ok_or_else(gone);
                vec![News::Record(match broken {
                    Some(error) => Err(error),
                    None => group.map(|group| record(group, identifier)),
                })]
            }
            Request::FillDemo => {
                self.groups = groups().into_iter().map(Arc::new).collect();
                vec![News::DemoDone(Ok(()))]
            }
            Request::Edits(question) => {
                self.edits.push(request.clone());
                vec![News::Edits(crate::tui::model::edits::Answer::Done(question.clone()))]
            }
            Request::Overview(question) => vec![News::Overview(super::overview::answer(question, broken))],
            Request::Writes(question) => {
                self.edits.push(request.clone());
                vec![News::Writes(super::writes::answer(question))]
            }
            Request::Catalog(question @ (Question::Gather(..) | Question::Stand(..) | Question::Find(..))) => {
                crate::tui::source::catalog::listed(question.clone(), &|_| {}).into_iter().map(News::Catalog).collect()
            }
            Request::Catalog(question) => vec![News::Catalog(self.known(question))],
            Request::Rows(_) | Request::Files(_) if broken.is_some() => super::rows::refused(request),
            Request::Rows(_) | Request::Files(_) => super::rows::answer(request),
            Request::Statistics(_) | Request::Lineage(_) | Request::Datasets(_) | Request::Jobs(_) if broken.is_some() => {
                super::rows::refused(request)
            }
            other => super::answers::answer(other),
        }
    }

    /// Everything is known of the numbers of `customer-features`, nothing of others.
    fn known(&self, question: &Question) -> Answer {
        match question {
            Question::Evidence => {
                let line = |place: u64| Line {
                    nulls: Some((place * 4, 1_000)),
                    shape: vec![1 + place, 3, 7, 12, 20, 31, 18, 4],
                    drift: Some(if place == 2 { Level::Alert } else { Level::Ok }),
                    readers: Some(9 - place),
                };
                let names = ["total_purchases", "avg_order_value", "loyalty_score", "return_rate"];
                let lines = self.groups.iter().filter(|group| group.name.as_str() == "customer-features").map(|group| {
                    (group.id, names.iter().enumerate().map(|(place, name)| ((*name).to_owned(), line(place as u64))).collect())
                });
                Answer::Evidence(Ok(Arc::new(Evidence::new(lines.collect()))))
            }
            Question::Figures((_, feature)) => Answer::Figures(Ok(Box::new((feature == "loyalty_score").then(|| FeatureNumbers {
                name: feature.clone(),
                kind: "Fractional".to_owned(),
                rows: 100_412,
                nulls: 412,
                read: true,
                distinct: (84_100.0, false, 82_000.0, 86_300.0),
                bounds: Some(("0".to_owned(), "1".to_owned())),
                mean: Some(0.6132),
                std: Some(0.2401),
                quantiles: vec![("p5", "0.12".to_owned()), ("p50", "0.66".to_owned()), ("p95", "0.95".to_owned())],
                rank_error: 0.01,
                spark: vec![1, 3, 7, 12, 20, 31, 18, 4],
                bars: vec![1, 2, 3, 5, 7, 9, 12, 15, 20, 24, 31, 28, 18, 9, 4],
                axis: Some(("0".to_owned(), "1".to_owned())),
                ..FeatureNumbers::default()
            })))),
            other => panic!("{other:?} needs no store"),
        }
    }

    fn summary(&self, name: &str) -> Summary {
        let place = self.groups.iter().position(|group| group.name.as_str() == name).unwrap() as u64;
        let group = &self.groups[place as usize];
        let records = [84_112, 1_204_331, 412, 35_612, 9, 0, 250_004, 18_200].get(place as usize).copied().unwrap_or(1_000 + place);
        Summary {
            records,
            online_records: if group.online.is_some() { records / 12 } else { 0 },
            files: records / 20_000 + u64::from(records > 0),
            bytes: records * 73,
            waiting: if place == 1 { 87 } else { 0 },
            oldest: (records > 0).then_some(NOW - 89 * DAY),
            newest: (records > 0).then_some(NOW - (place as i64 * place as i64 * 5 + 1) * 720 * SECOND),
            delta_version: Some(place + 20),
        }
    }
}

pub(super) fn feature(name: &str, feature_type: FeatureType, description: &str) -> FeatureDefinition {
    let mut feature = FeatureDefinition::new(FeatureName::parse(name).unwrap(), feature_type);
    feature.description = Some(description.to_owned()).filter(|text| !text.is_empty());
    feature
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(super) fn group(name: &str, description: &str, owner: &str, tags: &[(&str, &str)], features: Vec<FeatureDefinition>) -> FeatureGroup {
    let identifier = features[0].name.to_string();
    let event_time = features[1].name.to_string();
    let made = EventTime::from_unix_micros(NOW - 92 * DAY).unwrap();
    FeatureGroup {
        id: GroupId(uuid::Uuid::from_u128(name.len() as u128)),
        name: GroupName::parse(name).unwrap(),
        description: Some(description.to_owned()).filter(|text| !text.is_empty()),
        owner: Some(owner.to_owned()).filter(|text| !text.is_empty()),
        tags: pairs(tags),
        schema: Schema::new(features, &identifier, &event_time).unwrap(),
        online: Some(OnlineSettings { ttl: None, ..OnlineSettings::default() }),
        offline: Some(OfflineSettings { s3_uri: "s3://offline-store/demo".to_owned(), external: None, ..OfflineSettings::default() }),
        status: GroupStatus::Created,
        failure_reason: None,
        expectations: crate::model::GroupExpectations::default(),
        created: made,
        modified: made,
    }
}

fn keyed(identifier: &str, rest: &[(&str, FeatureType, &str)]) -> Vec<FeatureDefinition> {
    let mut features = vec![feature(identifier, FeatureType::String, ""), feature("event_time", FeatureType::String, "When it was true")];
    features.extend(rest.iter().map(|(name, feature_type, description)| feature(name, *feature_type, description)));
    features
}

fn groups() -> Vec<FeatureGroup> {
    use FeatureType::{Fractional as F, Integral as I, String as S};
    let mut customers = group(
        "customer-features",
        "What a customer bought, returned and liked, refreshed with every order",
        "growth",
        &[("pii", "no"), ("team", "crm"), ("tier", "gold")],
        keyed(
            "customer_id",
            &[
                ("total_purchases", F, "Sum of all orders that were paid, in euros"),
                ("avg_order_value", F, "Mean value of an order over the last 30 days"),
                ("loyalty_score", F, "Share of months with a purchase, last year"),
                ("loyalty_tier", S, "gold, silver, bronze or none"),
                ("preferred_category", S, "Category with most orders"),
                ("return_rate", F, "Share of orders sent back; null before the first order"),
                ("orders_30d", I, "Orders in the last 30 days"),
                ("interests", S, "Categories looked at in the last week"),
                ("days_since_last_purchase_in_any_of_the_stores", I, ""),
            ],
        ),
    );
    customers.online = Some(OnlineSettings { ttl: Some("30d".parse::<Ttl>().unwrap()), ..OnlineSettings::default() });
    customers.expectations.unique = true;
    let mut schema: Vec<FeatureDefinition> = customers.schema.features().to_vec();
    schema[9].collection = Some(Collection::List);
    schema[4].parameters = pairs(&[("unit", "share"), ("range", "0..1")]);
    customers.schema = Schema::new(schema, "customer_id", "event_time").unwrap();
    let money = |name| (name, F, "In euros");
    let count = |name| (name, I, "A count");
    let mut all = vec![
        group(
            "account-features",
            "Accounts and how they are used",
            "risk",
            &[("pii", "yes")],
            keyed("account_id", &[("loyalty_flag", I, "1 for members"), ("age_days", I, "Days since it was opened")]),
        ),
        customers,
        group(
            "driver-stats",
            "Couriers, hourly",
            "logistics",
            &[],
            keyed("driver_id", &[("conv_rate", F, ""), ("acc_rate", F, ""), count("avg_daily_trips")]),
        ),
        group(
            "green-trips",
            "Taxi trips of April 2020",
            "",
            &[("source", "nyc")],
            keyed("trip_id", &[money("fare_amount"), money("tip_amount"), count("passengers")]),
        ),
        group("merchant-embeddings", "", "search", &[], keyed("merchant_id", &[("embedding", F, "From the description, 384 numbers")])),
        group("order-features-failed", "Orders", "payments", &[], keyed("order_id", &[money("total")])),
        group(
            "payment-risk",
            "Chargebacks and velocity of cards",
            "risk",
            &[("pii", "yes"), ("tier", "gold")],
            keyed("card_hash", &[count("chargebacks_90d"), money("amount_1h")]),
        ),
        group("session-clicks", "Clicks of a session, streamed", "web", &[], keyed("session_id", &[count("clicks"), count("carts")])),
    ];
    all[2].offline = None;
    all[3].online = None;
    all[5].status = GroupStatus::CreateFailed;
    all[5].failure_reason = Some("bucket 'orders' does not exist".to_owned());
    all
}

/// A store with names nobody wants to meet.
pub(super) fn hostile() -> Shop {
    let described = |text: &str| group("escape-artist", text, "evil\u{1b}]0;owned\u{7}", &[("k\u{202e}ey", "v\nv")], keyed("id", &[]));
    let mut wide = described("客户的购买记录，包括退货和偏好 — 每次下单后更新 \u{1b}[31mred\u{1b}[0m \u{202e}txet");
    wide.owner = Some("增长团队 👩‍👩‍👧 growth".to_owned());
    let long = "a".repeat(64);
    let many: Vec<FeatureDefinition> =
        (0..2500).map(|number| feature(&format!("feature_{number:04}_mean_7d"), FeatureType::Fractional, "")).collect();
    let mut features = keyed("id", &[]);
    features.extend(many.into_iter().take(2498));
    Shop {
        groups: vec![
            Arc::new(group(
                "cjk-and-escapes",
                wide.description.as_deref().unwrap(),
                wide.owner.as_deref().unwrap(),
                &[("k\u{202e}ey", "v\nv")],
                keyed("id", &[("name", FeatureType::String, "名前\u{7}")]),
            )),
            Arc::new(described("plain")),
            Arc::new(group(&long, "The longest name there may be", "", &[], features)),
        ],
        ..Shop::default()
    }
}

fn number(text: &str) -> Option<Value> {
    Some(Value { text: text.to_owned(), json: text.parse::<f64>().map_or_else(|_| text.into(), Into::into) })
}

/// `C0042` has twelve versions, `C0007` was deleted, `C0009` has expired; others with a number have one version.
fn record(group: &FeatureGroup, identifier: &str) -> Found {
    if !identifier.starts_with('C') {
        return Found { identifier: identifier.to_owned(), latency: Some(9), ..Found::default() };
    }
    if identifier == "C0100" {
        return crowded(group, identifier);
    }
    let count = if identifier == "C0001" { 1 } else { 12 };
    let days = [64, 60, 57, 46, 40, 38, 30, 29, 21, 11, 4, 1];
    let mut versions: Vec<Version> = (0..count)
        .map(|place| {
            let event_time = NOW - days[12 - count + place] * DAY - 3_600 * SECOND;
            let mut values = vec![number(identifier), number(&EventTime::from_unix_micros(event_time).unwrap().to_iso8601())];
            values.extend([
                number(&format!("{}.75", 950 + place * 50)),
                number(if place < 10 { "52.30" } else { "55.00" }),
                number(if place < 5 { "0.92" } else { "0.95" }),
                number("gold"),
                number("electronics"),
                if place < 11 { None } else { number("0.035") },
                number(&format!("{}", 3 + place / 2)),
                Some(Value { text: "[\"books\",\"garden\"]".to_owned(), json: serde_json::json!(["books", "garden"]) }),
                number("1"),
            ]);
            values.truncate(group.schema.len());
            Version {
                event_time,
                event_time_text: EventTime::from_unix_micros(event_time).unwrap().to_iso8601(),
                write_time: Some(event_time + 90 * SECOND),
                deleted: false,
                place: if place + 1 == count { "outbox".to_owned() } else { "file".to_owned() },
                values,
            }
        })
        .collect();
    if identifier == "C0007" {
        versions.last_mut().unwrap().deleted = true;
    }
    let gone = matches!(identifier, "C0007" | "C0009") || group.online.is_none();
    Found {
        identifier: identifier.to_owned(),
        current: versions.last().cloned().filter(|_| !gone),
        expires: (!gone).then_some(NOW + 29 * DAY),
        versions,
        truncated: false,
        latency: group.online.is_some().then_some(18),
    }
}

/// A record with three hundred versions, most of them lately.
fn crowded(group: &FeatureGroup, identifier: &str) -> Found {
    let mut found = record(group, "C0042");
    let template = found.versions.pop().unwrap();
    let at = |place: i64| NOW - (300 - place) * (300 - place) * 86 * SECOND;
    found.versions = (0..300)
        .map(|place| Version { event_time: at(place), write_time: Some(at(place)), deleted: place == 200, ..template.clone() })
        .collect();
    Found { identifier: identifier.to_owned(), truncated: true, ..found }
}

/// Slots are part of the questions; kept here so that a new one is thought of in the tests.
pub(super) const SLOTS: [Slot; Slot::COUNT] = [
    Slot::Groups,
    Slot::Summaries,
    Slot::Identifiers,
    Slot::Record,
    Slot::Demo,
    Slot::Lineage,
    Slot::Sql,
    Slot::Datasets,
    Slot::Jobs,
    Slot::Statistics,
    Slot::Edits,
    Slot::Drift,
    Slot::Days,
    Slot::Breaks,
    Slot::Manifest,
    Slot::Flush,
    Slot::Export,
    Slot::Evidence,
    Slot::Figures,
    Slot::Rows,
    Slot::Files,
    Slot::DatasetRows,
    Slot::Cell,
    Slot::Check,
    Slot::Write,
    Slot::Baselines,
    Slot::Pin,
    Slot::Overview,
    Slot::Expectations,
    Slot::Gather,
    Slot::Find,
];
