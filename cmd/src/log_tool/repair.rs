//! `atoll log repair`: says what would be cut, and with `--yes` cuts it. What is cut is kept beside the log.

use std::io::{self, Write};
use std::path::Path;

use engine::log::LogError;
use engine::log::inspect::{RepairError, RepairPlan, apply, plan};

use super::args::RepairArgs;
use super::text::count;
use super::{Access, DAMAGED, Out, SOUND, ToolError, open};
use crate::os_disk::OsDisk;
use crate::process;
use crate::settle::StartError;

pub fn run(args: &RepairArgs, out: &mut Out<'_>) -> Result<u8, ToolError> {
    let dir = &args.directory.data_dir;
    let disk = open(dir, if args.yes { Access::Write } else { Access::Read })?;
    let refused = |source| ToolError::Repair { dir: dir.display().to_string(), source };
    let plan = plan(&disk, &mut process::random_id).map_err(|error| match error {
        RepairError::Log(LogError::Disk(error)) => ToolError::Disk(error),
        other => refused(other),
    })?;
    if plan.is_empty() {
        writeln!(out, "{}: sound: there is nothing to repair", dir.display())?;
        return Ok(SOUND);
    }
    describe(out, &plan)?;
    if !args.yes {
        writeln!(out, "nothing was changed: give --yes to do this")?;
        return Ok(DAMAGED);
    }
    // What is going to happen is on the screen before it happens.
    out.flush()?;
    let side = dir.join(format!("repaired-{}", process::now_ms()));
    create(&side)?;
    apply(&disk, &OsDisk::bare(&side, Access::Write), &plan, process::random_id()).map_err(refused)?;
    writeln!(out, "repaired; what was cut is in {}", side.display())?;
    writeln!(out, "read it with: atoll log dump --file {}/FILE", side.display())?;
    Ok(SOUND)
}

/// A directory that was there already holds what another repair kept.
fn create(side: &Path) -> Result<(), ToolError> {
    let what = format!("creating {}", side.display());
    Ok(std::fs::create_dir(side).map_err(StartError::io(what))?)
}

fn describe(out: &mut Out<'_>, plan: &RepairPlan) -> io::Result<()> {
    if let Some(cut) = plan.cut {
        writeln!(out, "the log ends at segment {}, byte {}", cut.number, cut.offset)?;
        let segments = count(plan.segments.len() as u64, "segment");
        writeln!(out, "cut, and put aside before that: {} of {segments}", count(plan.cut_bytes, "byte"))?;
        let tally = &plan.cut_tally;
        let batches = count(tally.batches, "batch");
        writeln!(out, "of them still readable: {} in {batches}", count(tally.effects, "effect"))?;
        for (node, o) in &tally.origins {
            let batches = count(o.batches, "batch");
            writeln!(
                out,
                "  {node}  seq {} to {}, {} in {batches}",
                o.first,
                o.last,
                count(o.effects, "effect")
            )?;
        }
        writeln!(
            out,
            "other nodes that have these effects bring them back; without any they are lost to this node"
        )?;
    }
    if plan.begins {
        writeln!(out, "nothing of the log is left: it begins anew, empty")?;
    }
    if plan.moves_clean {
        writeln!(out, "CLEAN is put aside: it does not speak true; the next start claims a new incarnation")?;
    }
    if !plan.moves_checkpoint.is_empty() {
        let files = count(plan.moves_checkpoint.len() as u64, "file");
        writeln!(out, "the checkpoint is put aside, {files}: the next start reads the whole log instead")?;
    }
    if let Some(first) = plan.drops_below {
        writeln!(
            out,
            "segments below {first} are put aside: the checkpoint stands for them; a peer that still wants their effects \
             is refused"
        )?;
    }
    if let Some(rebuilt) = &plan.rebuilt {
        writeln!(
            out,
            "IDENTITY is written anew: directory {:016x}, {}: {}",
            rebuilt.identity.directory,
            count(rebuilt.identity.nodes.len() as u64, "incarnation"),
            rebuilt.why
        )?;
    }
    Ok(())
}
