//! Groups about customers: what they buy, who they are, what they asked the support for.

use super::company::{CATEGORIES, CUSTOMERS, basket, category, country, customer_id, orders, tenure};
use super::draw::{Draw, bell_trait, cents, four_digits, trait_of};
use super::shape::{
    Cell, DAYS, DAYS_UNIT, EUR, FLAG, GroupShape, HOURS_UNIT, Moment, PII, PLAIN, RATIO, Rhythm, Stores, fractional, integral, string,
};

/// Where campaigns run.
const AD_CHANNELS: [(&str, f64); 5] = [("paid-search", 38.0), ("social", 27.0), ("display", 15.0), ("affiliate", 12.0), ("email", 8.0)];

/// Day from which loyalty scores sink, after a change of the programme.
pub(super) const DRIFT_FROM_DAY: f64 = DAYS - 12.0;

/// How far they have sunk on the last day.
const DRIFT: f64 = 18.0;

pub(super) const FEATURES: GroupShape = GroupShape {
    name: "customer-features",
    description: "Buying behaviour of each customer, for recommendations and retention",
    owner: "team:growth",
    tags: &[("domain", "customer"), ("stage", "production"), ("refresh", "hourly"), ("tier", "1")],
    features: &[
        string("customer_id", "Customer as known to the shop", PII),
        string("event_time", "When these values were true (UTC)", PLAIN),
        integral("total_purchases", "Orders since the customer signed up", &[("unit", "orders")]),
        fractional("avg_order_value", "Mean value of an order, without shipping; null before the first order", EUR),
        fractional("return_rate", "Share of ordered items that came back; null before the first order", RATIO),
        string("preferred_category", "Category with the most orders of the last year", PLAIN),
        fractional(
            "loyalty_score",
            "How likely the customer buys again within 60 days, from the loyalty programme's model",
            &[("range", "0 to 100"), ("model", "loyalty v3")],
        ),
    ],
    stores: Stores::Both,
    ttl: None,
    entities: CUSTOMERS,
    rows: 42_000,
    rhythm: Rhythm::Lively,
    identifier: |customer| customer_id(customer).into(),
    values: |draw, moment| {
        let orders = orders(moment);
        let habit = bell_trait(moment.seed, moment.entity, 21);
        let returns = 0.32 * trait_of(moment.seed, moment.entity, 22).powi(3);
        let sinking = ((moment.day - DRIFT_FROM_DAY) / (DAYS - DRIFT_FROM_DAY)).max(0.0);
        let strays = draw.chance(0.06);
        let preferred = if strays { draw.pick(&CATEGORIES) } else { category(moment.seed, moment.entity) };
        vec![
            orders.into(),
            (orders > 0).then(|| cents(basket(moment))).into(),
            (orders > 0).then(|| four_digits((returns + draw.normal(0.0, 0.01)).clamp(0.0, 1.0))).into(),
            (orders > 0 || draw.chance(0.4)).then_some(preferred).into(),
            cents((61.0 + 14.0 * habit + draw.normal(0.0, 4.0) - DRIFT * sinking).clamp(0.0, 100.0)).into(),
        ]
    },
};

