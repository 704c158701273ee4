//! Who asks, and what they may do.
//!
//! A key may read, or read and write; it may be bound to groups by patterns. A key that is bound to groups reaches
//! records and definitions of these alone, and nothing that sees all groups at once: objects and SQL.

use std::sync::Arc;

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Look-ups, descriptions and queries.
    ReadOnly,
    /// Everything.
    #[default]
    ReadWrite,
}

/// Who asks.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The access key; none where signatures are not checked.
    pub access_key: Option<Arc<str>>,
    /// What it allows.
    pub role: Role,
    /// Patterns of group names it is bound to, in lower case, `*` for any text; empty for no bound.
    pub groups: Arc<[String]>,
}

impl Caller {
    /// True if they may change anything at all.
    pub fn may_write(&self) -> bool {
        self.role == Role::ReadWrite
    }

    /// True if no group is out of their reach.
    pub fn reaches_all_groups(&self) -> bool {
        self.groups.is_empty()
    }

    /// True if a group is within their reach.
    pub fn reaches(&self, group: &str) -> bool {
        self.groups.is_empty() || {
            let name = group.to_ascii_lowercase();
            self.groups.iter().any(|pattern| matches(pattern, &name))
        }
    }
}

/// True if `*` of a pattern can stand for texts such that the whole is `name`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_name() {
        for (pattern, name, is) in [
            ("orders", "orders", true),
            ("orders", "orders-2", false),
            ("orders*", "orders-2", true),
            ("*-features", "customer-features", true),
            ("*-features", "customer-features-2", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn a_bound_caller_reaches_its_groups_in_any_spelling() {
        let caller = Caller { groups: Arc::from(["customer-*".to_owned()]), ..Caller::default() };
        assert!(caller.reaches("Customer-Features") && !caller.reaches("orders") && !caller.reaches_all_groups());
        assert!(Caller::default().reaches("orders"));
    }
}
