//! `atoll log stat`: what the log adds up to.

use std::io::{self, Write};
use std::ops::ControlFlow;

use engine::log::inspect::{Found, Survey, Tally, survey};
use serde_json::{Value, json};

use super::args::StatArgs;
use super::text::count;
use super::{Access, Out, ToolError, exit_code, line, open, time};

pub fn run(args: &StatArgs, out: &mut Out<'_>) -> Result<u8, ToolError> {
    let disk = open(&args.directory.data_dir, Access::Read)?;
    let (mut tally, mut sync_marks) = (Tally::default(), 0);
    let survey = survey(&disk, &mut |found| {
        match found {
            Found::Batch { batch, .. } => tally.note(&batch),
            Found::Mark { .. } => sync_marks += 1,
            Found::Finding(finding) => eprintln!("{}", line(finding)),
            Found::Segment { .. } => {}
        }
        ControlFlow::Continue(())
    })?;
    if args.json {
        writeln!(out, "{}", as_json(&survey, &tally, sync_marks))?;
    } else {
        as_text(out, &survey, &tally, sync_marks)?;
    }
    Ok(exit_code(&survey))
}

fn as_json(survey: &Survey, tally: &Tally, sync_marks: u64) -> Value {
    let identity = survey.identity.as_ref();
    let origins: Vec<Value> = tally
        .origins
        .iter()
        .map(|(node, o)| {
            json!({
                "node": node.to_string(),
                "first": o.first.0,
                "last": o.last.0,
                "batches": o.batches,
                "effects": o.effects,
            })
        })
        .collect();
    json!({
        "directory": identity.map(|i| format!("{:016x}", i.directory)),
        "incarnations": identity.map(|i| i.nodes.iter().map(ToString::to_string).collect::<Vec<_>>()),
        "clean": survey.clean,
        "damages": survey.damages + survey.newer,
        "checkpoint": survey.checkpoint.as_ref().map(|c| json!({
            "number": c.number,
            "taken": time::format(c.taken_ms),
            "entries": c.entries,
            "files": c.files,
            "file_bytes": c.file_bytes,
            "live_bytes": c.live_bytes,
            "log_from": c.from.0,
            "log_durable": c.durable.0,
            "first_segment": c.first_segment,
        })),
        "segments": survey.segments,
        "bytes": survey.bytes,
        "start": survey.start.0,
        "end": survey.end.0,
        "batches": tally.batches,
        "effects": tally.effects,
        "largest_batch_bytes": tally.largest_batch_bytes,
        "sync_marks": sync_marks,
        "stable_marks": tally.stable_marks,
        "member_lists": tally.member_lists,
        "from": tally.times_ms.map(|t| time::format(t.0)),
        "to": tally.times_ms.map(|t| time::format(t.1)),
        "from_ms": tally.times_ms.map(|t| t.0),
        "to_ms": tally.times_ms.map(|t| t.1),
        "kinds": tally.kinds,
        "origins": origins,
    })
}

fn as_text(out: &mut Out<'_>, survey: &Survey, tally: &Tally, sync_marks: u64) -> io::Result<()> {
    match &survey.identity {
        Some(identity) => {
            let nodes: Vec<String> = identity.nodes.iter().map(ToString::to_string).collect();
            writeln!(out, "directory      {:016x}", identity.directory)?;
            writeln!(out, "incarnations   {} ({})", nodes.len(), nodes.join(" "))?;
        }
        None => writeln!(out, "directory      unknown")?,
    }
    writeln!(out, "clean stop     {}", if survey.clean { "yes" } else { "no" })?;
    match &survey.checkpoint {
        Some(c) => {
            writeln!(out, "checkpoint     {}, taken {}", c.number, time::format(c.taken_ms))?;
            let (entries, files) = (count(c.entries, "key"), count(c.files, "file"));
            writeln!(
                out,
                "  {entries} in {files} of {} bytes, {} of them in use",
                c.file_bytes, c.live_bytes
            )?;
            writeln!(out, "  the log is needed from position {} on", c.from)?;
        }
        None => writeln!(out, "checkpoint     none")?,
    }
    writeln!(out, "segments       {}", survey.segments)?;
    writeln!(out, "bytes          {}", survey.bytes)?;
    writeln!(out, "positions      {} to {}", survey.start, survey.end)?;
    writeln!(out, "batches        {}", tally.batches)?;
    writeln!(out, "largest batch  {} bytes", tally.largest_batch_bytes)?;
    writeln!(
        out,
        "bookkeeping    {}, {}, {}",
        count(sync_marks, "sync mark"),
        count(tally.stable_marks, "stable mark"),
        count(tally.member_lists, "member list")
    )?;
    if let Some((from, to)) = tally.times_ms {
        writeln!(out, "time           {} to {}", time::format(from), time::format(to))?;
    }
    writeln!(out, "effects        {}", tally.effects)?;
    for (kind, count) in &tally.kinds {
        writeln!(out, "  {kind:<12} {count}")?;
    }
    writeln!(out, "origins        {}", tally.origins.len())?;
    for (node, o) in &tally.origins {
        writeln!(
            out,
            "  {node}  seq {} to {}, {} in {}",
            o.first,
            o.last,
            count(o.effects, "effect"),
            count(o.batches, "batch")
        )?;
    }
    Ok(())
}
