//! The options that SET and GETEX share.

use crate::commands::args::{When, is};
use crate::refusal::Refusal;

/// Whose options are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reader {
    Set,
    GetEx,
}

/// Options as given; which may stand together was checked.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Options<'a> {
    pub nx: bool,
    pub xx: bool,
    pub get: bool,
    pub keep_ttl: bool,
    pub persist: bool,
    /// Not yet checked to be a number.
    pub expire: Option<(When, &'a [u8])>,
}

/// Reads all of `args`. An option may come twice (the later one counts), one that contradicts an earlier one may not.
pub fn options<'a>(args: &[&'a [u8]], reader: Reader) -> Result<Options<'a>, Refusal> {
    let set = reader == Reader::Set;
    let mut o = Options::default();
    let mut rest = args;
    while let [word, tail @ ..] = rest {
        rest = tail;
        if set && is(word, "nx") && !o.xx {
            o.nx = true;
        } else if set && is(word, "xx") && !o.nx {
            o.xx = true;
        } else if set && is(word, "get") {
            o.get = true;
        } else if set && is(word, "keepttl") && o.expire.is_none() {
            o.keep_ttl = true;
        } else if !set && is(word, "persist") && o.expire.is_none() {
            o.persist = true;
        } else if let Some(when) = When::option(word)
            && o.expire.is_none_or(|(earlier, _)| earlier == when)
            && !o.keep_ttl
            && !o.persist
            && let [count, tail @ ..] = rest
        {
            o.expire = Some((when, count));
            rest = tail;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    Ok(o)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, reader: Reader) -> Option<Options<'_>> {
        let args: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
        options(&args, reader).ok()
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for line in
            ["nx xx", "xx nx", "ex 1 px 1", "keepttl ex 1", "ex 1 keepttl", "ex", "persist", "px 1 pxat"]
        {
            assert_eq!(read(line, Reader::Set), None, "{line}");
        }
        for line in ["persist ex 1", "ex 1 persist", "nx", "get", "keepttl", "exat 1 ex 1"] {
            assert_eq!(read(line, Reader::GetEx), None, "{line}");
        }
    }

    #[test]
    fn an_option_may_come_twice_and_the_later_counts() {
        let o = read("NX get Ex 1 nX eX 2 GET", Reader::Set).unwrap();
        assert!(o.nx && o.get && !o.xx && !o.keep_ttl);
        assert_eq!(o.expire, Some((When::InSeconds, &b"2"[..])));
        assert_eq!(read("pxat 5 PXAT 6", Reader::GetEx).unwrap().expire, Some((When::AtMs, &b"6"[..])));
        assert!(read("persist PERSIST", Reader::GetEx).unwrap().persist);
    }
}
