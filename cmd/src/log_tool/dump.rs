//! `atoll log dump`: effects in the order of the log, those that the filters let through.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use engine::effect::batch::{Batch, BatchKind};
use engine::effect::{Effect, Op};
use engine::glob;
use engine::log::LogPosition;
use engine::log::inspect::{Found, Place, Survey, kind_name, survey, survey_file};
use proto::EffectId;

use super::args::DumpArgs;
use super::{Access, Out, ToolError, effect_json, effect_line, exit_code, line, open, text};
use crate::os_disk::OsDisk;
use crate::settle::StartError;

pub fn run(args: &DumpArgs, out: &mut Out<'_>) -> Result<u8, ToolError> {
    let mut dump = Dump {
        args,
        key: args.key.as_deref().map(text::unescaped),
        out,
        left: args.limit.unwrap_or(u64::MAX),
    };
    let mut failed = None;
    let mut visit = |found: Found<'_>| match dump.note(found) {
        Ok(flow) => flow,
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    };
    let survey = match &args.file {
        Some(path) => file(path, &mut visit)?,
        None => survey(&open(&args.directory.data_dir, Access::Read)?, &mut visit)?,
    };
    failed.map_or(Ok(()), Err)?;
    Ok(exit_code(&survey))
}

fn file(path: &Path, visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>) -> Result<Survey, ToolError> {
    let missing = || StartError::Config(format!("{}: there is no such file", path.display()));
    let name =
        path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file()).ok_or_else(missing)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(survey_file(&OsDisk::bare(dir, Access::Read), name, visit)?)
}

struct Dump<'d, 'o> {
    args: &'d DumpArgs,
    key: Option<Vec<u8>>,
    out: &'d mut Out<'o>,
    left: u64,
}

impl Dump<'_, '_> {
    fn note(&mut self, found: Found<'_>) -> io::Result<ControlFlow<()>> {
        if self.left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        match found {
            Found::Batch { place, batch } if batch.header.kind == BatchKind::Effects => {
                for (id, effect) in batch.effects().map_while(Result::ok) {
                    if self.wants(id, &effect) {
                        self.effect(place, &batch, id, &effect)?;
                        if self.left == 0 {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                }
            }
            Found::Batch { place, batch } if self.args.all => self.bookkeeping(place, &batch)?,
            Found::Mark { place, synced } if self.args.all => self.mark(place, synced)?,
            Found::Finding(finding) => eprintln!("{}", line(finding)),
            Found::Segment { .. } | Found::Batch { .. } | Found::Mark { .. } => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn wants(&self, id: EffectId, effect: &Effect<'_>) -> bool {
        let args = self.args;
        let keyed = !matches!(effect.op, Op::Flush { .. } | Op::SwapDb { .. } | Op::Bind { .. } | Op::Noop);
        let ms = effect.hlc.ms();
        self.key.as_ref().is_none_or(|key| keyed && effect.key == key.as_slice())
            && args.pattern.as_ref().is_none_or(|p| keyed && glob::matches(p.as_bytes(), effect.key))
            && args.node.is_none_or(|node| id.node == node)
            && args.db.is_none_or(|db| keyed && effect.db == db)
            && args.from.is_none_or(|from| ms >= from)
            && args.to.is_none_or(|to| ms < to)
            && (args.kind.is_empty() || args.kind.iter().any(|kind| kind == kind_name(&effect.op)))
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        self.left -= 1;
        writeln!(self.out, "{text}")
    }

    fn effect(
        &mut self,
        place: Place<'_>,
        batch: &Batch<'_>,
        id: EffectId,
        effect: &Effect<'_>,
    ) -> io::Result<()> {
        let full = self.args.full;
        let text = match self.args.json {
            true => effect_json::effect(place, batch, id, effect, full).to_string(),
            false => effect_line::effect(place, id, effect, full),
        };
        self.print(&text)
    }

    fn bookkeeping(&mut self, place: Place<'_>, batch: &Batch<'_>) -> io::Result<()> {
        let text = match self.args.json {
            true => effect_json::bookkeeping(place, batch).to_string(),
            false => effect_line::bookkeeping(place, batch),
        };
        self.print(&text)
    }

    fn mark(&mut self, place: Place<'_>, synced: LogPosition) -> io::Result<()> {
        let text = match self.args.json {
            true => effect_json::mark(place, synced).to_string(),
            false => format!("{} sync mark: durable up to position {synced}", effect_line::place(place)),
        };
        self.print(&text)
    }
}
