//! Groups about payments and fraud: merchants, card transactions, devices.

use super::company::{COUNTRIES, MERCHANTS, country};
use super::draw::{bell_trait, cents, four_digits, trait_of, weighted};
use super::shape::{EUR, FLAG, GroupShape, HOURS_UNIT, PII, PLAIN, Parameters, RATIO, Rhythm, Stores, fractional, integral, string};

const HOUR: Parameters = &[("window", "1 hour")];
const DAY: Parameters = &[("window", "24 hours")];
const MONTH: Parameters = &[("window", "30 days")];

/// Merchant category codes of ISO 18245, and what people pay there.
const MERCHANT_CODES: [((i64, f64), f64); 8] = [
    ((5411, 31.0), 26.0),
    ((5812, 27.0), 19.0),
    ((5541, 48.0), 12.0),
    ((5732, 145.0), 9.0),
    ((5651, 62.0), 13.0),
    ((4121, 17.0), 9.0),
    ((7011, 190.0), 5.0),
    ((5999, 39.0), 7.0),
];

fn merchant_id(merchant: u32) -> String {
    format!("M{merchant:05}")
}

fn merchant_code(seed: u64, merchant: u32) -> (i64, f64) {
    weighted(&MERCHANT_CODES, trait_of(seed, merchant, 61))
}

pub(super) const MERCHANT: GroupShape = GroupShape {
    name: "merchant-features",
    description: "Volume and risk of each merchant that sells through the shop",
    owner: "team:risk",
    tags: &[("domain", "payments"), ("stage", "production"), ("refresh", "every 6 hours"), ("tier", "1")],
    features: &[
        string("merchant_id", "Merchant as known to the payment system", PLAIN),
        string("event_time", "When these values were true (UTC)", PLAIN),
        integral("category_code", "Merchant category code, ISO 18245", PLAIN),
        string("country", "Country of the merchant, ISO 3166 code", PLAIN),
        string("onboarding_channel", "How the merchant came to us", PLAIN),
        string("risk_tier", "Tier of the last review: low, medium, high", PLAIN),
        fractional("volume_30d", "Card volume", &[("unit", "EUR"), ("window", "30 days")]),
        integral("transaction_count_30d", "Card transactions", MONTH),
        fractional("average_ticket", "Mean amount of a transaction", EUR),
        fractional("refund_rate_30d", "Refunds for each transaction", &[("unit", "ratio"), ("window", "30 days")]),
        fractional("chargeback_rate_30d", "Chargebacks for each transaction; mostly nothing", &[("unit", "ratio"), ("window", "30 days")]),
        fractional("settlement_delay_hours", "Hours from sale to payout; null without a payout since the last row", HOURS_UNIT),
        integral("active_terminals", "Terminals that sold something this week", PLAIN),
        integral("days_since_first_sale", "Days since the first sale", &[("unit", "days")]),
        integral("is_under_review", "The risk team is looking at it", FLAG),
    ],
    stores: Stores::Both,
    ttl: None,
    entities: MERCHANTS,
    rows: 12_000,
    rhythm: Rhythm::Lively,
    identifier: |merchant| merchant_id(merchant).into(),
    values: |draw, moment| {
        let fixed = |question: u64| trait_of(moment.seed, moment.entity, question);
        let (code, ticket) = merchant_code(moment.seed, moment.entity);
        let usual = 900.0 * (1.3 * bell_trait(moment.seed, moment.entity, 62)).exp();
        let count = draw.poisson(usual);
        let average = cents(ticket * draw.log_normal(1.0, 0.06));
        let (tier, chargebacks) = match fixed(63) {
            at if at < 0.78 => ("low", 0.0004),
            at if at < 0.95 => ("medium", 0.002),
            _ => ("high", 0.012),
        };
        let charged_back = draw.poisson(count as f64 * chargebacks) as f64;
        vec![
            code.into(),
            country(moment.seed, moment.entity.wrapping_add(90_000)).into(),
            weighted(&[("sales", 0.5), ("self-service", 0.4), ("partner", 0.1)], fixed(64)).into(),
            tier.into(),
            cents(average * count as f64).into(),
            count.into(),
            average.into(),
            four_digits((0.015 + 0.05 * fixed(65).powi(3) + draw.normal(0.0, 0.003)).max(0.0)).into(),
            four_digits(if count > 0 { charged_back / count as f64 } else { 0.0 }).into(),
            (!draw.chance(0.07)).then(|| cents(24.0 + 24.0 * draw.poisson(0.4) as f64 + draw.exponential(2.0))).into(),
            (1 + draw.poisson(usual / 400.0)).into(),
            ((2_000.0 * fixed(66) + moment.day) as i64).into(),
            (tier == "high" && draw.chance(0.3)).into(),
        ]
    },
};

