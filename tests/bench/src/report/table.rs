//! Aligned columns.

use crate::rows::Line;
use crate::statistics::Ratio;

use super::summary::Summary;

pub fn results(lines: &[Summary]) -> String {
    let head = ["row", "ours", "peer", "ratio", "cpu", "bar", "verdict"].map(String::from);
    let rows = lines.iter().map(|line| {
        let noisy = if line.noisy_rounds * 2 >= line.rounds.max(1) { " [noisy]" } else { "" };
        [
            line.title.clone(),
            line.ours_text.clone(),
            line.peer_text.clone(),
            ratio(line.ratio),
            ratio(line.cpu_ratio),
            line.bar.clone(),
            format!("{}{noisy}", line.verdict),
        ]
    });
    aligned(std::iter::once(head).chain(rows).collect())
}

pub fn rows<'a>(lines: impl Iterator<Item = &'a Line>) -> String {
    let head = ["row", "bar"].map(String::from);
    aligned(std::iter::once(head).chain(lines.map(|line| [line.title.clone(), line.bar_text()])).collect())
}

fn ratio(ratio: Option<Ratio>) -> String {
    match ratio {
        None => "-".into(),
        Some(Ratio { median, .. }) if median >= 100.0 => format!("{median:.0}×"),
        Some(Ratio { median, .. }) => format!("{median:.2}×"),
    }
}

/// The first column and the last two are text, aligned left; the others are figures.
fn aligned<const N: usize>(rows: Vec<[String; N]>) -> String {
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut text = String::new();
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            let padding = " ".repeat(width - cell.chars().count());
            let left = at == 0 || at + 2 >= N;
            text += &if left { format!("{cell}{padding}  ") } else { format!("{padding}{cell}  ") };
        }
        out += text.trim_end();
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_characters_not_bytes() {
        let rows = vec![["row", "a", "b", "c"], ["x×", "1.00×", "≥ 2", "ok"]].into_iter();
        let text = aligned(rows.map(|row| row.map(String::from)).collect());
        assert_eq!(text, "row      a  b    c\nx×   1.00×  ≥ 2  ok\n");
    }
}
