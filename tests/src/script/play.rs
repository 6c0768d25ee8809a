//! Plays a script against a server: to check its replies, or to record them.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::time::Duration;

use proto::resp::{Protocol, Value, inline};

use super::text::{escape, unescape};
use super::{Got, Matcher, Script, Section, SendKind, Step, Want};
use crate::client::{Client, encode};

/// A reply that was not the recorded one.
#[derive(Debug)]
pub struct Failure {
    pub section: String,
    pub protocol: Protocol,
    pub line: usize,
    pub command: String,
    pub expected: String,
    pub got: String,
    pub why: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Failure { section, protocol, line, command, expected, got, why } = self;
        write!(
            f,
            "line {line}, {section}, {protocol:?}: {why}\n  command  {command}\n  expected {expected}\n  got      {got}"
        )
    }
}

/// How long silence must last to be believed.
const SILENCE: Duration = Duration::from_millis(100);
const SCAN_CALLS_MAX: usize = 100_000;

/// Replays every section in each of its protocols.
pub fn check(script: &Script, port: u16) -> io::Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for section in &script.sections {
        for protocol in &section.protocols {
            let mut player = Player::new(port, *protocol)?;
            for step in &section.steps {
                let (line, command) = match step {
                    Step::Send(send) => (send.line, send.text.as_str()),
                    Step::Read { line, .. } => (*line, "(reply read later)"),
                    _ => (0, ""),
                };
                for (want, got) in player.step(step)? {
                    let matcher = want.of(*protocol).cloned().unwrap_or_default();
                    if let Err(why) = matcher.check(&got) {
                        failures.push(Failure {
                            section: section.name.clone(),
                            protocol: *protocol,
                            line,
                            command: command.to_owned(),
                            expected: format!("{} {}", matcher.rule, matcher.text).trim_start().to_owned(),
                            got: got.to_string(),
                            why,
                        });
                    }
                }
            }
        }
    }
    Ok(failures)
}

/// Replaces the recorded replies by those of the server; matchers written by hand must hold.
pub fn record(script: &mut Script, port: u16) -> Result<(), String> {
    for section in &mut script.sections {
        let mut heard = Vec::new();
        for protocol in &section.protocols {
            heard.push(hear(section, *protocol, port).map_err(|e| format!("section {}: {e}", section.name))?);
        }
        let protocols = section.protocols.clone();
        let mut at = 0;
        for step in &mut section.steps {
            let (line, wants) = match step {
                Step::Send(send) => (send.line, send.wants.as_mut_slice()),
                Step::Read { line, want, .. } => (*line, std::slice::from_mut(want)),
                _ => continue,
            };
            for want in wants {
                let mut new: Vec<Matcher> = Vec::new();
                for (protocol, heard) in protocols.iter().zip(&heard) {
                    let old = want.of(*protocol).cloned().unwrap_or_default();
                    new.push(rewritten(old, &heard[at]).map_err(|e| format!("line {line}: {e}"))?);
                }
                at += 1;
                *want = match new.as_slice() {
                    [two, three] if two != three => {
                        Want { both: None, resp2: Some(two.clone()), resp3: Some(three.clone()) }
                    }
                    [one, ..] => Want { both: Some(one.clone()), ..Want::default() },
                    [] => Want::default(),
                };
            }
        }
    }
    Ok(())
}

fn hear(section: &Section, protocol: Protocol, port: u16) -> io::Result<Vec<Got>> {
    let mut player = Player::new(port, protocol)?;
    let mut heard = Vec::new();
    for step in &section.steps {
        heard.extend(player.step(step)?.into_iter().map(|(_, got)| got));
    }
    Ok(heard)
}

fn rewritten(old: Matcher, got: &Got) -> Result<Matcher, String> {
    match got {
        Got::Reply(reply) if old.is_recorded() => Ok(Matcher { rule: old.rule, text: escape(reply) }),
        Got::Closed if old.is_recorded() => Ok(Matcher { rule: "!closed".into(), text: String::new() }),
        got => old.check(got).map(|()| old.clone()).map_err(|why| format!("{why}: {old:?} got {got}")),
    }
}

struct Player {
    port: u16,
    protocol: Protocol,
    connections: HashMap<String, Client>,
    captured: HashMap<String, i64>,
}

impl Player {
    fn new(port: u16, protocol: Protocol) -> io::Result<Player> {
        let mut admin = Client::connect(port)?;
        match admin.call(&["FLUSHALL"])? {
            Value::Simple(_) => {}
            other => return Err(io::Error::other(format!("FLUSHALL answered {other:?}"))),
        }
        Ok(Player { port, protocol, connections: HashMap::new(), captured: HashMap::new() })
    }

