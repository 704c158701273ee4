//! The fuzzy index against a slow reference, and against itself with other threads, other histories, other order of asking.

use std::num::NonZeroUsize;
use std::sync::Arc;

use larder::store::fuzzy::{Found, FuzzyIndex, FuzzyIndexBuilder, SCORED, Searcher};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

const WORDS: [&str; 24] = [
    "loyalty", "score", "customer", "order", "avg", "value", "amount", "count", "last", "days", "return", "rate", "merchant", "device",
    "session", "click", "price", "risk", "Tier", "7d", "30d", "余额", "Größe", "x",
];

/// Names full of ties: few words, many repeats, all ways of writing.
fn names(count: usize, seed: u64) -> Vec<(String, String)> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|number| {
            let parts: Vec<&str> = (0..random.random_range(1..5)).map(|_| *WORDS.choose(&mut random).unwrap()).collect();
            let name = match random.random_range(0..4) {
                0 => parts.join("-"),
                1 => parts.concat(),
                2 => format!("{}_{}", parts.join("_"), random.random_range(0..40)),
                _ => parts.join("_"),
            };
            (format!("group-{}", number / 50), name)
        })
        .collect()
}

fn index(names: &[(String, String)]) -> Arc<FuzzyIndex> {
    let mut builder = FuzzyIndexBuilder::default();
    let mut before = None;
    for (group, name) in names {
        if before != Some(group) {
            builder.group(group).unwrap();
            before = Some(group);
        }
        builder.name(name).unwrap();
    }
    Arc::new(builder.build())
}

fn searcher(index: &Arc<FuzzyIndex>, threads: usize) -> Searcher {
    Searcher::new(index.clone(), NonZeroUsize::new(threads))
}

fn found(index: &Arc<FuzzyIndex>, text: &str, limit: usize) -> Found {
    searcher(index, 1).search(text, limit).unwrap()
}

fn shown(index: &Arc<FuzzyIndex>, text: &str) -> Vec<String> {
    found(index, text, 10).hits.iter().map(|hit| index.name(hit.row).to_owned()).collect()
}

const QUERIES: [&str; 16] = [
    "l",
    "lo",
    "loy",
    "loyalty",
    "loyalty s",
    "loyalty sc",
    "ord val",
    "cstmr",
    "group-1 score",
    "30d",
    "余",
    "grö",
    "zzzz",
    "loyality",
    "X",
    "_",
];

#[test]
fn many_threads_find_what_one_finds() {
    let index = index(&names(50_000, 1));
    for text in QUERIES {
        let serial = found(&index, text, 50);
        for threads in [2, 3] {
            assert_eq!(searcher(&index, threads).search(text, 50).unwrap(), serial, "{text} on {threads} threads");
        }
    }
}

#[test]
fn a_query_typed_letter_by_letter_finds_what_it_finds_at_once() {
    let index = index(&names(20_000, 2));
    for text in ["loyalty score", "ord val 7", "custmer", "größe x", "group-11 avg", "cstmr", "last30d", "no such thing"] {
        let typing = searcher(&index, 2);
        for (end, letter) in text.char_indices() {
            let typed = &text[..end + letter.len_utf8()];
            assert_eq!(typing.search(typed, 40).unwrap(), found(&index, typed, 40), "{typed}");
        }
        // And back: a query that shrinks, or another one, must not be narrowed by what was asked before.
        for typed in [&text[..1], "rate", text] {
            assert_eq!(typing.search(typed, 40).unwrap(), found(&index, typed, 40), "{typed} after {text}");
        }
    }
}

/// By the letters, without a mask or an index.
fn matches(text: &str, group: &str, name: &str) -> bool {
    let folded: Vec<char> = name.to_lowercase().chars().collect();
    text.to_lowercase().split_whitespace().all(|word| {
        let mut rest = folded.iter();
        let scattered = word.chars().all(|wanted| rest.any(|letter| *letter == wanted));
        scattered || group.contains(word)
    })
}

#[test]
fn it_finds_all_that_a_slow_search_finds_and_nothing_else() {
    let names = names(9_000, 3);
    let index = index(&names);
    for text in QUERIES {
        let answer = found(&index, text, usize::MAX / 4);
        let expected: Vec<u32> =
            (0..names.len() as u32).filter(|row| matches(text, &names[*row as usize].0, &names[*row as usize].1)).collect();
        let mut rows: Vec<u32> = answer.hits.iter().map(|hit| hit.row).collect();
        rows.sort_unstable();
        if answer.forgiven {
            assert!(expected.iter().all(|row| rows.binary_search(row).is_ok()), "{text}: forgiving loses nothing");
            assert!(rows.len() > expected.len());
        } else {
            assert_eq!(rows, expected, "{text}");
        }
        assert_eq!(answer.matched, rows.len(), "{text}");
    }
}

