//! A cluster of real processes: a scheduler and two workers answer as one machine does, to the byte, whoever dies on the way.

use crate::cli::Larder;

#[cfg(not(feature = "cluster"))]
#[test]
fn a_build_without_a_cluster_says_how_to_get_one() {
    let larder = Larder::with_readings();
    for words in [
        "cluster scheduler",
        "cluster worker --scheduler 127.0.0.1:50050",
        "query --cluster 127.0.0.1:50050 select-1",
        "dataset build --spine readings.csv --spine-id sensor --spine-time at --features readings -o t.parquet --cluster 127.0.0.1:50050",
    ] {
        larder.run(words).ended(2).says(&["built without a cluster", "--features cluster"]);
    }
    assert!(!larder.path("t.parquet").exists());
}

#[cfg(feature = "cluster")]
mod running {
    use std::fmt::Write;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use super::Larder;
    use crate::cli::{find, names_in};

    /// A program of a cluster, ended with the test.
    struct Program {
        child: Child,
        address: String,
    }

    impl Program {
        fn start(larder: &Larder, words: &[&str], ready: &str) -> Self {
            let mut child = larder.command(words).stderr(Stdio::inherit()).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let address = line.trim().strip_prefix(ready).unwrap_or_else(|| panic!("{words:?} said '{line}'")).trim().to_owned();
            Self { child, address }
        }

        fn scheduler(larder: &Larder) -> Self {
            Self::start(larder, &["cluster", "scheduler", "--bind", "127.0.0.1:0"], "listening on")
        }

        fn worker(larder: &Larder, scheduler: &Self) -> Self {
            let folder = larder.path("worker");
            let words = ["cluster", "worker", "--scheduler", &scheduler.address, "--cores", "1", "--memory", "512MiB", "--folder"];
            Self::start(larder, &[&words[..], &[folder.to_str().unwrap()]].concat(), "working at")
        }

        fn kill(&mut self) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }

    impl Drop for Program {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    struct Cluster {
        larder: Larder,
        scheduler: Program,
        workers: Vec<Program>,
    }

    impl Cluster {
        fn over(larder: Larder) -> Self {
            let scheduler = Program::scheduler(&larder);
            let workers = (0..2).map(|_| Program::worker(&larder, &scheduler)).collect();
            Self { larder, scheduler, workers }
        }

        /// The same words to the cluster.
        fn words<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
            [words, &["--cluster", &self.scheduler.address]].concat()
        }

        /// Demands that the cluster answers as this machine does.
        #[track_caller]
        fn agrees(&self, words: &[&str]) -> String {
            let here = self.larder.run_words(words).ok();
            let there = self.larder.run_words(&self.words(words)).ok();
            assert_eq!(there.out, here.out, "{words:?}");
            here.out
        }
    }

    /// Two groups whose records tie, come late, hold nulls, are deleted and expire; some are in no file yet.
    fn bench() -> Larder {
        let larder = Larder::new();
        let mut state = 7u64;
        let mut draw = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let empty_or = |is_empty: bool, text: String| if is_empty { String::new() } else { text };
        for part in 0..4 {
            let mut users = "user,at,score,visits,city\n".to_owned();
            let mut shops = "shop,at,rating,open\n".to_owned();
            for _ in 0..300 {
                let (user, hour) = (draw(40), draw(24 * 20));
                let at = format!("2026-01-{:02}T{:02}:00:00Z", hour / 24 + 1, hour % 24);
                let score = empty_or(draw(7) == 0, format!("{}.25", draw(100)));
                let visits = empty_or(draw(9) == 0, draw(50).to_string());
                writeln!(users, "u{user},{at},{score},{visits},c{}", draw(5)).unwrap();
                let shop = draw(12);
                writeln!(shops, "{shop},{at},{}.5,{}", draw(10), draw(2) == 0).unwrap();
            }
            larder.file("users.csv", &users);
            larder.file("shops.csv", &shops);
            if part == 0 {
                larder.run("create users --from users.csv --id user --event-time at").ok();
                larder.run("create shops --from shops.csv --id shop --event-time at").ok();
            }
            larder.run("ingest users users.csv").ok();
            larder.run("ingest shops shops.csv").ok();
        }
        for user in ["u1", "u7"] {
            larder.run(&format!("delete users {user} --event-time 2026-02-01T00:00:00Z")).ok();
        }
        larder.run("flush").ok();
        // A tie with whatever is there, then what only the outbox has.
        larder.run("put users user=u2 at=2026-01-10T00:00:00Z score=1.5 city=put").ok();
        larder.run("put users user=u2 at=2026-01-10T00:00:00Z score=2.5 city=again").ok();
        larder.run("delete users u3 --event-time 2026-01-12T00:00:00Z").ok();

        let mut labels = "user,seen,shop,label\n".to_owned();
        for row in 0..500 {
            let hour = draw(24 * 25);
            let user = empty_or(draw(15) == 0, format!("u{}", draw(45)));
            let seen = empty_or(draw(20) == 0, format!("2026-01-{:02}T{:02}:00:00Z", hour / 24 + 1, hour % 24));
            writeln!(labels, "{user},{seen},{},{row}", draw(14)).unwrap();
        }
        larder.file("labels.csv", &labels);
        larder
    }

