//! What clap has to say, in this program's voice: one line with the remedy instead of a paragraph.

use clap::error::ErrorKind as ClapKind;

use super::console::Console;
use super::exit::{Exit, Failure, Verdict};
use crate::model::Error;

/// Prints help and version texts, and turns every other complaint into a usage error.
pub(crate) fn answer(error: &clap::Error, console: &mut Console) -> Verdict {
    match error.kind() {
        ClapKind::DisplayHelp | ClapKind::DisplayVersion | ClapKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let rendered = error.render();
            let text = if console.coloured() { rendered.ansi().to_string() } else { rendered.to_string() };
            console.line(text.trim_end())?;
            Ok(Exit::Done)
        }
        _ => Err(Failure::Error(one_line(&error.render().to_string()))),
    }
}

/// Reads clap's paragraphs: `error: what`, `tip: remedy`, `Usage: …`.
fn one_line(rendered: &str) -> Error {
    let mut what = String::new();
    let mut remedies: Vec<String> = Vec::new();
    let mut verb = String::new();
    for paragraph in rendered.split("\n\n") {
        let joined = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(text) = joined.strip_prefix("error: ") {
            what = text.trim_end_matches(':').to_owned();
        } else if let Some(text) = joined.strip_prefix("tip: ") {
            remedies.extend(text.split(" tip: ").map(str::to_owned));
        } else if let Some(usage) = joined.strip_prefix("Usage: ") {
            verb = usage
                .split(' ')
                .take_while(|word| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-') && !word.starts_with('-'))
                .collect::<Vec<_>>()
                .join(" ");
        }
    }
    let verb = if verb.is_empty() { "larder" } else { &verb };
    remedies.push(format!("see '{verb} --help'"));
    Error::usage(what).remedy(remedies.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_one_line() {
        let rendered = "error: unrecognized subcommand 'lst'\n\n  tip: a similar subcommand exists: 'list'\n\nUsage: larder [OPTIONS] [COMMAND]\n\nFor more information, try '--help'.\n";
        assert_eq!(
            one_line(rendered).to_string(),
            "unrecognized subcommand 'lst'; a similar subcommand exists: 'list', see 'larder --help'"
        );
        let rendered = "error: the following required arguments were not provided:\n  <GROUP>\n  <ID>\n\nUsage: larder get <GROUP> <ID>\n\nFor more information, try '--help'.\n";
        assert_eq!(
            one_line(rendered).to_string(),
            "the following required arguments were not provided: <GROUP> <ID>; see 'larder get --help'"
        );
    }
}
