//! `name=value` on the command line, for features, tags and parameters.

/// Splits `name=value` at its first `=`; the value may be empty and may hold further `=`.
pub(crate) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("a name is missing before '='".to_owned()),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("write it as name=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_first_sign_only() {
        assert_eq!(parse_pair("team=growth"), Ok(("team".into(), "growth".into())));
        assert_eq!(parse_pair("formula=a=b"), Ok(("formula".into(), "a=b".into())));
        assert_eq!(parse_pair("empty="), Ok(("empty".into(), String::new())));
        assert!(parse_pair("=x").is_err());
        assert!(parse_pair("novalue").is_err());
    }
}
