//! The company whose data the demo shows: an online shop with card payments, in a dozen countries.
//!
//! What its customers and products are (how often someone buys, for how much) is answered here for all
//! groups, so that they tell one story; one pair of features tells the very same one on purpose.

use super::draw::{bell_trait, trait_of, weighted};
use super::shape::Moment;

/// Customers, the first of them the most active.
pub(super) const CUSTOMERS: u32 = 3_000;
/// Products on sale.
pub(super) const PRODUCTS: u32 = 400;
/// Merchants that sell through the shop.
pub(super) const MERCHANTS: u32 = 260;

pub(super) const CATEGORIES: [(&str, f64); 10] = [
    ("electronics", 21.0),
    ("fashion", 19.0),
    ("home", 15.0),
    ("groceries", 12.0),
    ("beauty", 9.0),
    ("sports", 8.0),
    ("toys", 6.0),
    ("books", 5.0),
    ("garden", 3.0),
    ("pets", 2.0),
];

pub(super) const COUNTRIES: [(&str, f64); 12] = [
    ("DE", 30.0),
    ("FR", 17.0),
    ("NL", 10.0),
    ("AT", 9.0),
    ("ES", 8.0),
    ("IT", 8.0),
    ("BE", 5.0),
    ("PL", 5.0),
    ("SE", 3.0),
    ("CH", 3.0),
    ("DK", 1.5),
    ("PT", 0.5),
];

pub(super) const CHANNELS: [(&str, f64); 6] =
    [("organic", 38.0), ("paid-search", 24.0), ("email", 14.0), ("social", 12.0), ("affiliate", 8.0), ("direct", 4.0)];

/// Questions to ask of an entity. Numbers are arbitrary but never reused, or answers would depend on each other.
mod question {
    pub(super) const COUNTRY: u64 = 1;
    pub(super) const CATEGORY: u64 = 2;
    pub(super) const BASKET: u64 = 3;
    pub(super) const RATE: u64 = 4;
    pub(super) const SEASON: u64 = 5;
    pub(super) const SIGNUP: u64 = 6;
    pub(super) const PRICE: u64 = 7;
}

/// Identifier of a customer: `C0042`.
pub(super) fn customer_id(customer: u32) -> String {
    format!("C{customer:04}")
}

/// Where an entity is at home.
pub(super) fn country(seed: u64, entity: u32) -> &'static str {
    weighted(&COUNTRIES, trait_of(seed, entity, question::COUNTRY))
}

/// What a customer or product is about.
pub(super) fn category(seed: u64, entity: u32) -> &'static str {
    weighted(&CATEGORIES, trait_of(seed, entity, question::CATEGORY))
}

/// Mean order value of a customer at a moment, before rounding: their habit, swinging by a few cents, since one more order
/// hardly moves the mean of many. Two groups that note it on different days so note the same value but for rounding.
pub(super) fn basket(moment: &Moment) -> f64 {
    let habit = 48.0 * (0.55 * bell_trait(moment.seed, moment.entity, question::BASKET)).exp();
    let phase = trait_of(moment.seed, moment.entity, question::SEASON);
    habit * (1.0 + 0.001 * (std::f64::consts::TAU * (moment.day / 45.0 + phase)).sin())
}

/// Days a customer had been one when the history began; from 0 to about five years, most of them recent.
pub(super) fn tenure(moment: &Moment) -> f64 {
    1_800.0 * trait_of(moment.seed, moment.entity, question::SIGNUP).powi(2) + moment.day
}

/// Orders of a customer so far: never falls as time goes by.
pub(super) fn orders(moment: &Moment) -> i64 {
    let each_month = 0.2 + 2.6 * trait_of(moment.seed, moment.entity, question::RATE).powi(3);
    (each_month * (tenure(moment) + 20.0) / 30.0).floor() as i64
}

/// Price of a product, before discounts.
pub(super) fn price(seed: u64, product: u32) -> f64 {
    let price = 34.0 * (1.05 * bell_trait(seed, product, question::PRICE)).exp();
    // Shops like prices that end on 99 cents.
    price.floor() + 0.99
}
