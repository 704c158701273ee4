//! The pure parts stay pure: no terminal library, database, clock or runtime in `model/` and `update/`.

use std::fs;
use std::path::Path;

#[test]
fn model_and_update_name_no_terminal_database_or_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui");
    let forbidden = ["ratatui", "crossterm", "sqlx", "tokio", "crate::store", "std::time", "std::env", "std::fs", "SystemTime"];
    let mut read = 0;
    for folder in ["model", "update"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            read += 1;
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for word in forbidden {
                    assert!(!line.contains(word), "{} names {word}: {line}", path.display());
                }
            }
        }
    }
    assert!(read >= 10, "the folders moved: only {read} files were read");
}

#[test]
fn only_one_file_uses_the_fuzzy_matcher_and_one_the_store() {
    fn visit(folder: &Path, look: &mut dyn FnMut(&Path, &str)) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, look);
            } else {
                look(&path, &fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui");
    visit(&root, &mut |path, text| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let uses = |what: &str| text.lines().any(|line| line.trim_start().starts_with("use ") && line.contains(what));
        assert!(!uses("fuzzy_matcher") || name == "matching.rs", "{}", path.display());
        let is_source = path.parent().is_some_and(|folder| folder.ends_with("source") || folder.ends_with("tests"));
        assert!(!uses("crate::store") || is_source || path.ends_with("tui/mod.rs"), "{}", path.display());
    });
}
