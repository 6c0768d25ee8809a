//! Script to text: what a recording writes back.

use std::fmt::Write;

use proto::resp::Protocol;

use super::{Matcher, Script, SendKind, Step, Want};

pub fn render(script: &Script) -> String {
    let mut out = String::new();
    for note in &script.head {
        line(&mut out, note);
    }
    for section in &script.sections {
        line(&mut out, &format!("@test {}", section.name));
        match section.protocols.as_slice() {
            [Protocol::Resp2] => line(&mut out, "@resp2"),
            [Protocol::Resp3] => line(&mut out, "@resp3"),
            _ => {}
        }
        for step in &section.steps {
            one_step(&mut out, step);
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn one_step(out: &mut String, step: &Step) {
    match step {
        Step::Note(text) => line(out, text),
        Step::Close(name) => line(out, &format!("close {name}")),
        Step::Read { connection, want, .. } => {
            let matcher = want.both.clone().or(want.resp2.clone()).unwrap_or_default();
            line(out, &format!("{connection}{}", expected("<", &matcher)));
        }
        Step::Send(send) => {
            let name = if send.connection == "a" { "" } else { &send.connection };
            let head = match send.kind {
                SendKind::Command => name.to_owned(),
                SendKind::Raw => format!("raw {name}"),
                SendKind::Scan => format!("scan {name}"),
                SendKind::Silent => format!("send {name}"),
            };
            line(out, &format!("{}> {}", head.trim_end(), send.text));
            for want in &send.wants {
                wanted(out, want);
            }
        }
    }
}

fn wanted(out: &mut String, want: &Want) {
    if let Some(matcher) = &want.both {
        return line(out, &expected("<", matcher));
    }
    for (mark, matcher) in [("<2", &want.resp2), ("<3", &want.resp3)] {
        if let Some(matcher) = matcher {
            line(out, &expected(mark, matcher));
        }
    }
}

fn expected(mark: &str, matcher: &Matcher) -> String {
    let mut out = mark.to_owned();
    match matcher.rule.as_str() {
        "" => {}
        rule if rule.starts_with('!') => out.push_str(rule),
        rule => {
            let _ = write!(out, ":{rule}");
        }
    }
    if !matcher.text.is_empty() {
        let _ = write!(out, " {}", matcher.text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_script_renders_as_it_was_read() {
        let text = "# head\n\n@test one\n> SET k v\n< +OK\\r\\n\nb> GET k\n<2 $-1\\r\\n\n<3 _\\r\\n\nraw b> *a\\r\\n\n< -ERR\\r\\n\n<!closed\n\
            @test two\n@resp3\n# note\nscan> SCAN {{cursor}}\n<:unordered *0\\r\\n\nsend c> GET x\nc<:is bulk\nclose c\n";
        assert_eq!(render(&super::super::parse(text).unwrap()), text);
    }
}
