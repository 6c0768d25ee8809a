//! What an effect does to a stream where it saw everything.

use super::{StreamId, StreamValue};
use crate::effect::StreamOp;
use crate::merge::elements::{Change, show_part};
use crate::merge::streams;

impl StreamValue {
    /// Folds an effect that saw all of the stream.
    pub fn fold(&mut self, op: &StreamOp<'_>) {
        match op {
            StreamOp::Add { id, fields, upto } => {
                if id > upto {
                    self.put(*id, fields);
                }
                if *upto > StreamId::MIN {
                    self.trim(*upto);
                }
                self.marks.last = self.marks.last.max(*id);
                self.marks.added = self.marks.added.saturating_add(1);
                self.marks.made = true;
            }
            StreamOp::Trim { upto } => self.trim(*upto),
            StreamOp::GroupDrop { group } => self.remove_span(super::Span::Group(group)),
            StreamOp::Deliver(deliver) => {
                let group = self.group_mut(deliver.group);
                if let Some(advance) = &deliver.advance {
                    group.advance(&advance.cursor, |read| advance.read.apply(read));
                }
                group.register(deliver.consumer, deliver.seen_ms);
                for (id, count) in deliver.entries.iter() {
                    group.put_pending(id, deliver.consumer, count, deliver.time_ms);
                }
            }
            StreamOp::Ack { group, ids } => self.change_group(group, |group| {
                ids.iter().for_each(|id| _ = group.remove_pending(id));
            }),
            op => {
                if let StreamOp::GroupSet { group, fresh: true, .. } = op {
                    self.remove_span(super::Span::Group(group));
                }
                streams::each_change(op, &mut |name, change| match change {
                    Change::Remove | Change::Lapse(_) => self.remove_part(name),
                    Change::Write(write) => show_part(self, name, &write),
                });
            }
        }
    }
}
