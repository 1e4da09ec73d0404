//! An answer's head, and whether it is what was asked for.

use anyhow::{Context, Result, bail, ensure};

const FIELDS: usize = 64;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Head {
    /// Of the head itself, with its empty line.
    pub(crate) bytes: usize,
    status: u16,
    length: Option<u64>,
    content_range: Option<String>,
    etag: Option<String>,
    /// Whether the server closes the connection after this answer.
    pub(crate) close: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    pub(crate) length: u64,
    pub(crate) content_range: Option<String>,
    pub(crate) etag: String,
}

impl Head {
    /// `None` while there is more of it to come.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut parsed = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(end) = parsed.parse(bytes).context("not a head")? else {
            return Ok(None);
        };
        let mut head = Self {
            bytes: end,
            status: parsed.code.context("no status")?,
            ..Self::default()
        };
        for field in parsed.headers.iter() {
            head.take(field.name, field.value)?;
        }
        Ok(Some(head))
    }

    fn take(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let text = || std::str::from_utf8(value).with_context(|| format!("{name} is no text"));
        if name.eq_ignore_ascii_case("content-length") {
            self.length = Some(text()?.parse().context("content-length")?);
        } else if name.eq_ignore_ascii_case("content-range") {
            self.content_range = Some(text()?.to_owned());
        } else if name.eq_ignore_ascii_case("etag") {
            self.etag = Some(text()?.to_owned());
        } else if name.eq_ignore_ascii_case("connection") {
            self.close = text()?.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("a body with transfer-encoding {} instead of a length", text()?);
        }
        Ok(())
    }

    pub(crate) fn check(&self, expected: &Expected) -> Result<()> {
        ensure!(
            self.status == expected.status,
            "status {} instead of {}",
            self.status,
            expected.status
        );
        ensure!(
            self.length == Some(expected.length),
            "content-length {:?} instead of {}",
            self.length,
            expected.length
        );
        ensure!(
            self.content_range == expected.content_range,
            "content-range {:?} instead of {:?}",
            self.content_range,
            expected.content_range
        );
        ensure!(
            self.etag.as_ref() == Some(&expected.etag),
            "etag {:?} instead of {}",
            self.etag,
            expected.etag
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTIAL: &str = "HTTP/1.1 206 Partial Content\r\ncontent-LENGTH: 4\r\nContent-Range: bytes 0-3/8\r\n\
                           ETag: \"t\"\r\nConnection: keep-alive\r\n\r\n";

    fn expected() -> Expected {
        Expected {
            status: 206,
            length: 4,
            content_range: Some("bytes 0-3/8".into()),
            etag: "\"t\"".into(),
        }
    }

    fn fault(head: &str) -> String {
        match Head::parse(head.as_bytes()) {
            Ok(Some(head)) => head.check(&expected()).unwrap_err().to_string(),
            Ok(None) => "unfinished".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_answer_as_asked_for() {
        let whole = format!("{PARTIAL}body");
        let head = Head::parse(whole.as_bytes()).unwrap().unwrap();
        assert_eq!((head.bytes, head.close), (PARTIAL.len(), false));
        head.check(&expected()).unwrap();
    }

    #[test]
    fn every_part_of_a_head_is_unfinished() {
        for end in 0..PARTIAL.len() {
            assert_eq!(Head::parse(&PARTIAL.as_bytes()[..end]).unwrap(), None, "{end}");
        }
    }

    #[test]
    fn answers_that_are_something_else() {
        for (from, to, says) in [
            ("206", "200", "status 200"),
            ("LENGTH: 4", "LENGTH: 5", "content-length Some(5)"),
            ("0-3/8", "4-7/8", "content-range"),
            ("\"t\"", "\"u\"", "etag"),
            ("\"t\"", "W/\"t\"", "etag"),
            ("Connection: keep-alive", "Transfer-Encoding: chunked", "a body with"),
            ("HTTP/1.1", "SPDY", "not a head"),
        ] {
            let head = PARTIAL.replacen(from, to, 1);
            assert!(fault(&head).starts_with(says), "{head}: {}", fault(&head));
        }
    }

    #[test]
    fn a_connection_that_will_be_closed() {
        let head = PARTIAL.replace("keep-alive", "Close");
        assert!(Head::parse(head.as_bytes()).unwrap().unwrap().close);
    }
}
