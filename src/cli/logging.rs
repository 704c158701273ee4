//! Log lines on standard error: warnings of this program and errors of its libraries, or what `LARDER_LOG` asks for
//! (`LARDER_LOG=larder=debug`).

use tracing_subscriber::EnvFilter;

/// Starts logging; called once, and never before the browser, whose screen it would tear.
pub(crate) fn start() {
    // A certificate that is refused is told once, by whoever asked.
    let filter = EnvFilter::try_from_env("LARDER_LOG").unwrap_or_else(|_| EnvFilter::new("error,larder=warn,rustls_platform_verifier=off"));
    // Fails only if somebody who embeds this crate logs already, which is as good.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // What is written to a file or a collector has no colours.
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        .without_time()
        .compact()
        .try_init();
}
