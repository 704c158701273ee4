//! Groups about the shop itself: products, visits, shipments.

use super::company::{CHANNELS, CUSTOMERS, PRODUCTS, category, customer_id, price};
use super::draw::{bell_trait, cents, four_digits, trait_of, weighted};
use super::shape::{
    DAYS_UNIT, EUR, FLAG, GroupShape, HOURS_UNIT, PII, PLAIN, RATIO, Rhythm, Stores, fractional, integral, string, texts, vector,
};

/// Length of a product's embedding.
const EMBEDDING: u32 = 8;

const WEEK: &[(&str, &str)] = &[("window", "7 days")];

const KEYWORDS: [&str; 16] = [
    "bestseller",
    "new",
    "sale",
    "eco",
    "gift",
    "refurbished",
    "compact",
    "premium",
    "vegan",
    "kids",
    "outdoor",
    "wireless",
    "handmade",
    "seasonal",
    "bundle",
    "limited",
];

pub(super) const PRODUCT: GroupShape = GroupShape {
    name: "product-features",
    description: "Price, stock, popularity and embedding of each product",
    owner: "team:catalog",
    tags: &[("domain", "product"), ("stage", "production"), ("refresh", "every 2 days"), ("tier", "1")],
    features: &[
        string("product_id", "Product as known to the shop", PLAIN),
        string("event_time", "When these values were true (UTC)", PLAIN),
        string("category", "Top category", PLAIN),
        string("brand", "Brand; null for goods without one", PLAIN),
        fractional("price", "Price shown, tax included", EUR),
        fractional("discount_rate", "Discount on the list price", RATIO),
        integral("stock_units", "Units on stock", &[("unit", "pieces")]),
        fractional("rating_mean", "Mean of the ratings; null without ratings", &[("range", "1 to 5")]),
        integral("rating_count", "Number of ratings", PLAIN),
        integral("views_7d", "Product pages shown", WEEK),
        fractional("add_to_cart_rate_7d", "Baskets for each view; null without views", &[("unit", "ratio"), ("window", "7 days")]),
        fractional("sell_through_30d", "Share of the stock sold", &[("unit", "ratio"), ("window", "30 days")]),
        integral("weight", "Shipping weight", &[("unit", "grams")]),
        integral("is_fragile", "Needs padding", FLAG),
        integral("days_since_launch", "Days since the product was first on sale", DAYS_UNIT),
        texts("keywords", "Words the merchandising team gave it"),
        vector("embedding", EMBEDDING, "Position among the products by what is bought together"),
    ],
    stores: Stores::Both,
    ttl: None,
    entities: PRODUCTS,
    rows: 18_000,
    rhythm: Rhythm::Steady,
    identifier: |product| format!("P{product:05}").into(),
    values: |draw, moment| {
        let fixed = |question: u64| trait_of(moment.seed, moment.entity, question);
        let category = category(moment.seed, moment.entity.wrapping_add(10_000));
        let discount = if draw.chance(0.24) { draw.pick(&[(0.1, 4.0), (0.15, 2.0), (0.2, 2.0), (0.3, 1.0), (0.5, 0.3)]) } else { 0.0 };
        let popularity = 60.0 * (1.2 * bell_trait(moment.seed, moment.entity, 81)).exp();
        let views = draw.poisson(popularity);
        let ratings = (popularity * fixed(82) * (0.4 + moment.day / 90.0)) as i64;
        let brand = weighted(
            &[("Nordlicht", 5.0), ("Kestrel", 4.0), ("Maru", 3.0), ("Ostberg", 3.0), ("Tilia", 2.0), ("Vento", 2.0), ("", 3.0)],
            fixed(83),
        );
        let keywords: Vec<&'static str> = KEYWORDS
            .into_iter()
            .enumerate()
            .filter(|(number, _)| trait_of(moment.seed, moment.entity, 840 + *number as u64) < 0.16)
            .map(|(_, word)| word)
            .collect();
        let embedding: Vec<f64> = (0..EMBEDDING)
            .map(|axis| four_digits(0.35 * bell_trait(moment.seed, moment.entity, 860 + u64::from(axis)) + draw.normal(0.0, 0.01)))
            .collect();
        vec![
            category.into(),
            (!brand.is_empty()).then_some(brand).into(),
            cents(price(moment.seed, moment.entity) * (1.0 - discount)).into(),
            discount.into(),
            (if draw.chance(0.04) { 0 } else { draw.log_normal(120.0, 0.9) as i64 }).into(),
            (ratings > 0)
                .then(|| cents((4.1 + 0.4 * bell_trait(moment.seed, moment.entity, 85) + draw.normal(0.0, 0.03)).clamp(1.0, 5.0)))
                .into(),
            ratings.into(),
            views.into(),
            (views > 0).then(|| four_digits((0.02 + 0.11 * fixed(86) + 0.1 * discount + draw.normal(0.0, 0.01)).clamp(0.0, 1.0))).into(),
            four_digits((0.4 * fixed(87) + draw.normal(0.0, 0.05)).clamp(0.0, 1.0)).into(),
            ((420.0 * (1.1 * bell_trait(moment.seed, moment.entity, 88)).exp()) as i64 + 5).into(),
            (fixed(89) < 0.17).into(),
            ((1_200.0 * fixed(90).powi(2) + moment.day) as i64).into(),
            super::shape::Cell::Texts(keywords),
            super::shape::Cell::Vector(embedding),
        ]
    },
};

