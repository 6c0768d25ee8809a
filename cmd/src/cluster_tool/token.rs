//! Join tokens: the addresses and the secret that a new node needs, in one word.
//!
//! `atoll1-` and hexadecimal bytes: CRC32C of the rest u32 | end of validity u64 (Unix s) | addresses, comma-separated, and
//! secret, each behind its length u16. Whoever has it can join: it is as secret as the secret.

use std::time::{SystemTime, UNIX_EPOCH};

use super::args::TokenArgs;

const PREFIX: &str = "atoll1-";

/// What a token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// Unix seconds.
    pub valid_until: u64,
    pub join: Vec<String>,
    pub secret: String,
}

/// Why a token cannot be made or used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    #[error("a join token needs the cluster secret: give --cluster-secret or --cluster-secret-file")]
    NoSecret,
    #[error("reading --cluster-secret-file: {0}")]
    SecretFile(String),
    #[error("this is no join token, or part of it is missing: it begins with {PREFIX}")]
    Malformed,
    #[error("the join token ran out {0} s ago: make a new one with `atoll cluster join-token`")]
    Expired(u64),
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The token that the flags ask for.
pub fn make(args: &TokenArgs) -> Result<String, TokenError> {
    let secret = match (&args.cluster_secret, &args.cluster_secret_file) {
        (Some(secret), _) => secret.clone(),
        (None, Some(file)) => {
            let read = std::fs::read_to_string(file);
            read.map_err(|e| TokenError::SecretFile(e.to_string()))?.trim().to_string()
        }
        (None, None) => return Err(TokenError::NoSecret),
    };
    let valid_until = now_s().saturating_add(args.valid_for);
    Ok(Token { valid_until, join: args.join.clone(), secret }.encode())
}

impl Token {
    pub fn encode(&self) -> String {
        let mut body = self.valid_until.to_le_bytes().to_vec();
        for part in [self.join.join(","), self.secret.clone()] {
            body.extend_from_slice(&(part.len() as u16).to_le_bytes());
            body.extend_from_slice(part.as_bytes());
        }
        let crc = crc32c::crc32c(&body).to_le_bytes();
        let hex: String = crc.iter().chain(&body).map(|byte| format!("{byte:02x}")).collect();
        format!("{PREFIX}{hex}")
    }

    /// Reads a token that is still good.
    pub fn decode(token: &str) -> Result<Token, TokenError> {
        let found = Token::parse(token.trim()).ok_or(TokenError::Malformed)?;
        match now_s().checked_sub(found.valid_until) {
            Some(over @ 1..) => Err(TokenError::Expired(over)),
            _ => Ok(found),
        }
    }

    fn parse(token: &str) -> Option<Token> {
        let hex = token.strip_prefix(PREFIX)?;
        if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
            return None;
        }
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect::<Option<_>>()?;
        let (crc, body) = bytes.split_first_chunk::<4>()?;
        if crc32c::crc32c(body).to_le_bytes() != *crc {
            return None;
        }
        let (until, mut rest) = body.split_first_chunk::<8>()?;
        let mut part = || {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (text, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            rest = after;
            String::from_utf8(text.to_vec()).ok()
        };
        let (join, secret) = (part()?, part()?);
        let join = join.split(',').map(str::to_string).collect();
        rest.is_empty().then_some(Token { valid_until: u64::from_le_bytes(*until), join, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_round_trips_and_any_change_is_refused() {
        let token = Token {
            valid_until: now_s() + 100,
            join: vec!["a.example:7379".into(), "10.0.0.1:7379".into()],
            secret: "a long secret".into(),
        };
        let text = token.encode();
        assert_eq!(Token::decode(&text), Ok(token.clone()));
        for cut in 0..text.len() {
            assert_eq!(Token::decode(&text[..cut]), Err(TokenError::Malformed), "{cut}");
        }
        let changed = text.replace(&text[20..22], "zz");
        assert_eq!(Token::decode(&changed), Err(TokenError::Malformed));
        let old = Token { valid_until: now_s() - 5, ..token };
        assert!(matches!(Token::decode(&old.encode()), Err(TokenError::Expired(5..))));
    }
}
