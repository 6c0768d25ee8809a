//! A set's members, compact while small.

/// Distinct byte strings. Encodings as OBJECT ENCODING of Redis 7.0 names them.
#[derive(Clone, Debug, Default)]
pub struct SetValue {
    members: Vec<Box<[u8]>>,
}

impl SetValue {
    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