pub(super) const SESSION: GroupShape = GroupShape {
    name: "session-features",
    description: "What happened in a visit to the shop; forgotten online after two days",
    owner: "team:web",
    tags: &[("domain", "web"), ("stage", "production"), ("refresh", "stream")],
    features: &[
        string("session_id", "Visit, from first to last page", PLAIN),
        string("event_time", "When the visitor last did something (UTC)", PLAIN),
        string("customer_id", "Who it was; null unless logged in", PII),
        string("channel", "What brought the visitor", PLAIN),
        string("landing_page", "Kind of the first page", PLAIN),
        string("device_class", "Kind of device", PLAIN),
        integral("page_views", "Pages shown", PLAIN),
        integral("products_viewed", "Different products shown", PLAIN),
        integral("searches", "Searches made", PLAIN),
        fractional("seconds_on_site", "Time between the first and the last action", &[("unit", "seconds")]),
        fractional("scroll_depth", "How far down the pages the visitor got", RATIO),
        integral("cart_items", "Items in the cart", PLAIN),
        fractional("cart_value", "Value of the cart; null while it is empty", EUR),
        integral("has_bounced", "Left after one page", FLAG),
        integral("has_converted", "Bought something", FLAG),
        string("experiment_arm", "Arm of the running experiment", PLAIN),
    ],
    stores: Stores::Both,
    ttl: Some("2d"),
    entities: 24_000,
    rows: 30_000,
    rhythm: Rhythm::Lively,
    identifier: |session| format!("S{session:06}").into(),
    values: |draw, moment| {
        let bounced = draw.chance(0.38);
        let pages = if bounced { 1 } else { 2 + draw.poisson(4.3) };
        let products = draw.poisson(pages as f64 * 0.45).min(pages);
        let items = if bounced { 0 } else { draw.poisson(0.34 * products as f64) };
        let known = trait_of(moment.seed, moment.entity, 101) < 0.43;
        vec![
            known.then(|| customer_id(1 + (f64::from(CUSTOMERS - 1) * trait_of(moment.seed, moment.entity, 102).powf(1.7)) as u32)).into(),
            draw.pick(&CHANNELS).into(),
            draw.pick(&[("product", 46.0), ("home", 27.0), ("category", 17.0), ("campaign", 8.0), ("help", 2.0)]).into(),
            weighted(&[("phone", 61.0), ("desktop", 31.0), ("tablet", 8.0)], trait_of(moment.seed, moment.entity, 103)).into(),
            pages.into(),
            products.into(),
            (if bounced { 0 } else { draw.poisson(0.6) }).into(),
            cents(if bounced { draw.exponential(14.0) } else { draw.log_normal(26.0 * pages as f64, 0.6) }).into(),
            four_digits(if bounced { draw.unit().powi(2) } else { draw.unit().sqrt() }).into(),
            items.into(),
            (items > 0).then(|| cents(items as f64 * draw.log_normal(31.0, 0.6))).into(),
            bounced.into(),
            (items > 0 && draw.chance(0.36)).into(),
            weighted(&[("control", 5.0), ("one-page-checkout", 5.0)], trait_of(moment.seed, moment.entity, 104)).into(),
        ]
    },
};

