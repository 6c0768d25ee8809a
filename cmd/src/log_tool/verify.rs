//! `atoll log verify`: every damage on a line of its own.

use std::io::Write;
use std::ops::ControlFlow;

use engine::log::inspect::{Found, survey};

use super::args::Directory;
use super::text::count;
use super::{Access, Out, ToolError, exit_code, line, open};

pub fn run(args: &Directory, out: &mut Out<'_>) -> Result<u8, ToolError> {
    let disk = open(&args.data_dir, Access::Read)?;
    let (mut batches, mut effects, mut failed) = (0u64, 0u64, None);
    let survey = survey(&disk, &mut |found| {
        match found {
            Found::Batch { batch, .. } => {
                (batches, effects) = (batches + 1, effects + u64::from(batch.header.count));
            }
            Found::Finding(finding) => {
                if let Err(error) = writeln!(out, "{}", line(finding)) {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            Found::Segment { .. } | Found::Mark { .. } => {}
        }
        ControlFlow::Continue(())
    })?;
    failed.map_or(Ok(()), Err)?;
    let verdict = match (survey.damages, survey.newer) {
        (0, 0) => "sound",
        (0, _) => "written by a newer version",
        _ => "damaged",
    };
    writeln!(
        out,
        "{}: {verdict}: {}, {}, {}, {}; {}, {}",
        args.data_dir.display(),
        count(survey.segments, "segment"),
        count(survey.bytes, "byte"),
        count(batches, "batch"),
        count(effects, "effect"),
        count(survey.damages + survey.newer, "damage"),
        count(survey.harmless, "note")
    )?;
    Ok(exit_code(&survey))
}