    fn step<'s>(&mut self, step: &'s Step) -> io::Result<Vec<(&'s Want, Got)>> {
        match step {
            Step::Note(_) => Ok(Vec::new()),
            Step::Close(name) => {
                self.connections.remove(name);
                Ok(Vec::new())
            }
            Step::Read { connection, want, .. } => Ok(vec![(want, self.read(connection, want)?)]),
            Step::Send(send) => {
                if send.kind == SendKind::Scan {
                    let got = self.scan(&send.connection, &send.text)?;
                    return Ok(send.wants.iter().map(|want| (want, got.clone())).collect());
                }
                let bytes = match send.kind {
                    SendKind::Raw => unescape(&send.text).map_err(io::Error::other)?,
                    _ => {
                        let mut out = Vec::new();
                        encode(&self.words(&send.text, "0")?, &mut out);
                        out
                    }
                };
                // A connection that was closed meanwhile shows when the reply is read.
                let _ = self.connection(&send.connection)?.send_raw(&bytes);
                let mut heard = Vec::new();
                for want in &send.wants {
                    heard.push((want, self.read(&send.connection, want)?));
                }
                Ok(heard)
            }
        }
    }

    fn connection(&mut self, name: &str) -> io::Result<&mut Client> {
        if !self.connections.contains_key(name) {
            let mut client = Client::connect(self.port)?;
            if self.protocol == Protocol::Resp3 {
                client.call(&["HELLO", "3"])?;
            }
            self.connections.insert(name.to_owned(), client);
        }
        self.connections.get_mut(name).ok_or_else(|| io::Error::other("no connection"))
    }

    fn read(&mut self, name: &str, want: &Want) -> io::Result<Got> {
        let matcher = want.of(self.protocol).cloned().unwrap_or_default();
        let client = self.connection(name)?;
        if matcher.rule == "!none" {
            client.set_reply_timeout(SILENCE)?;
        }
        let got = client.read_raw();
        client.set_reply_timeout(crate::client::REPLY_TIMEOUT)?;
        let got = match got {
            Ok(reply) => Got::Reply(reply),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Got::Nothing,
            Err(_) => {
                self.connections.remove(name);
                Got::Closed
            }
        };
        if let ("capture", Got::Reply(reply)) = (matcher.rule.as_str(), &got)
            && let Ok(Some((Value::Integer(number), _))) = Value::decode(reply)
        {
            self.captured.insert(matcher.text, number);
        }
        Ok(got)
    }

    /// Iterates to the end; the reply is all elements, sorted, each once, as an array of bulk strings.
    fn scan(&mut self, name: &str, text: &str) -> io::Result<Got> {
        let mut elements = BTreeSet::new();
        let mut cursor = b"0".to_vec();
        for _ in 0..SCAN_CALLS_MAX {
            let words = self.words(text, &String::from_utf8_lossy(&cursor))?;
            let client = self.connection(name)?;
            client.send(&words)?;
            let raw = client.read_raw()?;
            let Ok(Some((Value::Array(parts), _))) = Value::decode(&raw) else { return Ok(Got::Reply(raw)) };
            let [Value::Bulk(next), Value::Array(items)] = parts.as_slice() else {
                return Ok(Got::Reply(raw));
            };
            for item in items {
                let Value::Bulk(bytes) = item else { return Ok(Got::Reply(raw)) };
                elements.insert(bytes.clone());
            }
            if next == b"0" {
                let mut out = Vec::new();
                encode(&elements.into_iter().collect::<Vec<_>>(), &mut out);
                return Ok(Got::Reply(out));
            }
            cursor.clone_from(next);
        }
        Err(io::Error::other("a scan does not end"))
    }

    /// The command's words with `{{…}}` replaced.
    fn words(&self, text: &str, cursor: &str) -> io::Result<Vec<Vec<u8>>> {
        let mut words = Vec::new();
        inline::split(text.as_bytes(), |word| words.push(word.to_vec()))
            .ok_or_else(|| io::Error::other(format!("unbalanced quotes: {text}")))?;
        words.into_iter().map(|word| self.expanded(word, cursor)).collect()
    }

    fn expanded(&self, word: Vec<u8>, cursor: &str) -> io::Result<Vec<u8>> {
        let find = |hay: &[u8], needle: &[u8]| hay.windows(2).position(|w| w == needle);
        let Some(start) = find(&word, b"{{") else { return Ok(word) };
        let Some(len) = find(&word[start..], b"}}") else { return Ok(word) };
        let inner = &word[start + 2..start + len];
        let text = String::from_utf8_lossy(inner).into_owned();
        let new = if text == "cursor" {
            cursor.as_bytes().to_vec()
        } else if let Some(name) = text.strip_prefix('$') {
            let number =
                self.captured.get(name).ok_or_else(|| io::Error::other(format!("{name} not captured")))?;
            number.to_string().into_bytes()
        } else if let Some(name) = text.strip_prefix("addr_") {
            let client =
                self.connections.get(name).ok_or_else(|| io::Error::other(format!("{name} not open")))?;
            client.local_addr()?.to_string().into_bytes()
        } else if let Some(star) = inner.iter().position(|b| *b == b'*') {
            let count = String::from_utf8_lossy(&inner[..star]).parse::<usize>().map_err(io::Error::other)?;
            inner[star + 1..].repeat(count)
        } else {
            return Ok(word);
        };
        Ok([&word[..start], &new, &word[start + len + 2..]].concat())
    }
}