pub(super) const SHIPMENT: GroupShape = GroupShape {
    name: "shipment-features",
    description: "Scans of each shipment on its way; history only, for delivery-time models",
    owner: "team:logistics",
    tags: &[("domain", "logistics"), ("stage", "experimental"), ("refresh", "hourly")],
    features: &[
        string("shipment_id", "Shipment as numbered by the warehouse", PLAIN),
        string("scanned_at", "When the shipment was scanned (UTC)", PLAIN),
        string("carrier", "Who carries it", PLAIN),
        string("origin_warehouse", "Where it was packed", PLAIN),
        string("destination_country", "Where it goes, ISO 3166 code", PLAIN),
        string("status", "What the scan said", PLAIN),
        fractional("distance", "Way from warehouse to destination", &[("unit", "km")]),
        fractional("weight", "Weight of all parcels", &[("unit", "kg")]),
        integral("parcel_count", "Parcels the shipment consists of", &[("unit", "pieces")]),
        integral("promised_days", "Days promised to the customer", DAYS_UNIT),
        fractional("elapsed_hours", "Hours since it was packed", HOURS_UNIT),
        fractional("delay_hours", "Hours behind the promise; negative when early, null before the first leg", HOURS_UNIT),
        integral("scan_count", "Scans so far", PLAIN),
        integral("is_express", "Sent express", FLAG),
        fractional("coldest_temperature", "Lowest temperature on the way; null without a sensor", &[("unit", "degrees Celsius")]),
    ],
    stores: Stores::OfflineOnly,
    ttl: None,
    entities: 8_000,
    rows: 24_000,
    rhythm: Rhythm::Lively,
    identifier: |shipment| format!("SH{shipment:07}").into(),
    values: |draw, moment| {
        let fixed = |question: u64| trait_of(moment.seed, moment.entity, question);
        let express = fixed(111) < 0.14;
        let promised: i64 = if express { 1 } else { 2 + (fixed(112) * 4.0) as i64 };
        let status =
            draw.pick(&[("packed", 20.0), ("in-transit", 45.0), ("out-for-delivery", 16.0), ("delivered", 17.0), ("returned", 2.0)]);
        let scans = match status {
            "packed" => 1,
            "in-transit" => 2 + draw.poisson(1.2),
            _ => 4 + draw.poisson(1.5),
        };
        let elapsed = draw.log_normal(9.0 * scans as f64, 0.35);
        vec![
            weighted(&[("DHL", 41.0), ("DPD", 22.0), ("GLS", 17.0), ("UPS", 13.0), ("PostNL", 7.0)], fixed(113)).into(),
            weighted(&[("LEJ1", 5.0), ("RTM2", 3.0), ("LYS1", 2.0)], fixed(114)).into(),
            super::company::country(moment.seed, moment.entity.wrapping_add(30_000)).into(),
            status.into(),
            cents(20.0 + 640.0 * fixed(115).powi(2) + 90.0 * fixed(116)).into(),
            cents((1.3 * (0.9 * bell_trait(moment.seed, moment.entity, 117)).exp()).max(0.05)).into(),
            (1 + (fixed(118) * 1.25) as i64).into(),
            promised.into(),
            cents(elapsed).into(),
            (status != "packed").then(|| cents(elapsed - 24.0 * promised as f64 * draw.between(0.8, 1.1))).into(),
            scans.into(),
            express.into(),
            (fixed(119) < 0.2).then(|| cents(draw.normal(9.0, 6.0))).into(),
        ]
    },
};
