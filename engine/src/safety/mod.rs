//! Range rules: what a partition means for a key.

use std::fmt;

use crate::glob;

/// What happens to a range when the cluster is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Ordered by quorum; the minority refuses.
    #[default]
    Safe,
    /// Always on; merges later.
    Unsafe,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Safe => "safe",
            Mode::Unsafe => "unsafe",
        }
    }

    /// Reads `safe` or `unsafe`.
    pub fn parse(text: &str) -> Option<Mode> {
        match text {
            "safe" => Some(Mode::Safe),
            "unsafe" => Some(Mode::Unsafe),
            _ => None,
        }
    }
}

/// One rule: keys matching the glob pattern have the mode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangeRule {
    pub pattern: Vec<u8>,
    pub mode: Mode,
}

/// Why a rule could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RuleError {
    #[error("rule '{0}' has no '=': write 'pattern=safe' or 'pattern=unsafe'")]
    NoMode(String),
    #[error("rule '{0}' has an empty pattern: use '*' for every key")]
    NoPattern(String),
    #[error("rule '{rule}' has the unknown mode '{mode}': it is 'safe' or 'unsafe'")]
    UnknownMode { rule: String, mode: String },
}

impl RangeRule {
    /// Reads `pattern=mode`; the last `=` separates.
    pub fn parse(text: &str) -> Result<RangeRule, RuleError> {
        let (pattern, mode) = text.rsplit_once('=').ok_or_else(|| RuleError::NoMode(text.into()))?;
        if pattern.is_empty() {
            return Err(RuleError::NoPattern(text.into()));
        }
        let unknown = || RuleError::UnknownMode { rule: text.into(), mode: mode.into() };
        Ok(RangeRule { pattern: pattern.as_bytes().to_vec(), mode: Mode::parse(mode).ok_or_else(unknown)? })
    }
}

impl fmt::Display for RangeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", String::from_utf8_lossy(&self.pattern), self.mode.name())
    }
}

/// Rules in order, and what holds where none matches.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RangeRules {
    pub default: Mode,
    pub rules: Vec<RangeRule>,
}

impl RangeRules {
    /// The mode of a key: the first rule that matches decides.
    pub fn mode_for_key(&self, key: &[u8]) -> Mode {
        self.rules.iter().find(|r| glob::matches(&r.pattern, key)).map_or(self.default, |r| r.mode)
    }

    /// The first rule (or the default) that asks for quorum order; `None` when all merge.
    pub fn first_safe(&self) -> Option<String> {
        let rule = self.rules.iter().find(|r| r.mode == Mode::Safe).map(|r| format!("rule '{r}'"));
        rule.or_else(|| (self.default == Mode::Safe).then(|| "the default mode 'safe'".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_matching_rule_decides() {
        let rules = ["cart:*=unsafe", "*=safe"].map(|r| RangeRule::parse(r).unwrap()).to_vec();
        let rules = RangeRules { default: Mode::Unsafe, rules };
        assert_eq!(rules.mode_for_key(b"cart:1"), Mode::Unsafe);
        assert_eq!(rules.mode_for_key(b"stock:1"), Mode::Safe);
        assert_eq!(rules.first_safe().as_deref(), Some("rule '*=safe'"));
    }

    #[test]
    fn malformed_rules_are_named() {
        assert!(matches!(RangeRule::parse("cart"), Err(RuleError::NoMode(_))));
        assert!(matches!(RangeRule::parse("=safe"), Err(RuleError::NoPattern(_))));
        assert!(matches!(RangeRule::parse("a=b=maybe"), Err(RuleError::UnknownMode { .. })));
        assert_eq!(RangeRule::parse("a=b=safe").unwrap().pattern, b"a=b");
    }
}