#[test]
fn the_best_few_are_the_first_of_all() {
    let index = index(&names(30_000, 4));
    for text in QUERIES {
        let some = found(&index, text, SCORED);
        for limit in [1, 7, 100] {
            let few = found(&index, text, limit);
            assert_eq!(few.hits[..], some.hits[..few.hits.len()], "{text}");
            assert_eq!(few.hits.len(), limit.min(some.matched));
        }
        let classes: Vec<u8> = some.hits.iter().map(|hit| hit.class).collect();
        assert!(classes.is_sorted(), "{text}");
    }
}

#[test]
fn slips_in_a_name_are_forgiven_unless_the_name_is_there_as_typed() {
    let own: Vec<(String, String)> = ["loyalty_score", "customerAge", "total_amount", "account_id", "amont_of_grass", "month_2023"]
        .map(|name| ("g".to_owned(), name.to_owned()))
        .to_vec();
    let index = index(&own);
    assert_eq!(shown(&index, "loyality"), ["loyalty_score"]);
    assert_eq!(shown(&index, "custmer age"), ["customerAge"]);
    assert_eq!(shown(&index, "totl amuont"), ["total_amount"]);
    assert_eq!(shown(&index, "amont")[0], "amont_of_grass");
    assert!(!found(&index, "amont", 5).forgiven, "what is there as typed needs no forgiving");
    assert_eq!(shown(&index, "2024"), Vec::<String>::new(), "another number is another thing");
    assert!(found(&index, "loyality", 5).forgiven && !found(&index, "loyalty", 5).forgiven);
}

#[test]
fn names_as_typed_come_first_then_beginnings_then_words_then_the_rest() {
    let own = ["underscored", "s_c_o_r_e_s", "risk_score", "score_7d", "score"].map(|name| ("g".to_owned(), name.to_owned()));
    assert_eq!(shown(&index(&own), "score"), ["score", "score_7d", "risk_score", "underscored", "s_c_o_r_e_s"]);
}

#[test]
fn highlights_are_the_letters_that_matched() {
    let own = ["loyalty_score", "账户_余额", "avgOrderValue"].map(|name| ("g".to_owned(), name.to_owned()));
    let index = index(&own);
    let searcher = searcher(&index, 1);
    let letters = |text: &str, row: u32| -> String {
        let name: Vec<char> = index.name(row).chars().collect();
        searcher.highlights(text, row).into_iter().map(|place| name[place]).collect()
    };
    assert_eq!(letters("score", 0), "score");
    assert_eq!(letters("lsc", 0), "lsc");
    assert_eq!(letters("loyality", 0), "loyalty", "the word that was meant");
    assert_eq!(letters("余额", 1), "余额");
    assert_eq!(letters("order avg", 2), "avgOrder");
}

#[test]
fn a_newer_query_ends_an_older_one() {
    let index = index(&names(60_000, 5));
    let searcher = Arc::new(searcher(&index, 1));
    let expected = found(&index, "merchant risk", 20);
    // Many rounds, because which of the two comes later is up to the system.
    for _ in 0..5 {
        let answers: Vec<Option<Found>> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..4).map(|_| scope.spawn(|| searcher.search("merchant risk", 20))).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(answers.iter().any(Option::is_some), "the newest is answered");
        assert!(answers.iter().flatten().all(|answer| *answer == expected), "and an answer is a whole one");
    }
}

#[test]
fn without_words_the_first_come_in_their_order() {
    let index = index(&names(100, 6));
    let answer = found(&index, "  ", 30);
    assert_eq!(answer.hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), (0..30).collect::<Vec<_>>());
    assert_eq!(answer.matched, 100);
    let empty = Arc::new(FuzzyIndexBuilder::default().build());
    assert!(found(&empty, "a", 5).hits.is_empty() && found(&empty, "", 5).hits.is_empty());
}

#[test]
fn a_million_names_take_less_than_two_hundred_megabytes() {
    let mut builder = FuzzyIndexBuilder::default();
    let count = 100_000;
    for number in 0..count {
        if number % 50 == 0 {
            builder.group(&format!("customer-features-{number}")).unwrap();
        }
        builder.name(&format!("customer_order_value_avg_{number}d")).unwrap();
    }
    let index = builder.build();
    assert!(index.memory() * (1_000_000 / count) < 200 << 20, "{} bytes", index.memory());
}
