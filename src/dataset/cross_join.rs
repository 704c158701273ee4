//! `CROSS JOIN b ON condition`, which the AWS client writes for its cross joins although SQL has no such form and Trino
//! refuses it. What can be meant is a join with that condition, so it is one here: the word CROSS is taken out.
//!
//! This is done to tokens, before parsing, because the parser doesn't know the form. A CROSS JOIN without condition
//! stays as it is.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

/// Takes CROSS out of every cross join that has a condition.
pub(super) fn without_conditional_crosses(tokens: &mut [TokenWithSpan]) {
    for at in 0..tokens.len() {
        if keyword(&tokens[at]) != Some(Keyword::CROSS) {
            continue;
        }
        let mut rest = tokens[at + 1..].iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
        let is_join = rest.next().is_some_and(|next| keyword(next) == Some(Keyword::JOIN));
        if is_join && is_condition_next(rest) {
            tokens[at].token = Token::Whitespace(Whitespace::Space);
        }
    }
}

fn keyword(token: &TokenWithSpan) -> Option<Keyword> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

/// Whether ON comes before anything that ends the join.
fn is_condition_next<'a>(tokens: impl Iterator<Item = &'a TokenWithSpan>) -> bool {
    let mut depth = 0usize;
    for token in tokens {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return false,
            Token::RParen => depth -= 1,
            Token::Comma | Token::SemiColon if depth == 0 => return false,
            _ if depth > 0 => {}
            _ => match keyword(token) {
                Some(Keyword::ON) => return true,
                Some(
                    Keyword::JOIN
                    | Keyword::CROSS
                    | Keyword::INNER
                    | Keyword::LEFT
                    | Keyword::RIGHT
                    | Keyword::FULL
                    | Keyword::NATURAL
                    | Keyword::WHERE
                    | Keyword::GROUP
                    | Keyword::HAVING
                    | Keyword::WINDOW
                    | Keyword::ORDER
                    | Keyword::LIMIT
                    | Keyword::UNION
                    | Keyword::INTERSECT
                    | Keyword::EXCEPT,
                ) => return false,
                _ => {}
            },
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    fn crosses_left(sql: &str) -> usize {
        let mut tokens = Tokenizer::new(&GenericDialect, sql).tokenize_with_location().unwrap();
        without_conditional_crosses(&mut tokens);
        tokens.iter().filter(|token| keyword(token) == Some(Keyword::CROSS)).count()
    }

    #[test]
    fn only_a_cross_join_with_its_own_condition_is_changed() {
        for (sql, left) in [
            ("select * from a cross join b on a.x = b.x", 0),
            ("select * from a CROSS\nJOIN (select * from b, c where (1 = 1)) as d ON a.x > d.x", 0),
            ("select * from a cross join b /* on */ on a.x = b.x cross join c", 1),
            ("select * from a cross join b", 1),
            ("select * from a cross join b join c on b.x = c.x", 1),
            ("select * from a cross join b left join c on b.x = c.x", 1),
            ("select * from (select * from a cross join b) c join d on c.x = d.x", 1),
            ("select * from a cross join b, c join d on c.x = d.x", 1),
            ("select * from a cross join b where exists (select 1 from c join d on c.x = d.x)", 1),
            ("select a.\"cross\" from a cross join \"join\" on true", 0),
        ] {
            assert_eq!(crosses_left(sql), left, "{sql}");
        }
    }
}