pub(super) const CARD_TRANSACTION: GroupShape = GroupShape {
    name: "card-transaction-features",
    description: "State of a card right after each transaction, for fraud scoring",
    owner: "team:fraud",
    tags: &[("domain", "payments"), ("stage", "production"), ("refresh", "stream"), ("tier", "0"), ("contains", "personal data")],
    features: &[
        string("card_id", "Token of the card", PII),
        fractional("event_time", "When the transaction was authorised", &[("unit", "Unix seconds")]),
        fractional("amount", "Amount of the transaction", EUR),
        fractional("amount_sum_1h", "Amounts of the hour before, this one included", &[("unit", "EUR"), ("window", "1 hour")]),
        fractional("amount_sum_24h", "Amounts of the day before, this one included", &[("unit", "EUR"), ("window", "24 hours")]),
        integral("transaction_count_1h", "Transactions of the hour before, this one included", HOUR),
        integral("transaction_count_24h", "Transactions of the day before, this one included", DAY),
        integral("distinct_merchants_24h", "Different merchants of the day before", DAY),
        integral("distinct_countries_7d", "Different countries of the week before", &[("window", "7 days")]),
        string("merchant_id", "Who was paid", PLAIN),
        integral("merchant_category_code", "Merchant category code, ISO 18245", PLAIN),
        string("entry_mode", "How the card was read", PLAIN),
        integral("is_card_present", "The card was at the terminal", FLAG),
        integral("is_foreign", "Paid outside the card's country", FLAG),
        integral("hour_of_day", "Hour of the transaction (UTC)", &[("range", "0 to 23")]),
        fractional("seconds_since_previous", "Seconds since the card was last used; null the first time", &[("unit", "seconds")]),
        fractional("distance_from_home", "Distance to the holder's home; null if the card was not present", &[("unit", "km")]),
        fractional("amount_deviation", "How many standard deviations the amount is off the card's mean", PLAIN),
        fractional("fraud_score", "Probability of fraud by the online model", &[("range", "0 to 1"), ("model", "fraud v12")]),
    ],
    stores: Stores::Both,
    ttl: None,
    entities: 4_200,
    rows: 60_000,
    rhythm: Rhythm::Lively,
    identifier: |card| format!("K{card:06}").into(),
    values: |draw, moment| {
        let merchant = draw.skewed(MERCHANTS);
        let (code, ticket) = merchant_code(moment.seed, merchant);
        let amount = cents(draw.log_normal(ticket * 0.8, 0.7).max(0.5));
        let burst = draw.poisson(0.18);
        let of_day = burst + draw.poisson(1.6);
        let present = code != 5999 && draw.chance(0.74);
        let mode = if present { draw.pick(&[("contactless", 71.0), ("chip", 26.0), ("magstripe", 3.0)]) } else { "online" };
        let foreign = draw.chance(0.045);
        let sum_of_hour = cents(amount + burst as f64 * draw.log_normal(24.0, 0.6));
        let deviation = four_digits((amount / ticket).ln() / 0.7);
        let suspicion = -6.2 + 1.9 * f64::from(u8::from(foreign)) + 0.9 * burst as f64 + 0.8 * deviation.max(0.0) + draw.normal(0.0, 0.8);
        vec![
            amount.into(),
            sum_of_hour.into(),
            cents(sum_of_hour + (of_day - burst) as f64 * draw.log_normal(29.0, 0.6)).into(),
            (1 + burst).into(),
            (1 + of_day).into(),
            (1 + of_day - draw.poisson(0.3).min(of_day)).into(),
            (1 + draw.poisson(if foreign { 0.7 } else { 0.03 })).into(),
            merchant_id(merchant).into(),
            code.into(),
            mode.into(),
            present.into(),
            foreign.into(),
            i64::from(moment.time.year_month_day_hour().3).into(),
            (!draw.chance(0.012)).then(|| draw.exponential(86_400.0 / 2.6).round() + 1.0).into(),
            present.then(|| cents(if foreign { draw.log_normal(820.0, 0.5) } else { draw.log_normal(4.5, 1.2) })).into(),
            deviation.into(),
            four_digits(1.0 / (1.0 + (-suspicion).exp())).into(),
        ]
    },
};

