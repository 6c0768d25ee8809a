//! The programs under measurement: found on the path, or built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::BenchError;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// The peer the bars were set against.
pub const REDIS_VERSION: &str = "7.0.15";

pub struct Programs {
    /// `None` only where no row of ours was asked for.
    pub atoll: Option<PathBuf>,
    pub redis_server: Option<PathBuf>,
    pub redis_benchmark: Option<PathBuf>,
}

impl Programs {
    pub fn find(atoll: Option<PathBuf>) -> Programs {
        Programs { atoll, redis_server: on_path("redis-server"), redis_benchmark: on_path("redis-benchmark") }
    }

    /// What is missing and how to get it.
    pub fn missing(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (name, found, package) in [
            ("redis-server", &self.redis_server, "redis-server"),
            ("redis-benchmark", &self.redis_benchmark, "redis-tools"),
        ] {
            if found.is_none() {
                out.push(format!(
                    "{name} is not installed: `apt-get install {package}` (Redis {REDIS_VERSION})"
                ));
            }
        }
        out
    }

    /// The first line each program prints for `--version`.
    pub fn versions(&self) -> Vec<(&'static str, String)> {
        [
            ("atoll", &self.atoll),
            ("redis-server", &self.redis_server),
            ("redis-benchmark", &self.redis_benchmark),
        ]
        .into_iter()
        .filter_map(|(name, path)| Some((name, version(path.as_deref()?))))
        .collect()
    }
}

fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown version").trim().to_string()
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// The target directory this binary was built into.
pub fn target_directory() -> Result<PathBuf, BenchError> {
    let exe = env::current_exe().map_err(|source| BenchError::File {
        operation: "find",
        path: "the running binary".into(),
        source,
    })?;
    // <target>/<profile>/bench
    Ok(exe.ancestors().nth(2).unwrap_or(Path::new("target")).to_path_buf())
}

/// Builds the optimised server beside this binary; cargo decides whether anything is stale.
pub fn build_atoll(target: &Path) -> Result<PathBuf, BenchError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(&cargo)
        .args(["build", "--release", "-p", "cmd", "--bin", "atoll", "--target-dir"])
        .arg(target)
        .current_dir(WORKSPACE)
        .status()
        .map_err(|source| BenchError::Spawn { program: cargo.to_string_lossy().into_owned(), source })?;
    if !status.success() {
        return Err(BenchError::Build(status));
    }
    Ok(target.join("release").join("atoll"))
}
