//! `--ascii`: every sign of ours as one of the ninety-five characters that any terminal and any font has.
//!
//! It is the last step of a frame, so no view has to know. Only our own signs are replaced; names and values stay as they are, since
//! they would mean something else. Each replacement is as wide as what it replaces.

/// The plain character that stands for a sign.
pub(crate) fn plain(symbol: &str) -> Option<&'static str> {
    Some(match symbol {
        "✓" => "+",
        "▲" | "△" => "!",
        "✖" | "✗" => "x",
        "∅" => "_",
        "▌" | "›" | "▶" | "▸" | "▷" | "◂" | "◀" => ">",
        "│" | "┃" | "┆" | "┊" | "║" => "|",
        "─" | "━" | "╌" | "┄" | "═" | "–" | "—" => "-",
        "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" | "╭" | "╮" | "╰" | "╯" | "╫" | "╪" => "+",
        "●" | "◉" | "◆" => "*",
        "○" | "◌" | "◇" => "o",
        "·" | "…" | "▁" => ".",
        "▂" => ":",
        "▃" => "-",
        "▄" => "=",
        "▅" => "+",
        "▆" => "*",
        "▇" => "#",
        "█" | "▉" | "▊" | "▋" => "@",
        "▍" | "▎" | "▏" | "▐" | "▕" => "|",
        "░" => ".",
        "▒" => ":",
        "▓" => "#",
        "≈" => "~",
        "≤" => "<",
        "≥" => ">",
        "±" => "~",
        "×" => "x",
        "↑" => "^",
        "↓" => "v",
        "←" => "<",
        "→" => ">",
        "↵" => "<",
        "⇄" => "=",
        "↻" => "@",
        "⌫" => "<",
        "⠋" | "⠸" => "|",
        "⠙" | "⠼" => "/",
        "⠹" | "⠴" => "-",
        "⠦" | "⠧" => "\\",
        "−" => "-",
        // What a character of no use was replaced with.
        "\u{fffd}" => "?",
        "µ" => "u",
        "σ" => "s",
        "Δ" => "d",
        "′" => "'",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;

    #[test]
    fn every_sign_has_a_plain_one_of_the_same_width() {
        let signs = [sign::GOOD, sign::WATCH, sign::BAD, sign::NULL, sign::FOCUS, sign::STEP, sign::RULE, sign::THUMB, sign::MARK];
        for sign in signs.into_iter().chain(sign::SPINNER).chain(["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]) {
            let plain = plain(sign);
            assert!(plain.is_some_and(|plain| plain.len() == 1 && plain.is_ascii()), "{sign}");
        }
        let blocks: Vec<_> = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"].into_iter().filter_map(plain).collect();
        assert_eq!(blocks.concat(), ".:-=+*#@", "levels stay in order");
    }
}