    const STATEMENTS: [&str; 22] = [
        "select 1 as one",
        "select count(*) as n, count(score) as scores, sum(visits) as visits from users",
        "select city, count(*) as n, min(score) as low, max(at) as last from users group by city order by city",
        "select \"user\", at, score, visits, city, is_deleted from users order by \"user\", at, score, visits, city, is_deleted",
        "select * from \"users$latest\" order by \"user\"",
        "select count(*) as n from \"users$latest\" where city = 'put' or city = 'again'",
        "select u.city, s.rating, count(*) as n from users u join shops s on u.at = s.at group by 1, 2 order by 1, 2",
        "select u.\"user\", s.shop from \"users$latest\" u left join \"shops$latest\" s on u.at = s.at order by 1, 2",
        "select distinct \"user\" from users where \"user\" not in (select \"user\" from \"users$latest\") order by 1",
        "select city from users union select cast(shop as varchar) from shops order by 1",
        "select city from users union all select 'x' from shops where rating > 8 order by 1",
        "select \"user\", row_number() over (partition by city order by at, \"user\", score, visits) as n, city from users order by city, n limit 50",
        "select sum(visits) over (order by at, \"user\", score, city, visits) as running from users order by 1 limit 20",
        "select avg(visits) as a from users where visits > (select avg(visits) from users)",
        "select date_trunc('day', from_iso8601_timestamp(at)) as day, count(*) as n from users group by 1 order by 1",
        "select date_format(from_iso8601_timestamp(at), '%Y-%m') as month, approx_distinct(city) as n from users group by 1 order by 1",
        "select l.shop, count(r.shop) as n from \"shops$latest\" l left join \"shops$latest\" r on l.rating < r.rating group by 1 order by 1",
        "select a.shop, b.city from \"shops$latest\" a cross join (select distinct city from users) b order by 1, 2",
        "select count(*) as n from users where now() > from_iso8601_timestamp(at)",
        "select * from (values (1, 'a'), (2, null)) t(x, y) order by x",
        "with recent as (select * from users where at >= '2026-01-10') select city, count(*) as n from recent group by city having count(*) > 1 order by n desc, city",
        "select * from asof('select \"user\", at, city as was from users where visits > 30 order by \"user\", at, score, city, visits, write_time', 'user', 'at', \
         'users:score,visits', 'ttl=2d')",
    ];

    #[test]
    fn statements_are_answered_as_on_one_machine() {
        let cluster = Cluster::over(bench());
        for sql in STATEMENTS {
            let answer = cluster.agrees(&["query", sql, "--format", "csv"]);
            assert!(answer.lines().count() > 1, "no rows to compare: {sql}");
        }
        cluster.agrees(&["query", "show tables", "--format", "csv"]);
        cluster.agrees(&["query", "explain select 1", "--format", "csv"]);
        let asked = ["query", "select * from asof('users', 'user', 'at', 'shops@visits as s:rating')", "--format", "csv"];
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        // A spine without an order has none there either.
        let here = cluster.larder.run_words(&asked).ok();
        assert_eq!(sorted(&cluster.larder.run_words(&cluster.words(&asked)).ok().out), sorted(&here.out));

        // What fails here fails there, in words and with a remedy.
        let bad = ["query", "select cast(city as bigint) from users", "--format", "csv"];
        cluster.larder.run_words(&cluster.words(&bad)).ended(1).says(&["Cannot cast string"]);
        cluster.larder.run_words(&cluster.words(&["query", "select * from nothing"])).ended(1).says(&["no group 'nothing'"]);
    }

