//! The arrows between the crates, read from their manifests: who may depend on whom.

use std::collections::BTreeSet;

use tests::server::workspace_dir;

/// Crate and the crates of ours that it may depend on.
const ARROWS: [(&str, &[&str]); 6] = [
    ("keytrie", &[]),
    ("proto", &[]),
    ("engine", &["keytrie", "proto"]),
    ("beacon", &["engine", "proto"]),
    ("cmd", &["beacon", "engine", "proto"]),
    ("tests", &["beacon", "cmd", "engine", "keytrie", "proto"]),
];

/// Dependencies that no shipped core may have.
const ENGINE_NEVER: [&str; 8] = ["tokio", "mio", "socket2", "rustix", "libc", "rand", "getrandom", "quinn"];

/// Dependencies of a manifest: the shipped ones, and with those of tests and build scripts.
fn dependencies(manifest: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let text =
        std::fs::read_to_string(workspace_dir().join(manifest)).unwrap_or_else(|e| panic!("{manifest}: {e}"));
    let (mut shipped, mut all) = (BTreeSet::new(), BTreeSet::new());
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']).to_owned();
            // `[dependencies.name]` names the crate in the header.
            if let Some((kind, name)) = section.rsplit_once("dependencies.") {
                all.insert(name.to_owned());
                if !kind.ends_with('-') {
                    shipped.insert(name.to_owned());
                }
            }
        } else if section.ends_with("dependencies")
            && let Some((name, _)) = line.split_once('=')
        {
            let name = name.trim().split('.').next().unwrap_or_default().to_owned();
            if !section.ends_with("-dependencies") {
                shipped.insert(name.clone());
            }
            all.insert(name);
        }
    }
    (shipped, all)
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in ARROWS {
        let (_, all) = dependencies(&format!("{name}/Cargo.toml"));
        let wrong: Vec<&String> =
            all.iter().filter(|d| ours.contains(d.as_str()) && !allowed.contains(&d.as_str())).collect();
        assert!(wrong.is_empty(), "{name} may not depend on {wrong:?}");
    }
}

#[test]
fn nobody_depends_on_the_tests() {
    for (name, _) in ARROWS {
        let (_, all) = dependencies(&format!("{name}/Cargo.toml"));
        assert!(!all.contains("tests"), "{name} depends on tests");
    }
}

#[test]
fn the_cores_have_no_runtime() {
    for name in ["engine", "keytrie"] {
        let (shipped, _) = dependencies(&format!("{name}/Cargo.toml"));
        let wrong: Vec<&String> = shipped.iter().filter(|d| ENGINE_NEVER.contains(&d.as_str())).collect();
        assert!(wrong.is_empty(), "{name} may not depend on {wrong:?}");
    }
}

#[test]
fn libraries_have_typed_errors() {
    for (name, _) in ARROWS.iter().filter(|(name, _)| *name != "tests") {
        let (_, all) = dependencies(&format!("{name}/Cargo.toml"));
        assert!(!all.contains("anyhow") && !all.contains("eyre"), "{name}");
    }
}

#[test]
fn every_member_is_in_the_picture() {
    let text = std::fs::read_to_string(workspace_dir().join("Cargo.toml")).expect("the workspace's manifest");
    let line = text.lines().find(|l| l.starts_with("members")).expect("a list of members");
    let members: Vec<&str> =
        line.split('"').skip(1).step_by(2).filter(|m| !m.starts_with("tests/")).collect();
    let known: Vec<&str> =
        members.iter().copied().filter(|m| ARROWS.iter().any(|(name, _)| name == m)).collect();
    assert_eq!(members, known, "every member has its arrows in this test");
}
