//! The house rules that a machine can check, over every file of the repository.

use std::path::{Path, PathBuf};

use tests::server::workspace_dir;

/// A file of this many lines hides a second idea.
const LINES_WARNED: usize = 600;
/// A file of this many lines fails.
const LINES_MAX: usize = 1000;

/// Everything at the top, besides what version control and builds leave there.
const TOP: [&str; 17] = [
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "beacon",
    "clippy.toml",
    "cmd",
    "docs",
    "engine",
    "jepsen",
    "keytrie",
    "proto",
    "rustfmt.toml",
];

/// Files that may hold `unsafe`: small, with the reason in their heading, tested under a sanitizer.
const UNSAFE_FILES: [&str; 8] = [
    "cmd/src/allocator.rs",
    "cmd/src/warm.rs",
    "engine/src/latch.rs",
    "engine/src/state/handle.rs",
    "engine/src/state/shard.rs",
    "engine/src/state/shard/image.rs",
    "engine/src/state/table/entry.rs",
    "engine/src/state/table/mod.rs",
];

/// Generated or binary files, which no rule about text reads.
const NOT_TEXT: [&str; 7] = ["lock", "png", "svg", "bin", "seg", "img", "zst"];

/// Path below the root, with `/`, and text.
struct SourceFile {
    name: String,
    text: String,
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a readable directory") {
        let path = entry.expect("a directory entry").path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let skipped =
            ["target", ".git", "__pycache__", ".venv", "corpus", "artifacts", "coverage", "atoll-data"];
        if path.is_dir() {
            if !skipped.contains(&name.as_str()) {
                walk(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

fn files() -> Vec<SourceFile> {
    let root = workspace_dir();
    let mut paths = Vec::new();
    walk(root, &mut paths);
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
        let extension = path.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
        // In a worktree `.git` is a file.
        if NOT_TEXT.contains(&extension.as_str()) || name == ".git" {
            continue;
        }
        if let Ok(text) = std::fs::read_to_string(&path) {
            files.push(SourceFile { name, text });
        }
    }
    files
}

fn rust_files() -> Vec<SourceFile> {
    files().into_iter().filter(|f| f.name.ends_with(".rs")).collect()
}

/// The file without its unit tests: those stand at its foot.
fn shipped(file: &SourceFile) -> &str {
    file.text.split("\n#[cfg(test)]").next().unwrap_or(&file.text)
}

/// Lines outside comments, with their numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line)).filter(|(_, line)| {
        let line = line.trim_start();
        !line.starts_with("//")
    })
}

fn fail_on(findings: Vec<String>, rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n{}", findings.join("\n"));
}

#[test]
fn files_are_short() {
    let mut findings = Vec::new();
    for file in rust_files() {
        let lines = file.text.lines().count();
        if lines >= LINES_MAX {
            findings.push(format!("{}: {lines} lines", file.name));
        } else if lines >= LINES_WARNED {
            println!("look for the second idea: {}: {lines} lines", file.name);
        }
    }
    fail_on(findings, "a file has fewer than 1000 lines");
}

#[test]
fn every_module_says_what_it_is() {
    let silent = |f: &SourceFile| !f.text.starts_with("//!") && !f.text.starts_with("#!");
    let findings = rust_files().into_iter().filter(silent).map(|f| f.name).collect();
    fail_on(findings, "a module opens with //!");
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_to_do() {
    // Put together here, so that this file does not find itself.
    let words =
        [["#[ig", "nore"], ["to", "do!("], ["unimple", "mented!("], ["db", "g!("]].map(|w| w.concat());
    let mut findings = Vec::new();
    for file in rust_files() {
        for (number, line) in code_lines(&file.text) {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                findings.push(format!("{}:{number}: {word}", file.name));
            }
        }
    }
    fail_on(findings, "no ignored tests, nothing unfinished");
}

#[test]
fn the_engine_knows_no_machine() {
    const FORBIDDEN: [&str; 12] = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "tokio",
        "mio::",
        "Instant::now",
        "SystemTime",
        "getrandom",
        "rand::",
        "thread::sleep",
        "RandomState",
    ];
    // How long a thread waits for a lock is no business of the simulation, which has one.
    const EXCEPT: (&str, &str) = ("engine/src/latch.rs", "thread::sleep");
    let mut findings = Vec::new();
    for file in rust_files().iter().filter(|f| f.name.starts_with("engine/src/")) {
        for (number, line) in code_lines(shipped(file)) {
            let found = FORBIDDEN.iter().find(|word| line.contains(*word));
            if let Some(word) = found.filter(|word| (file.name.as_str(), **word) != EXCEPT) {
                findings.push(format!("{}:{number}: {word}", file.name));
            }
        }
    }
    fail_on(findings, "no disk, network, clock, randomness or runtime in engine/src");
}

#[test]
fn unsafe_code_lies_in_named_files() {
    let word = ["unsafe", " "].concat();
    let mut findings = Vec::new();
    for file in rust_files() {
        // This file spells what it looks for.
        if UNSAFE_FILES.contains(&file.name.as_str()) || file.name == "tests/tests/tidy.rs" {
            continue;
        }
        let opens = |line: &str| {
            line.contains("allow(unsafe_code)")
                || ["{", "fn", "impl", "trait", "extern"]
                    .iter()
                    .any(|next| line.contains(&format!("{word}{next}")))
        };
        findings.extend(
            code_lines(&file.text).filter(|(_, l)| opens(l)).map(|(n, _)| format!("{}:{n}", file.name)),
        );
    }
    fail_on(findings, "unsafe only in the files on this test's list");
}

#[test]
fn every_listed_unsafe_file_exists_and_gives_its_reason() {
    for name in UNSAFE_FILES {
        let text =
            std::fs::read_to_string(workspace_dir().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let uses = text.matches("unsafe {").count() + text.matches("unsafe impl").count();
        assert!(uses > 0, "{name} has no unsafe code any more: take it off the list");
        assert!(text.contains("SAFETY"), "{name} gives no reasons");
    }
}

#[test]
fn nothing_names_a_machine() {
    let words = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/us", "r/local"], ["127.0.0.1:", "8080"]]
        .map(|w| w.concat());
    let temporary = ["/tm", "p/"].concat();
    let mut findings = Vec::new();
    for file in files() {
        for (i, line) in file.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) || line.contains(&temporary) {
                findings.push(format!("{}:{}: {}", file.name, i + 1, line.trim()));
            }
        }
    }
    fail_on(findings, "no machine paths");
}

#[test]
fn the_top_level_holds_what_it_should() {
    let built = [".git", "target", "atoll-data", ".venv"];
    let mut found: Vec<String> = std::fs::read_dir(workspace_dir())
        .expect("the root is readable")
        .map(|entry| entry.expect("a directory entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !built.contains(&name.as_str()))
        .collect();
    found.sort();
    let mut expected: Vec<String> = TOP.iter().map(|name| name.to_string()).collect();
    expected.push("tests".into());
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn text_files_end_in_one_line_break_and_hold_no_tabs_or_trailing_blanks() {
    let mut findings = Vec::new();
    for file in files()
        .iter()
        .filter(|f| [".rs", ".md", ".toml", ".proto", ".py"].iter().any(|e| f.name.ends_with(e)))
    {
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            findings.push(format!("{}: end", file.name));
        }
        for (i, line) in file.text.lines().enumerate() {
            if line.ends_with([' ', '\t']) || line.contains('\t') {
                findings.push(format!("{}:{}", file.name, i + 1));
            }
        }
    }
    fail_on(findings, "plain text files");
}