    #[test]
    fn training_datasets_are_the_same_to_the_byte() {
        let cluster = Cluster::over(bench());
        let larder = &cluster.larder;
        let spine = ["dataset", "build", "--spine", "labels.csv", "--spine-id", "user", "--spine-time", "seen", "--json"];
        for (number, (more, ending)) in [
            (&["--features", "users"][..], "parquet"),
            (&["--features", "users:score,city", "--ttl", "users=36h", "--parts", "3"], "parquet"),
            (&["--features", "users", "--features", "shops@shop:rating", "--parts", "2"], "parquet"),
            (&["--features", "shops@shop", "--features", "users:visits as v", "--as-of", "2100-01-01", "--parts", "1"], "csv"),
            (&["--features", "users", "--as-of", "2020-01-01"], "parquet"),
        ]
        .into_iter()
        .enumerate()
        {
            let (here, there) = (format!("here{number}.{ending}"), format!("there{number}.{ending}"));
            let without: Vec<&str> = match more.iter().position(|word| *word == "--parts") {
                Some(at) => [&more[..at], &more[at + 2..]].concat(),
                None => more.to_vec(),
            };
            let one = larder.run_words(&[&spine[..], &without, &["-o", &here]].concat()).ok().json();
            let other = larder.run_words(&cluster.words(&[&spine[..], more, &["-o", &there]].concat())).ok().json();
            for field in ["rows", "columns", "matched", "content_hash", "bytes"] {
                assert_eq!(other[field], one[field], "{field} of {more:?}");
            }
            assert!(std::fs::read(larder.path(&here)).unwrap() == std::fs::read(larder.path(&there)).unwrap(), "{more:?}");
        }
        larder.run("dataset verify there1").ok();
        let spines = larder.store().join("s3/larder/feature-store/_larder");
        assert_eq!(find(&spines, ".parquet"), None, "spines are left: {:?}", names_in(&spines));

        let stream = [&spine[..8], &["--features", "users", "-o", "-", "--format", "csv"]].concat();
        cluster.agrees(&stream);

        // A time that can't be read is named by its row, as on one machine.
        larder.file("bad.csv", "user,seen\nu1,2026-01-01\nu2,soon\n");
        let bad = [
            "dataset",
            "build",
            "--spine",
            "bad.csv",
            "--spine-id",
            "user",
            "--spine-time",
            "seen",
            "--features",
            "users",
            "-o",
            "bad.csv.out.csv",
        ];
        let here = larder.run_words(&bad).ended(1);
        let there = larder.run_words(&cluster.words(&bad)).ended(1);
        assert_eq!(there.err, here.err);
    }

    /// Builds here to a file and there into the store, and demands that both are one dataset. Returns the folder.
    fn in_the_store(cluster: &Cluster, kill: Option<Program>) -> std::path::PathBuf {
        let larder = &cluster.larder;
        let spine = ["dataset", "build", "--spine", "labels.csv", "--spine-id", "user", "--spine-time", "seen"];
        let features = ["--features", "users", "--features", "shops@shop:rating", "--json"];
        let one = larder.run_words(&[&spine[..], &features, &["-o", "one.parquet"]].concat()).ok().json();
        let words = cluster.words(&[&spine[..], &features, &["-o", "store:kept"]].concat());
        let child = larder.command(&words).spawn().unwrap();
        if let Some(mut worker) = kill {
            std::thread::sleep(Duration::from_millis(250));
            worker.kill();
        }
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let other: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        for field in ["rows", "columns", "matched", "content_hash"] {
            assert_eq!(other[field], one[field], "{field}");
        }
        assert_eq!(other["files"], 1);
        let folder = std::path::PathBuf::from(other["output"].as_str().unwrap());
        let names = names_in(&folder);
        assert!(names.len() == 2 && names[0].ends_with(".parquet") && names[1] == "_manifest.json", "{names:?}");
        let home = larder.store().join("s3/larder/feature-store/_larder");
        assert_eq!(find(&home, ".parquet"), None, "spines are left: {:?}", names_in(&home));
        folder
    }

    #[test]
    fn workers_write_what_one_machine_writes() {
        let cluster = Cluster::over(bench());
        let larder = &cluster.larder;
        let folder = in_the_store(&cluster, None);
        larder.run("dataset verify kept").ok();
        assert!(larder.run("dataset diff kept one").ok().out.contains("the same 500 rows"));
        assert!(larder.run("dataset show kept").ok().out.contains("in 1 file"));
        let by_folder = larder.run_words(&["dataset", "show", folder.to_str().unwrap(), "--json"]).ok().json();
        assert_eq!((&by_folder["version"], &by_folder["rows"]), (&serde_json::json!(1), &serde_json::json!(500)));

        let asked =
            ["query", "select \"user\", at, score from users order by at, \"user\", score, visits, city", "-o", "store:Answer", "--json"];
        let answer = larder.run_words(&cluster.words(&asked)).ok().json();
        assert_eq!(answer["rows"], larder.run_words(&["query", "select count(*) as n from users", "--json"]).ok().json()[0]["n"]);
        assert!(find(std::path::Path::new(answer["output"].as_str().unwrap()), ".parquet").is_some(), "{answer}");
        larder.run_words(&cluster.words(&["query", "select 1", "-o", "store:x", "--format", "csv"])).ended(2).says(&["Parquet files"]);
        larder.run_words(&cluster.words(&["query", "explain select 1", "-o", "store:x"])).ended(2).says(&["leave -o out"]);
    }

