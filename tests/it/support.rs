//! What stories of several files share.

use std::path::PathBuf;

/// A file of real data, if this machine has it: `LARDER_TEST_DATA` names the folder. Says so where a test is skipped.
pub fn test_data(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("LARDER_TEST_DATA") else {
        eprintln!("skipped: LARDER_TEST_DATA does not name a folder with {name}");
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    assert!(path.exists(), "LARDER_TEST_DATA has no {name}");
    Some(path)
}
