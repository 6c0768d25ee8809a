//! `docs/commands.md` tells of every command what the command table says: name, arity, flags, keys.
//!
//! The remaining columns (effect, notes) are written by hand. A failure prints the rows that belong into the document, with
//! what it has in those columns now.

use std::collections::BTreeMap;

use engine::commands;
use engine::commands::CommandSpec;
use engine::commands::spec::{FindKeys, KeySpec};
use tests::server::workspace_dir;

/// Which arguments are keys: `1`, `1 2`, `1…`, `2… (1 of 2)`, or how many are counted where.
fn keys(spec: &KeySpec) -> String {
    let begin = spec.begin;
    match spec.find {
        FindKeys::Range { last: 0, .. } => begin.to_string(),
        FindKeys::Range { last: -2, .. } => format!("{begin}… but the last"),
        FindKeys::Range { last: -1, step: 1, .. } => format!("{begin}…"),
        FindKeys::Range { last: -1, step, .. } => format!("{begin}… (1 of {step})"),
        FindKeys::Range { last, .. } => format!("{begin}…{}", begin as i64 + i64::from(last)),
        FindKeys::Counted { count_at, first, .. } => {
            format!("{}… (count at {})", begin + first, begin + count_at)
        }
        FindKeys::FirstHalf { word } => format!("first half after `{}`", word.to_uppercase()),
        FindKeys::After { word } => format!("after `{}`", word.to_uppercase()),
        FindKeys::Unknown { word: "", .. } => "named by what is sorted".into(),
        FindKeys::Unknown { word, .. } => format!("after `{}`", word.to_uppercase()),
    }
}

/// The first columns of a command's row.
fn told(spec: &CommandSpec, container: Option<&CommandSpec>) -> [String; 4] {
    let name = container.map_or(String::new(), |c| format!("{} ", c.name)) + spec.name;
    let flags: Vec<&str> = spec.flags.names().collect();
    let keys: Vec<String> = spec.keys.iter().map(keys).collect();
    let name = format!("`{}`", name.to_uppercase());
    [name, spec.arity.to_string(), flags.join(" "), keys.join(" ")]
}

fn row(columns: &[String]) -> String {
    let cell = |text: &String| if text.is_empty() { String::new() } else { format!(" {text}") };
    format!("|{} |", columns.iter().map(cell).collect::<Vec<_>>().join(" |"))
}

#[test]
fn the_document_tells_what_the_command_table_says() {
    let path = workspace_dir().join("docs/commands.md");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let documented: Vec<Vec<String>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect())
        .collect();
    let by_hand: BTreeMap<&str, &[String]> =
        documented.iter().map(|cells| (cells[0].as_str(), cells.get(4..).unwrap_or_default())).collect();
    let mut expected = Vec::new();
    for spec in commands::all() {
        expected.push(told(spec, None));
        expected.extend(spec.subcommands.iter().map(|sub| told(sub, Some(spec))));
    }
    let expected: Vec<Vec<String>> = expected
        .into_iter()
        .map(|cells| {
            let kept = by_hand.get(cells[0].as_str()).copied().unwrap_or_default();
            let kept = (0..2).map(|i| kept.get(i).cloned().unwrap_or_default());
            cells.clone().into_iter().chain(kept).collect()
        })
        .collect();
    if documented != expected {
        let rows: Vec<String> = expected.iter().map(|cells| row(cells)).collect();
        let wrong = rows.iter().filter(|row| !text.lines().any(|line| line == row.as_str()));
        let wrong: Vec<&str> = wrong.map(String::as_str).collect();
        println!("{}", rows.join("\n"));
        panic!(
            "docs/commands.md must hold the rows above, in this order; these are new:\n{}",
            wrong.join("\n")
        );
    }
}