pub(super) const DEVICE: GroupShape = GroupShape {
    name: "device-features",
    description: "Latest state of each device that logs in; kept online only",
    owner: "team:fraud",
    tags: &[("domain", "security"), ("stage", "production"), ("refresh", "stream")],
    features: &[
        string("device_id", "Fingerprint of the device", PII),
        string("event_time", "When the device was last seen (UTC)", PLAIN),
        string("operating_system", "Operating system", PLAIN),
        string("os_version", "Its version", PLAIN),
        string("app_version", "Version of our app; null in a browser", PLAIN),
        string("locale", "Language and region the device is set to", PLAIN),
        string("last_country", "Country of the last address", PII),
        integral("is_rooted", "The device's protections were removed", FLAG),
        integral("screen_width", "Width of the screen", &[("unit", "pixels")]),
        integral("screen_height", "Height of the screen", &[("unit", "pixels")]),
        integral("distinct_accounts_30d", "Accounts that logged in from it", MONTH),
        integral("login_failures_24h", "Wrong passwords from it", DAY),
        fractional("proxy_score", "How likely the address is a proxy", RATIO),
    ],
    stores: Stores::OnlineOnly,
    ttl: None,
    entities: 4_000,
    rows: 4_000,
    rhythm: Rhythm::Lively,
    identifier: |device| format!("D-{:08x}", device.wrapping_mul(2_654_435_761)).into(),
    values: |draw, moment| {
        let fixed = |question: u64| trait_of(moment.seed, moment.entity, question);
        let system = weighted(&[("Android", 43.0), ("iOS", 31.0), ("Windows", 16.0), ("macOS", 8.0), ("Linux", 2.0)], fixed(71));
        let phone = matches!(system, "Android" | "iOS");
        let home = country(moment.seed, moment.entity.wrapping_add(50_000));
        let (width, height) = if phone {
            weighted(&[((1080, 2400), 5.0), ((1170, 2532), 3.0), ((720, 1600), 2.0)], fixed(72))
        } else {
            weighted(&[((1920, 1080), 5.0), ((2560, 1440), 3.0), ((1366, 768), 2.0)], fixed(72))
        };
        let shared = fixed(73) > 0.985;
        vec![
            system.into(),
            match system {
                "Android" => weighted(&[("14", 3.0), ("15", 4.0), ("13", 2.0), ("11", 1.0)], fixed(74)),
                "iOS" => weighted(&[("18.6", 5.0), ("17.7", 3.0), ("16.7", 1.0)], fixed(74)),
                "Windows" => weighted(&[("11", 7.0), ("10", 3.0)], fixed(74)),
                "macOS" => weighted(&[("15.5", 3.0), ("14.7", 2.0)], fixed(74)),
                _ => "6.12",
            }
            .into(),
            phone.then(|| draw.pick(&[("9.4.1", 6.0), ("9.4.0", 2.0), ("9.2.3", 1.0), ("8.11.0", 0.4)])).into(),
            format!("{}-{home}", if matches!(home, "DE" | "AT" | "CH") { "de" } else { "en" }).into(),
            (if draw.chance(0.05) { draw.pick(&COUNTRIES) } else { home }).into(),
            (phone && fixed(75) < 0.011).into(),
            i64::from(width).into(),
            i64::from(height).into(),
            (1 + if shared { draw.poisson(9.0) } else { draw.poisson(0.12) }).into(),
            draw.poisson(if shared { 4.0 } else { 0.08 }).into(),
            four_digits(draw.unit().powi(if shared { 1 } else { 9 })).into(),
        ]
    },
};
