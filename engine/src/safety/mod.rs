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

/// Most members whose word a rule may ask for.
const ACKS_MAX: u32 = 255;

/// One rule: keys matching the glob pattern have the mode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangeRule {
    pub pattern: Vec<u8>,
    pub mode: Mode,
    /// A write is answered once so many other members hold it.
    pub acks: u32,
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
    #[error("rule '{rule}' has the unknown option '{option}': there is 'acks=N', N from 1 to {ACKS_MAX}")]
    UnknownOption { rule: String, option: String },
    #[error("rule '{0}' asks for acks of a safe range: its writes are answered once a quorum has them")]
    SafeAcks(String),
}

impl RangeRule {
    /// Reads `pattern=mode` or `pattern=unsafe,acks=N`; the last `=` before a mode separates.
    pub fn parse(text: &str) -> Result<RangeRule, RuleError> {
        let rule = || text.to_owned();
        let mode_of = |rest: &str| Mode::parse(rest.split(',').next().unwrap_or_default());
        let splits = || text.match_indices('=').map(|(at, _)| (&text[..at], &text[at + 1..]));
        let Some((pattern, rest)) = splits().rfind(|(_, rest)| mode_of(rest).is_some()) else {
            return Err(match splits().next_back() {
                None => RuleError::NoMode(rule()),
                Some((_, mode)) => RuleError::UnknownMode { rule: rule(), mode: mode.into() },
            });
        };
        if pattern.is_empty() {
            return Err(RuleError::NoPattern(rule()));
        }
        let (mode, mut acks) = (mode_of(rest).unwrap_or_default(), 0);
        for option in rest.split(',').skip(1) {
            let count = option.strip_prefix("acks=").and_then(|n| n.parse().ok());
            let unknown = || RuleError::UnknownOption { rule: rule(), option: option.into() };
            acks = count.filter(|n| (1..=ACKS_MAX).contains(n)).ok_or_else(unknown)?;
        }
        if mode == Mode::Safe && acks > 0 {
            return Err(RuleError::SafeAcks(rule()));
        }
        Ok(RangeRule { pattern: pattern.as_bytes().to_vec(), mode, acks })
    }
}

impl fmt::Display for RangeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", String::from_utf8_lossy(&self.pattern), self.mode.name())?;
        if self.acks > 0 { write!(f, ",acks={}", self.acks) } else { Ok(()) }
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

    /// How many other members must hold a write of this key before it is answered.
    pub fn acks_for_key(&self, key: &[u8]) -> u32 {
        self.rules.iter().find(|r| glob::matches(&r.pattern, key)).map_or(0, |r| r.acks)
    }

    /// The most that any rule asks for.
    pub fn acks_max(&self) -> u32 {
        self.rules.iter().map(|r| r.acks).max().unwrap_or(0)
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

    #[test]
    fn a_rule_may_ask_for_the_word_of_other_members() {
        let rules = ["cart:=*=unsafe,acks=2", "cart*=unsafe"].map(|r| RangeRule::parse(r).unwrap()).to_vec();
        assert_eq!(rules[0].to_string(), "cart:=*=unsafe,acks=2");
        let rules = RangeRules { default: Mode::Unsafe, rules };
        assert_eq!(
            (rules.acks_for_key(b"cart:=1"), rules.acks_for_key(b"cart1"), rules.acks_max()),
            (2, 0, 2)
        );
        for bad in ["a=unsafe,acks=0", "a=unsafe,acks=x", "a=unsafe,ack=1", "a=unsafe,", "a=unsafe,acks=256"]
        {
            assert!(matches!(RangeRule::parse(bad), Err(RuleError::UnknownOption { .. })), "{bad}");
        }
        assert!(matches!(RangeRule::parse("a=safe,acks=1"), Err(RuleError::SafeAcks(_))));
        assert!(matches!(RangeRule::parse("a=maybe,acks=1"), Err(RuleError::UnknownMode { .. })));
    }
}
