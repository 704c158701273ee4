//! A server that runs for months gives memory back.
//!
//! glibc keeps a heap for each thread that was busy, up to eight for each core, and what a drain or a merge of files freed in one of them
//! stays there unused: a server under load held three times what it needed. How many heaps there are it reads from the environment when
//! a process starts and never again, so the server starts once more with the answer in place, before it has opened anything.
//! Other verbs are over before this matters.

/// Starts this very command again with two heaps, unless the environment says how many there are. Returns if that is so, or can't be done.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn share_heaps() {
    use std::os::unix::process::CommandExt;

    const HEAPS: &str = "MALLOC_ARENA_MAX";
    if std::env::var_os(HEAPS).is_some() {
        return;
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "larder".into());
    let Ok(program) = std::env::current_exe() else { return };
    let mut again = std::process::Command::new(program);
    again.arg0(name).args(arguments).env(HEAPS, "2");
    if std::env::var_os("MALLOC_TRIM_THRESHOLD_").is_none() {
        again.env("MALLOC_TRIM_THRESHOLD_", "1000000");
    }
    let error = again.exec();
    tracing::debug!(%error, "the server keeps the usual number of heaps");
}

/// Other allocators give memory back by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn share_heaps() {}
