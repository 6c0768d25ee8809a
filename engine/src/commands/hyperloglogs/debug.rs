//! PFDEBUG, PFSELFTEST.

use std::fmt::Write;

use proto::resp::Replies;

use super::{refusal, registers};
use crate::commands::args::is;
use crate::core::Unit;
use crate::effect::{Op, RegistersOp};
use crate::hyperloglog::{self, REGISTERS};
use crate::refusal::Refusal;

/// Elements of the self test, and the error it allows: six times the standard one.
const TESTED: u64 = 100_000;
const ERROR_MAX: f64 = 6.0 * 1.04 / 128.0;

pub fn pfdebug(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let [_, word, name] = args else { return Err(Refusal::Arity("pfdebug".into())) };
    let key = unit.key(name);
    let Some(bytes) = unit.string(&key)? else {
        return Err(Refusal::Text("ERR The specified key does not exist"));
    };
    let form = hyperloglog::form(bytes).map_err(refusal)?;
    match () {
        () if is(word, "encoding") => reply.simple(form),
        () if is(word, "decode") => {
            let ranks = registers(unit, &key)?.unwrap_or_default();
            if form == "dense" {
                return Err(Refusal::Text("ERR HLL encoding is not sparse"));
            }
            reply.bulk(runs(&ranks).as_bytes());
        }
        () if is(word, "getreg") => {
            let ranks = registers(unit, &key)?.unwrap_or_default();
            // As Redis, reading the registers makes the value dense.
            if form == "sparse" {
                unit.emit(&key, Op::Registers(RegistersOp { dense: true, ranks: Vec::new() }));
            }
            reply.array(REGISTERS);
            ranks.iter().for_each(|rank| reply.integer(i64::from(*rank)));
        }
        () if is(word, "todense") => {
            registers(unit, &key)?;
            if form == "sparse" {
                unit.emit(&key, Op::Registers(RegistersOp { dense: true, ranks: Vec::new() }));
            }
            reply.integer(i64::from(form == "sparse"));
        }
        () => {
            let word = String::from_utf8_lossy(word).into_owned();
            return Err(Refusal::Quoted(format!("ERR Unknown PFDEBUG subcommand '{word}'")));
        }
    }
    Ok(())
}

/// Runs as `Z:length` up to 64 zeros, `X:length` above, `v:rank,length` of others up to 4.
fn runs(ranks: &[u8]) -> String {
    let mut out = String::new();
    for run in ranks.chunk_by(|a, b| a == b) {
        // Writing to a string does not fail.
        let _ = match (run[0], run.len()) {
            (0, len @ ..=64) => write!(out, "z:{len} "),
            (0, len) => write!(out, "Z:{len} "),
            (rank, _) => run.chunks(4).try_for_each(|part| write!(out, "v:{rank},{} ", part.len())),
        };
    }
    out.pop();
    out
}

pub fn pfselftest(_: &mut Unit<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut ranks = vec![0; REGISTERS];
    for n in 1..=TESTED {
        let (register, rank) = hyperloglog::place(&n.to_le_bytes());
        let kept = &mut ranks[usize::from(register)];
        *kept = rank.max(*kept);
        if n.is_power_of_two() || n == TESTED {
            let error = (hyperloglog::estimate(&ranks) as f64 - n as f64).abs();
            if error > (n as f64 * ERROR_MAX).ceil() {
                return Err(Refusal::Quoted(format!(
                    "ERR TESTFAILED Too big error. card:{n} abserr:{error}"
                )));
            }
        }
    }
    reply.ok();
    Ok(())
}
