//! A set's members, compact while small.

/// Distinct byte strings. Encodings as OBJECT ENCODING of Redis 7.0 names them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SetValue {
    members: std::collections::BTreeSet<Box<[u8]>>,
}

impl SetValue {
    pub fn from_members<'a>(members: impl Iterator<Item = &'a [u8]>) -> Self {
        SetValue { members: members.map(Into::into).collect() }
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        self.members.contains(member)
    }

    /// True when it was not there.
    pub fn insert(&mut self, member: &[u8]) -> bool {
        self.members.insert(member.into())
    }

    /// True when it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.members.remove(member)
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.members.iter().map(|m| &m[..])
    }
}
