//! The command line.

use std::path::PathBuf;

use clap::Parser;

const ROUNDS: u32 = 5;
const ROUNDS_QUICK: u32 = 2;

#[derive(Parser, Debug, Clone)]
#[command(
    name = "bench",
    about = "Measures Atoll's budget rows against redis-server, side by side in one run"
)]
pub struct Options {
    /// Only rows whose title contains one of these (comma-separated, any case)
    #[arg(long, value_delimiter = ',', value_name = "SUBSTRING")]
    pub rows: Vec<String>,

    /// Alternating rounds a row [default: 5, or 2 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// Fewer requests and keys: shows that everything runs, its figures mean nothing
    #[arg(long)]
    pub quick: bool,

    /// Where every round is written [default: target/bench/<time>.json]
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,

    /// The atoll binary [default: built with `cargo build --release -p cmd`]
    #[arg(long, value_name = "PATH")]
    pub server: Option<PathBuf>,

    /// Print the rows and their bars, and stop
    #[arg(long)]
    pub list: bool,

    /// Measure redis-server against itself: every ratio must come out near 1
    #[arg(long, hide = true)]
    pub self_test: bool,
}

impl Options {
    pub fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { ROUNDS_QUICK } else { ROUNDS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_rounds_are_refused_and_five_are_the_default() {
        assert!(Options::try_parse_from(["bench", "--rounds", "0"]).is_err());
        assert_eq!(Options::try_parse_from(["bench"]).unwrap().rounds(), 5);
        assert_eq!(Options::try_parse_from(["bench", "--quick"]).unwrap().rounds(), 2);
        let given =
            Options::try_parse_from(["bench", "--quick", "--rounds", "7", "--rows", "P=1 SET,scan"]).unwrap();
        assert_eq!((given.rounds(), given.rows.len()), (7, 2));
    }
}