    #[test]
    fn a_worker_that_is_killed_while_workers_write_changes_no_row() {
        let mut cluster = Cluster::over(bench());
        let dead = cluster.workers.remove(0);
        in_the_store(&cluster, Some(dead));
        cluster.larder.run("dataset verify kept").ok();
    }

    #[test]
    fn a_build_into_the_store_that_is_stopped_leaves_nothing() {
        let cluster = Cluster::over(bench());
        let build = ["dataset", "build", "--spine-sql", ENDLESS_SPINE, "--spine-id", "user", "--spine-time", "at", "--features", "users"];
        let words = cluster.words(&[&build[..], &["-o", "store:never"]].concat());
        let child = cluster.larder.command(&words).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1_500));
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
        let home = cluster.larder.store().join("s3/larder/feature-store");
        for left in [".parquet", "_open", "_manifest.json"] {
            for folder in ["datasets", "_larder"] {
                assert_eq!(find(&home.join(folder), left), None, "{left} is left in {folder}");
            }
        }
        assert_eq!(cluster.larder.run("dataset list --json").ok().json(), serde_json::json!([]));
    }

    /// A spine that does not end soon.
    const ENDLESS_SPINE: &str = "select a.\"user\", b.at from users a cross join users b cross join users c";

    /// A question that does not end, though each of its rows comes soon.
    const ENDLESS: &str = "select sum(a.visits + b.visits + c.visits + d.visits + e.visits) from users a cross join users b cross join users c \
                           cross join users d cross join users e";

    #[test]
    fn a_worker_that_is_killed_changes_no_answer() {
        let mut cluster = Cluster::over(bench());
        let asked =
            "select a.city, count(*) as n, sum(a.visits + b.visits) as v from users a join users b on a.at < b.at group by 1 order by 1";
        let here = cluster.larder.run_words(&["query", asked, "--format", "csv"]).ok().out;
        let words = cluster.words(&["query", asked, "--format", "csv"]);
        let child = cluster.larder.command(&words).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let mut dead = cluster.workers.remove(0);
        dead.kill();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(String::from_utf8(done.stdout).unwrap(), here);

        let build =
            ["dataset", "build", "--spine", "labels.csv", "--spine-id", "user", "--spine-time", "seen", "--features", "users", "--json"];
        let one = cluster.larder.run_words(&[&build[..], &["-o", "one.parquet"]].concat()).ok().json();
        let other = cluster.larder.run_words(&cluster.words(&[&build[..], &["-o", "other.parquet"]].concat())).ok().json();
        assert_eq!(other["content_hash"], one["content_hash"]);
    }

    #[test]
    fn a_question_that_is_stopped_frees_the_workers() {
        let cluster = Cluster::over(bench());
        let words = cluster.words(&["query", ENDLESS, "--format", "csv"]);
        let child = cluster.larder.command(&words).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1_500));
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
        // The workers have one core each: this would wait for ever.
        cluster.agrees(&["query", "select city, count(*) as n from users group by 1 order by 1", "--format", "csv"]);
    }

    #[test]
    fn who_asks_in_the_wrong_place_is_told() {
        let larder = Larder::with_readings();
        larder.run("ingest readings readings.csv").ok();
        larder.run("query --cluster 127.0.0.1:1 select-1").ended(1);
        larder
            .run_words(&["query", "--cluster", "127.0.0.1:1", "select count(*) from readings"])
            .ended(1)
            .says(&["127.0.0.1:1", "larder cluster scheduler"]);
        larder.run("cluster worker --scheduler 127.0.0.1:1 --bind 0.0.0.0:0").ended(2).says(&["--insecure-no-auth"]);

        let scheduler = Program::scheduler(&larder);
        let stranger = Larder::with_readings();
        let _worker = Program::worker(&stranger, &scheduler);
        let asked = ["query", "--cluster", &scheduler.address, "select max(celsius) from readings"];
        larder.run_words(&asked).ended(1).says(&["has no such group", "--store"]);
    }
}
