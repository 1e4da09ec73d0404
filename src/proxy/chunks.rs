//! Where a chunked body ends (RFC 9112 7.1), found without decoding it.
//!
//! Owns: counting, so that no byte of the next request is handed out as part of this body, and the reverse.
//! Never: changes a byte. Line ends are CRLF and nothing else: a bare LF after a chunk size is a known way to smuggle.

/// The scanner's place in a chunked body.
#[derive(Debug)]
pub(super) struct Chunks {
    state: State,
    /// Bytes of extensions and trailers so far, over the whole body.
    extra: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { value: u64, digits: u8 },
    Extension { value: u64 },
    SizeLf { value: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

/// The body is not chunked as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Nobody needs extensions or trailers here; what is tolerated of them is bounded.
const MAX_EXTRA: usize = 8 << 10;

impl Chunks {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Size { value: 0, digits: 0 },
            extra: 0,
        }
    }

    /// Whether the last byte of the body was seen.
    pub(super) fn done(&self) -> bool {
        self.state == State::Done
    }

    /// How many of the next bytes belong to the body.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut seen = 0;
        while self.state != State::Done && seen < bytes.len() {
            if let State::Data { left } = &mut self.state {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - seen);
                *left -= u64::try_from(here).map_err(|_| Malformed)?;
                seen += here;
                if *left == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            let byte = bytes.get(seen).ok_or(Malformed)?;
            self.state = self.next(*byte)?;
            seen += 1;
        }
        Ok(seen)
    }

    fn next(&mut self, byte: u8) -> Result<State, Malformed> {
        match (self.state, byte) {
            (State::Size { digits: 1.., value }, b'\r') | (State::Extension { value }, b'\r') => {
                Ok(State::SizeLf { value })
            }
            (State::Size { digits: 1.., value }, b';') => Ok(State::Extension { value }),
            (State::Size { value, digits }, digit) => size(value, digits, digit),
            (State::Extension { value }, byte) => self.tolerate(byte, State::Extension { value }),
            (State::SizeLf { value: 0 }, b'\n') => Ok(State::TrailerStart),
            (State::SizeLf { value }, b'\n') => Ok(State::Data { left: value }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { value: 0, digits: 0 }),
            (State::TrailerStart, b'\r') => Ok(State::EndLf),
            (State::Trailer, b'\r') => Ok(State::TrailerLf),
            (State::TrailerStart | State::Trailer, byte) => self.tolerate(byte, State::Trailer),
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::EndLf, b'\n') => Ok(State::Done),
            (State::SizeLf { .. } | State::DataCr | State::DataLf | State::TrailerLf | State::EndLf, _)
            | (State::Data { .. } | State::Done, _) => Err(Malformed),
        }
    }

    fn tolerate(&mut self, byte: u8, state: State) -> Result<State, Malformed> {
        self.extra += 1;
        let fits = self.extra <= MAX_EXTRA && (!byte.is_ascii_control() || byte == b'\t');
        fits.then_some(state).ok_or(Malformed)
    }
}

/// One more hexadecimal digit of a chunk size; more than 16 of them overflow, leading zeros or not.
fn size(value: u64, digits: u8, digit: u8) -> Result<State, Malformed> {
    let digit = char::from(digit).to_digit(16).ok_or(Malformed)?;
    if digits == 16 {
        return Err(Malformed);
    }
    Ok(State::Size {
        value: value << 4 | u64::from(digit),
        digits: digits + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(body: &str) -> Option<usize> {
        let mut chunks = Chunks::new();
        let seen = chunks.scan(body.as_bytes()).ok()?;
        chunks.done().then_some(seen)
    }

    #[test]
    fn finds_the_end() {
        let check = |body: &str, rest: &str| {
            assert_eq!(scan(&format!("{body}{rest}")), Some(body.len()), "{body:?}");
        };
        check("0\r\n\r\n", "GET /");
        check("3\r\nabc\r\n0\r\n\r\n", "");
        check("a;x=\"y\"\r\n0123456789\r\n00\r\n\r\n", "x");
        check("1\r\na\r\n0\r\nX: y\r\nZ: \r\n\r\n", "\r\n");
    }

    #[test]
    fn refuses_what_two_parsers_may_read_differently() {
        for body in [
            "",
            "0",
            "0\r\n",
            "\r\n",
            "0\n\n",
            "3\nabc\r\n0\r\n\r\n",
            "3;x\nabc\r\n0\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "3\r\nab\r\n0\r\n\r\n",
            " 3\r\nabc\r\n0\r\n\r\n",
            "3 \r\nabc\r\n0\r\n\r\n",
            "0x3\r\nabc\r\n0\r\n\r\n",
            "-1\r\n",
            "+0\r\n\r\n",
            "10000000000000000\r\n",
            "00000000000000003\r\nabc\r\n0\r\n\r\n",
            "0\r\n\n",
            "0\r\nX\n\r\n",
        ] {
            assert_eq!(scan(body), None, "{body:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        assert!(scan(&format!("0;{}\r\n\r\n", "x".repeat(MAX_EXTRA))).is_some());
        assert_eq!(scan(&format!("0;{}\r\n\r\n", "x".repeat(MAX_EXTRA + 1))), None);
        let many = "1;xx\r\na\r\n".repeat(MAX_EXTRA / 2 + 1);
        assert_eq!(scan(&format!("{many}0\r\n\r\n")), None);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            chunks in prop::collection::vec("[ -~]{1,20}", 0..5),
            rest in "[ -~]{0,9}",
            at in 0_usize..200,
        ) {
            let mut body: String = chunks.iter().map(|c| format!("{:x}\r\n{c}\r\n", c.len())).collect();
            body.push_str("0\r\n\r\n");
            let (length, body) = (body.len(), body + &rest);
            let (first, second) = body.as_bytes().split_at(at.min(body.len()));
            let mut chunks = Chunks::new();
            let seen = chunks.scan(first).unwrap();
            let seen = seen + if chunks.done() { 0 } else { chunks.scan(second).unwrap() };
            prop_assert!(chunks.done());
            prop_assert_eq!(seen, length);
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(prop::sample::select(b"0123;\r\nabf\x00".to_vec()), 0..40)) {
            let _ = Chunks::new().scan(&bytes);
        }
    }
}