pub(super) const ACCOUNT: GroupShape = GroupShape {
    name: "customer-account",
    description: "Master data and standing of each customer account",
    owner: "team:identity",
    tags: &[("domain", "customer"), ("stage", "production"), ("refresh", "daily"), ("contains", "personal data")],
    features: &[
        string("customer_id", "Customer as known to the shop", PII),
        string("updated_at", "When the account last changed (UTC)", PLAIN),
        string("country", "Country of the billing address, ISO 3166 code", PLAIN),
        string("preferred_language", "Language of mails and site, ISO 639 code", PLAIN),
        string("plan", "Membership: free, plus or premium", PLAIN),
        integral("account_age_days", "Days since sign-up", DAYS_UNIT),
        integral("birth_year", "Year of birth, if the customer told it", PII),
        string("email_domain", "Domain of the mail address", PII),
        integral("is_email_verified", "The mail address was confirmed", FLAG),
        integral("marketing_consent", "The customer agreed to be written to", FLAG),
        string("payment_method", "How the last order was paid", PLAIN),
        fractional("mean_basket_value", "Average basket of the customer's orders", EUR),
        fractional("lifetime_value", "Revenue expected over the customer's whole life, discounted", EUR),
        fractional("outstanding_balance", "Open invoices; almost always nothing", EUR),
        integral("failed_logins_30d", "Wrong passwords in 30 days", &[("window", "30 days")]),
        integral("days_since_login", "Days since the last login", DAYS_UNIT),
        fractional("churn_risk", "Probability of no order within 90 days", RATIO),
        integral("household_size", "People in the household, as told in the survey", PII),
    ],
    stores: Stores::Both,
    ttl: None,
    entities: CUSTOMERS,
    rows: 12_000,
    rhythm: Rhythm::Lively,
    identifier: |customer| customer_id(customer).into(),
    values: |draw, moment| {
        let fixed = |question: u64| trait_of(moment.seed, moment.entity, question);
        let country = country(moment.seed, moment.entity);
        let orders = orders(moment);
        let basket = basket(moment);
        let language = match country {
            "DE" | "AT" => "de",
            "CH" if fixed(31) < 0.7 => "de",
            "FR" | "CH" => "fr",
            "BE" | "NL" => "nl",
            "ES" => "es",
            "IT" => "it",
            "PL" => "pl",
            _ => "en",
        };
        let plan = match fixed(32) {
            at if at < 0.72 => "free",
            at if at < 0.93 => "plus",
            _ => "premium",
        };
        let quiet_days = draw.exponential(if plan == "free" { 19.0 } else { 6.0 });
        let wrong_passwords = if draw.chance(0.02) { 12.0 } else { 0.25 };
        vec![
            country.into(),
            language.into(),
            plan.into(),
            (tenure(moment) as i64).into(),
            (fixed(33) < 0.68).then(|| (1_981.0 + 13.0 * bell_trait(moment.seed, moment.entity, 34)).clamp(1_930.0, 2_007.0) as i64).into(),
            super::draw::weighted(
                &[("gmail.com", 46.0), ("outlook.com", 17.0), ("gmx.de", 12.0), ("icloud.com", 10.0), ("proton.me", 4.0)],
                fixed(35),
            )
            .into(),
            (fixed(36) < 0.91).into(),
            (fixed(37) < 0.57).into(),
            draw.pick(&[("card", 44.0), ("paypal", 31.0), ("invoice", 15.0), ("sepa", 8.0), ("gift-card", 2.0)]).into(),
            // The other of two features that say the same: avg_order_value of customer-features is this one, to the cent or nearly.
            (orders > 0).then(|| cents(basket + draw.normal(0.0, 0.01))).into(),
            cents((orders as f64 + 3.0) * basket * draw.between(0.25, 0.4)).into(),
            (if draw.chance(0.05) { cents(draw.log_normal(40.0, 0.9)) } else { 0.0 }).into(),
            draw.poisson(wrong_passwords).into(),
            (quiet_days as i64).into(),
            four_digits((0.05 + quiet_days / 90.0 + draw.normal(0.0, 0.05)).clamp(0.0, 1.0)).into(),
            (fixed(38) < 0.22).then(|| 1 + (fixed(39) * 5.0) as i64).into(),
        ]
    },
};

