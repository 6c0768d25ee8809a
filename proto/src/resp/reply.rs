//! The reply side: bytes exactly as Redis 7.0 writes them, in RESP2 or RESP3.

use super::decimal::{Decimal, put_digits};

/// The version a client negotiated with HELLO.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

/// Writes replies to the end of a buffer.
pub struct Replies<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> Replies<'a> {
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Replies { out, protocol }
    }

    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// What was written so far, for deferred lengths and inspection.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.out
    }

    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    pub fn simple(&mut self, text: &str) {
        self.out.push(b'+');
        self.out.extend_from_slice(text.as_bytes());
        self.crlf();
    }

    /// An error line, complete with its code word. Line breaks at its ends are dropped, those within become spaces.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// As [`Replies::error`], for text that quotes a client's raw bytes.
    pub fn error_bytes(&mut self, text: &[u8]) {
        let is_break = |b: &u8| matches!(b, b'\r' | b'\n');
        let from = text.iter().position(|b| !is_break(b)).unwrap_or(text.len());
        let to = text.iter().rposition(|b| !is_break(b)).map_or(from, |last| last + 1);
        self.out.push(b'-');
        self.out.extend(text[from..to].iter().map(|b| if is_break(b) { b' ' } else { *b }));
        self.crlf();
    }

    #[inline]
    pub fn integer(&mut self, value: i64) {
        if (0..10).contains(&value) {
            self.out.extend_from_slice(&[b':', b'0' + value as u8, b'\r', b'\n']);
            return;
        }
        // Whole lines are appended at once: colon, sign, nineteen digits and the end.
        let mut line = [0; 23];
        line[21..].copy_from_slice(b"\r\n");
        let mut at = put_digits(&mut line, 21, value.unsigned_abs());
        if value < 0 {
            at -= 1;
            line[at] = b'-';
        }
        line[at - 1] = b':';
        self.out.extend_from_slice(&line[at - 1..]);
    }

    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 16);
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.crlf();
    }

    /// A bulk string holding an integer.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(Decimal::integer(value).as_bytes());
    }

    /// The null of a missing value.
    pub fn null(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// The null of a missing array.
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    pub fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// `len` pairs follow; an array of twice as many in RESP2.
    pub fn map(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', 2 * len),
            Protocol::Resp3 => self.header(b'%', len),
        }
    }

    pub fn set(&mut self, len: usize) {
        self.header(if self.is_resp3() { b'~' } else { b'*' }, len);
    }

    pub fn push(&mut self, len: usize) {
        self.header(if self.is_resp3() { b'>' } else { b'*' }, len);
    }

    /// A boolean; `:1` or `:0` in RESP2.
    pub fn bool(&mut self, value: bool) {
        let text: &[u8] = match (self.protocol, value) {
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
        };
        self.out.extend_from_slice(text);
    }

    /// A double as `%.17g`; a bulk string in RESP2.
    pub fn double(&mut self, value: f64) {
        let text = Decimal::double(value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text.as_bytes()),
            Protocol::Resp3 => {
                self.out.push(b',');
                self.out.extend_from_slice(text.as_bytes());
                self.crlf();
            }
        }
    }

    /// A double whose text is given; a bulk string in RESP2.
    pub fn double_text(&mut self, text: &[u8]) {
        if !self.is_resp3() {
            return self.bulk(text);
        }
        self.out.push(b',');
        self.out.extend_from_slice(text);
        self.crlf();
    }

    /// A whole number beyond 64 bits, its digits given; a bulk string in RESP2.
    pub fn big_number(&mut self, digits: &[u8]) {
        if !self.is_resp3() {
            return self.bulk(digits);
        }
        self.out.push(b'(');
        self.out.extend_from_slice(digits);
        self.crlf();
    }

    /// `len` pairs that describe the value after them. RESP3 alone has it: with RESP2 write neither it nor its pairs.
    pub fn attribute(&mut self, len: usize) {
        self.header(b'|', len);
    }

    /// Text with a three-letter format (`txt`, `mkd`); a bulk string in RESP2.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        if !self.is_resp3() {
            return self.bulk(text);
        }
        self.header(b'=', text.len() + 4);
        self.out.extend_from_slice(format.as_bytes());
        self.out.push(b':');
        self.out.extend_from_slice(text);
        self.crlf();
    }

    /// Bytes that are a reply already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn header(&mut self, kind: u8, len: usize) {
        if len < 10 {
            self.out.extend_from_slice(&[kind, b'0' + len as u8, b'\r', b'\n']);
        } else if len < 100 {
            self.out.extend_from_slice(&[
                kind,
                b'0' + (len / 10) as u8,
                b'0' + (len % 10) as u8,
                b'\r',
                b'\n',
            ]);
        } else {
            self.out.push(kind);
            self.out.extend_from_slice(Decimal::unsigned(len as u64).as_bytes());
            self.crlf();
        }
    }

    #[inline]
    fn crlf(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl FnOnce(&mut Replies<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Replies::new(&mut out, protocol));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn both_protocols_spell_their_own_nulls_maps_and_doubles() {
        let all = |r: &mut Replies<'_>| {
            r.null();
            r.null_array();
            r.map(1);
            r.set(12);
            r.double(1.5);
            r.bool(true);
            r.verbatim("txt", b"hi");
            r.bulk_integer(-12);
            r.integer(i64::MIN);
        };
        assert_eq!(
            written(Protocol::Resp2, all),
            "$-1\r\n*-1\r\n*2\r\n*12\r\n$3\r\n1.5\r\n:1\r\n$2\r\nhi\r\n$3\r\n-12\r\n:-9223372036854775808\r\n"
        );
        assert_eq!(
            written(Protocol::Resp3, all),
            "_\r\n_\r\n%1\r\n~12\r\n,1.5\r\n#t\r\n=6\r\ntxt:hi\r\n$3\r\n-12\r\n:-9223372036854775808\r\n"
        );
    }

    #[test]
    fn an_error_stays_on_its_line() {
        assert_eq!(written(Protocol::Resp2, |r| r.error("ERR a\r\nb\n")), "-ERR a  b\r\n");
        assert_eq!(written(Protocol::Resp2, |r| r.error_bytes(b"\r\nERR a\rb\n")), "-ERR a b\r\n");
    }

    #[test]
    fn lengths_of_every_width_are_spelled_out() {
        for len in [0, 9, 10, 99, 100, 12345] {
            let bytes = vec![b'x'; len];
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert_eq!(written(Protocol::Resp2, |r| r.bulk(&bytes)), format!("${len}\r\n{text}\r\n"));
            assert_eq!(written(Protocol::Resp2, |r| r.array(len)), format!("*{len}\r\n"));
        }
    }
}
