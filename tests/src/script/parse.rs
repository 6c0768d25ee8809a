//! Text to script.

use proto::resp::Protocol;

use super::{Matcher, Script, Section, Send, SendKind, Step, Want};

/// Reads a script; the error names the line.
pub fn parse(text: &str) -> Result<Script, String> {
    let mut script = Script::default();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        one_line(&mut script, number, line).map_err(|e| format!("line {number}: {e}: {line}"))?;
    }
    for step in script.sections.iter_mut().flat_map(|s| &mut s.steps) {
        if let Step::Send(send) = step
            && send.wants.is_empty()
            && send.kind != SendKind::Silent
        {
            send.wants.push(Want::default());
        }
    }
    Ok(script)
}

fn one_line(script: &mut Script, number: usize, line: &str) -> Result<(), String> {
    if let Some(name) = line.strip_prefix("@test ") {
        let protocols = vec![Protocol::Resp2, Protocol::Resp3];
        script.sections.push(Section { name: name.to_owned(), protocols, steps: Vec::new() });
        return Ok(());
    }
    let Some(section) = script.sections.last_mut() else {
        if line.is_empty() || line.starts_with('#') {
            script.head.push(line.to_owned());
            return Ok(());
        }
        return Err("before the first @test".into());
    };
    if line.is_empty() || line.starts_with('#') {
        section.steps.push(Step::Note(line.to_owned()));
        return Ok(());
    }
    match line {
        "@resp2" => section.protocols = vec![Protocol::Resp2],
        "@resp3" => section.protocols = vec![Protocol::Resp3],
        _ => {
            let step = statement(section.steps.last_mut(), number, line)?;
            section.steps.extend(step);
        }
    }
    Ok(())
}

fn statement(last: Option<&mut Step>, line: usize, text: &str) -> Result<Option<Step>, String> {
    if let Some(name) = text.strip_prefix("close ") {
        return Ok(Some(Step::Close(name.to_owned())));
    }
    let sent = text.find('>').map_or(usize::MAX, |at| at);
    let read = text.find('<').map_or(usize::MAX, |at| at);
    if sent < read {
        let (head, rest) = (&text[..sent], &text[sent + 1..]);
        let (kind, name) = match head.split_once(' ') {
            Some(("raw", name)) => (SendKind::Raw, name),
            Some(("scan", name)) => (SendKind::Scan, name),
            Some(("send", name)) => (SendKind::Silent, name),
            Some(_) => return Err("unknown statement".into()),
            None if head == "raw" => (SendKind::Raw, ""),
            None if head == "scan" => (SendKind::Scan, ""),
            None if head == "send" => (SendKind::Silent, ""),
            None => (SendKind::Command, head),
        };
        let connection = if name.is_empty() { "a" } else { name }.to_owned();
        let text = rest.strip_prefix(' ').unwrap_or(rest).to_owned();
        return Ok(Some(Step::Send(Send { line, connection, kind, text, wants: Vec::new() })));
    }
    if read == usize::MAX {
        return Err("neither > nor <".into());
    }
    let (name, rest) = (&text[..read], &text[read + 1..]);
    let (protocol, rest) = match rest.as_bytes().first() {
        Some(b'2') => (Some(Protocol::Resp2), &rest[1..]),
        Some(b'3') => (Some(Protocol::Resp3), &rest[1..]),
        _ => (None, rest),
    };
    let matcher = match rest.strip_prefix(':') {
        Some(rest) => {
            let (rule, text) = rest.split_once(' ').unwrap_or((rest, ""));
            Matcher { rule: rule.to_owned(), text: text.to_owned() }
        }
        None if rest.starts_with('!') => Matcher { rule: rest.to_owned(), text: String::new() },
        None => Matcher { rule: String::new(), text: rest.strip_prefix(' ').unwrap_or(rest).to_owned() },
    };
    if !name.is_empty() {
        let want = Want { both: Some(matcher), ..Want::default() };
        return Ok(Some(Step::Read { line, connection: name.to_owned(), want }));
    }
    let Some(Step::Send(send)) = last else { return Err("a reply without its command".into()) };
    match protocol {
        None => send.wants.push(Want { both: Some(matcher), ..Want::default() }),
        Some(Protocol::Resp2) => send.wants.push(Want { resp2: Some(matcher), ..Want::default() }),
        Some(Protocol::Resp3) => match send.wants.last_mut() {
            Some(want) if want.resp2.is_some() && want.resp3.is_none() => want.resp3 = Some(matcher),
            _ => send.wants.push(Want { resp3: Some(matcher), ..Want::default() }),
        },
    }
    Ok(None)
}