pub(super) const SUPPORT: GroupShape = GroupShape {
    name: "support-features",
    description: "What customers asked the support for and how it went",
    owner: "team:care",
    tags: &[("domain", "customer"), ("stage", "production"), ("refresh", "daily")],
    features: &[
        string("customer_id", "Customer as known to the shop", PII),
        string("event_time", "When the last ticket changed (UTC)", PLAIN),
        integral("open_tickets", "Tickets not yet closed", PLAIN),
        integral("tickets_90d", "Tickets opened in 90 days", &[("window", "90 days")]),
        integral("escalations_90d", "Tickets passed to the second line in 90 days", &[("window", "90 days")]),
        integral("refund_requests_90d", "Refunds asked for in 90 days", &[("window", "90 days")]),
        fractional("first_response_minutes", "Minutes until an agent first answered; null while nobody has", &[("unit", "minutes")]),
        fractional("resolution_hours", "Hours until the ticket was closed; null while it is open", HOURS_UNIT),
        fractional("csat_score", "Answer to the satisfaction survey; most customers give none", &[("range", "1 to 5")]),
        fractional("message_sentiment", "Tone of the customer's messages, by the language model", &[("range", "-1 to 1")]),
        string("last_topic", "What the last ticket was about", PLAIN),
        string("last_channel", "Where the last ticket came from", PLAIN),
        integral("agent_touches", "Answers agents wrote in the last ticket", PLAIN),
        integral("days_since_previous_ticket", "Days between the last two tickets; null after the first", DAYS_UNIT),
    ],
    stores: Stores::Both,
    ttl: None,
    entities: 1_800,
    rows: 14_000,
    rhythm: Rhythm::Lively,
    identifier: |customer| customer_id(customer).into(),
    values: |draw: &mut Draw, moment: &Moment| -> Vec<Cell> {
        let trouble = draw.poisson(1.1 + 2.0 * trait_of(moment.seed, moment.entity, 41).powi(4));
        let open = draw.chance(0.27);
        let answered = !open || draw.chance(0.6);
        let wait = draw.log_normal(38.0, 1.1);
        let answers_survey = !open && draw.chance(0.31);
        let mood = (0.35 - 0.15 * trouble as f64 - wait / 900.0 + draw.normal(0.0, 0.25)).clamp(-1.0, 1.0);
        vec![
            (if open { 1 + draw.poisson(0.15) } else { 0 }).into(),
            (1 + trouble).into(),
            draw.poisson(0.08 + 0.1 * trouble as f64).into(),
            draw.poisson(0.2 + 0.2 * trouble as f64).into(),
            answered.then(|| cents(wait)).into(),
            (!open).then(|| cents(draw.log_normal(16.0, 0.9))).into(),
            answers_survey.then(|| (3.4 + 1.6 * mood + draw.normal(0.0, 0.6)).round().clamp(1.0, 5.0)).into(),
            four_digits(mood).into(),
            draw.pick(&[("delivery", 34.0), ("return", 23.0), ("payment", 15.0), ("product", 14.0), ("account", 9.0), ("other", 5.0)])
                .into(),
            draw.pick(&[("mail", 45.0), ("chat", 37.0), ("phone", 18.0)]).into(),
            (if answered { 1 + draw.poisson(1.4) } else { 0 }).into(),
            (trouble > 0).then(|| draw.exponential(24.0) as i64).into(),
        ]
    },
};

pub(super) const CAMPAIGN: GroupShape = GroupShape {
    name: "campaign-features",
    description: "Daily spend and effect of each marketing campaign",
    owner: "team:growth",
    tags: &[("domain", "marketing"), ("stage", "staging"), ("refresh", "daily")],
    features: &[
        integral("campaign_id", "Campaign as numbered by the ad platform", PLAIN),
        string("event_time", "When the ad platform reported the 24 hours before (UTC)", PLAIN),
        string("channel", "Where the campaign runs", PLAIN),
        fractional("daily_budget", "Most that may be spent in a day", EUR),
        fractional("spend", "Spent in these 24 hours", EUR),
        integral("impressions", "Times an ad was shown", PLAIN),
        integral("clicks", "Clicks on ads", PLAIN),
        integral("conversions", "Orders within a day of a click", &[("window", "1 day")]),
        fractional("click_through_rate", "Clicks for each impression; null without impressions", RATIO),
        fractional("cost_per_click", "Spend for each click; null without clicks", EUR),
        integral("is_paused", "The campaign was paused", FLAG),
    ],
    stores: Stores::Both,
    ttl: None,
    entities: 40,
    rows: 3_600,
    rhythm: Rhythm::Steady,
    identifier: |campaign| (710_000 + i64::from(campaign)).into(),
    values: |draw, moment| {
        let budget = (5.0 * (1.0 + 40.0 * trait_of(moment.seed, moment.entity, 51).powi(2))).round() * 10.0;
        let paused = draw.chance(0.09);
        let impressions = if paused { 0 } else { draw.log_normal(budget * 90.0, 0.35) as i64 };
        let appeal = 0.004 + 0.025 * trait_of(moment.seed, moment.entity, 52).powi(2);
        let clicks = draw.poisson(impressions as f64 * appeal);
        let spend = if paused { 0.0 } else { cents(budget * draw.between(0.72, 1.0)) };
        vec![
            super::draw::weighted(&AD_CHANNELS, trait_of(moment.seed, moment.entity, 53)).into(),
            budget.into(),
            spend.into(),
            impressions.into(),
            clicks.into(),
            draw.poisson(clicks as f64 * 0.031).into(),
            (impressions > 0).then(|| four_digits(clicks as f64 / impressions as f64)).into(),
            (clicks > 0).then(|| four_digits(spend / clicks as f64)).into(),
            paused.into(),
        ]
    },
};
