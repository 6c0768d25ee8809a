//! One number for everything a node shows.

use proto::Frontier;

use super::Engine;
use crate::effect::Expiry;
use crate::state::value::ValueRef;

/// Digest of one key: what a client can see of it, nothing of how it came to be. `value` is shown as of the moment that counts.
pub fn key_digest(db: u32, key: &[u8], value: &ValueRef<'_>, expiry_ms: Option<u64>) -> u128 {
    let mut bytes = Vec::with_capacity(key.len() + 64);
    proto::varint::put(&mut bytes, u64::from(db));
    proto::varint::put_bytes(&mut bytes, key);
    proto::varint::put(&mut bytes, expiry_ms.unwrap_or(u64::MAX));
    match value {
        ValueRef::String(text) => {
            bytes.push(1);
            bytes.extend_from_slice(text);
        }
        ValueRef::Set(set) => {
            bytes.push(2);
            let mut members = set.to_vec();
            members.sort_unstable();
            members.iter().for_each(|m| proto::varint::put_bytes(&mut bytes, m));
        }
        ValueRef::Hash(hash) => {
            bytes.push(3);
            let mut pairs = Vec::with_capacity(hash.len());
            hash.for_each(|field, value| pairs.push((field, value)));
            pairs.sort_unstable();
            for (field, value) in pairs {
                proto::varint::put_bytes(&mut bytes, field);
                proto::varint::put_bytes(&mut bytes, value);
                if let Some(ms) = hash.end(field).and_then(Expiry::ms) {
                    bytes.extend_from_slice(&ms.to_le_bytes());
                }
            }
        }
        ValueRef::ZSet(zset) => {
            bytes.push(4);
            zset.for_each(|member, score| {
                // Equal scores are one, whatever their sign.
                bytes.extend_from_slice(&(score + 0.0).to_le_bytes());
                proto::varint::put_bytes(&mut bytes, member);
            });
        }
        ValueRef::List(list) => {
            bytes.push(5);
            list.values().for_each(|value| proto::varint::put_bytes(&mut bytes, value));
        }
        ValueRef::Stream(stream) => {
            bytes.push(6);
            stream.digest(&mut bytes);
        }
    }
    xxhash_rust::xxh3::xxh3_128(&bytes)
}

impl Engine {
    /// Everything shown here, and what is staged: it is in the log before a reply of this turn leaves.
    pub fn frontier_with_staged(&self) -> Frontier {
        let mut shown = self.shown.lock().clone();
        shown.advance(self.node, self.stage.lock().last());
        shown
    }

    /// Digest of every live key (order-independent sum), number of keys, and the frontier it was taken at. Takes everything.
    pub fn digest(&self, now_ms: u64) -> (u128, u64, Frontier) {
        self.digest_of(now_ms, &|_| true)
    }

    /// The same of the keys that `counts` names.
    pub fn digest_of(&self, now_ms: u64, counts: &dyn Fn(&[u8]) -> bool) -> (u128, u64, Frontier) {
        let _apply = self.apply.lock();
        let mut shards: Vec<_> = self.shards.iter().map(|s| s.lock()).collect();
        let mut shown = self.shown.lock().clone();
        shown.advance(self.node, self.stage.lock().last());
        let (mut sum, mut keys) = (0u128, 0);
        // Clients see databases by their own numbers.
        let mut client_db = vec![0; self.databases.len()];
        for client in 0..self.databases() {
            client_db[self.physical(client) as usize] = client;
        }
        for shard in &mut shards {
            for (db, part) in shard.parts() {
                part.table.for_each(|mut entry| {
                    if !entry.show_at(now_ms) || !counts(entry.key()) {
                        return;
                    }
                    if let Some(value) = entry.value() {
                        let db = client_db[db as usize];
                        sum = sum.wrapping_add(key_digest(db, entry.key(), &value, entry.expiry().ms()));
                        keys += 1;
                    }
                });
            }
        }
        (sum, keys, shown)
    }
}
