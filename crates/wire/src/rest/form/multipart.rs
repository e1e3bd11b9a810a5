//! `multipart/form-data` (RFC 7578), read piece by piece: small fields first, which are kept, then a file, which is not.

use bytes::{Buf as _, Bytes, BytesMut};

use super::{FILE, malformed};
use crate::content::ContentError;
use crate::error::Error;

/// How much may come before the file, in bytes (S3: 20 KB).
pub const FIELDS_BYTES_MAX: usize = 20 * 1024;
/// How much may come after it: fields that nobody looks at.
pub const EPILOGUE_BYTES_MAX: usize = 64 * 1024;
/// The longest boundary (RFC 2046, section 5.1.1).
const BOUNDARY_LENGTH_MAX: usize = 70;

/// Reads a form.
#[derive(Debug)]
pub struct Multipart {
    /// What separates parts, with the end of the line before it.
    delimiter: Vec<u8>,
    /// What has come and is not understood yet.
    buffer: BytesMut,
    fields_bytes_left: usize,
    epilogue_bytes_left: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a part.
    Boundary,
    /// In a part, before its bytes.
    Head,
    /// In the file.
    File,
    /// Behind it.
    Epilogue,
}

/// What is next in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A field.
    Field {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// The file, whose bytes follow.
    File {
        /// Its name, as its sender calls it.
        filename: String,
    },
}

impl Multipart {
    /// A form of this `Content-Type`.
    ///
    /// # Errors
    /// One without a boundary.
    pub fn new(content_type: &str) -> Result<Self, Error> {
        let boundary = parameters(content_type).find(|(name, _)| name.eq_ignore_ascii_case("boundary"));
        let boundary = boundary.map(|(_, value)| value).ok_or_else(malformed)?;
        if boundary.is_empty()
            || boundary.len() > BOUNDARY_LENGTH_MAX
            || !boundary.bytes().all(|b| (b' '..=b'~').contains(&b))
        {
            return Err(malformed());
        }
        let mut buffer = BytesMut::new();
        // The first boundary has no line before it.
        buffer.extend_from_slice(b"\r\n");
        Ok(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            buffer,
            fields_bytes_left: FIELDS_BYTES_MAX,
            epilogue_bytes_left: EPILOGUE_BYTES_MAX,
            state: State::Boundary,
        })
    }

    /// Takes what has come, as long as the file has not.
    pub fn push(&mut self, input: &Bytes) {
        self.buffer.extend_from_slice(input);
    }

    /// The next field, or the file; none when it needs more.
    ///
    /// # Errors
    /// What is no form, has no file in it, or too much before the file.
    pub fn next_part(&mut self) -> Result<Option<Part>, Error> {
        loop {
            let part = match self.state {
                State::Boundary => self.boundary()?.then_some(None),
                State::Head => self.part()?.map(Some),
                State::File | State::Epilogue => return Err(malformed()),
            };
            match part {
                Some(None) => {}
                Some(Some(part)) => return Ok(Some(part)),
                // What is kept waits for its end, and is before the file.
                None if self.buffer.len() > self.fields_bytes_left => return Err(too_much()),
                None => return Ok(None),
            }
        }
    }

    /// The next bytes of the file, out of what has come; none when it needs more, and none from its end on.
    ///
    /// # Errors
    /// [`ContentError::MalformedForm`] for too much behind the file.
    pub fn data(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ContentError> {
        loop {
            if self.state == State::Epilogue {
                let left = self.epilogue_bytes_left.checked_sub(input.len());
                self.epilogue_bytes_left = left.ok_or(ContentError::MalformedForm)?;
                input.clear();
                return Ok(None);
            }
            let block = match self.buffer.is_empty() {
                true => std::mem::take(input),
                false => {
                    self.buffer.extend_from_slice(input);
                    input.clear();
                    self.buffer.split().freeze()
                }
            };
            let piece = match find(&block, &self.delimiter) {
                Some(at) => {
                    self.state = State::Epilogue;
                    *input = block.slice(at + self.delimiter.len()..);
                    block.slice(..at)
                }
                None => {
                    let kept = beginning_at_the_end(&block, &self.delimiter);
                    self.buffer.extend_from_slice(&block[block.len() - kept..]);
                    block.slice(..block.len() - kept)
                }
            };
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
            if self.state != State::Epilogue {
                return Ok(None);
            }
        }
    }

    /// Is told that there is no more.
    ///
    /// # Errors
    /// [`ContentError::Incomplete`] when the file has not ended.
    pub fn finish(&self) -> Result<(), ContentError> {
        (self.state == State::Epilogue).then_some(()).ok_or(ContentError::Incomplete)
    }

    /// Passes over what separates parts; whether all of it was there.
    fn boundary(&mut self) -> Result<bool, Error> {
        let Some(at) = find(&self.buffer, &self.delimiter) else { return Ok(false) };
        let after = at + self.delimiter.len();
        match self.buffer.get(after..after + 2) {
            None => return Ok(false),
            Some(b"\r\n") => self.state = State::Head,
            Some(b"--") => return Err(no_file()),
            Some(_) => return Err(malformed()),
        }
        self.spend(after + 2)?;
        Ok(true)
    }

    /// A part: all of a field, the head of the file.
    fn part(&mut self) -> Result<Option<Part>, Error> {
        let Some(length) = find(&self.buffer, b"\r\n\r\n") else { return Ok(None) };
        let (name, filename) = disposition(&self.buffer[..length])?;
        let value_at = length + 4;
        if name.eq_ignore_ascii_case(FILE) {
            self.spend(value_at)?;
            self.state = State::File;
            return Ok(Some(Part::File { filename: filename.unwrap_or_default() }));
        }
        let Some(end) = find(&self.buffer[value_at..], &self.delimiter) else { return Ok(None) };
        let value = String::from_utf8(self.buffer[value_at..value_at + end].to_vec()).map_err(|_| malformed())?;
        self.spend(value_at + end)?;
        self.state = State::Boundary;
        Ok(Some(Part::Field { name, value }))
    }

    fn spend(&mut self, length: usize) -> Result<(), Error> {
        self.fields_bytes_left = self.fields_bytes_left.checked_sub(length).ok_or_else(too_much)?;
        self.buffer.advance(length);
        Ok(())
    }
}

fn too_much() -> Error {
    let message = "Your POST request fields preceding the upload file were too large.";
    Error::new("MaxPostPreDataLengthExceededError", 400, message)
}

fn no_file() -> Error {
    let message = "POST requires exactly one file upload per request.";
    Error::new("InvalidArgument", 400, message).with("ArgumentName", FILE).with("ArgumentValue", "0")
}

/// Name and file name of a part, from its head.
fn disposition(head: &[u8]) -> Result<(String, Option<String>), Error> {
    let head = std::str::from_utf8(head).map_err(|_| malformed())?;
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let line = line.ok_or_else(malformed)?;
    if !line.trim_start().to_ascii_lowercase().starts_with("form-data") {
        return Err(malformed());
    }
    let of =
        |wanted: &str| parameters(line).find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
    Ok((of("name").ok_or_else(malformed)?, of("filename")))
}

/// The parameters of a header's value: `; name=value`, or `; name="value"` in which browsers write a quote as `%22` or
/// behind a backslash.
fn parameters(line: &str) -> impl Iterator<Item = (&str, String)> {
    let mut rest = line.split_once(';').map_or("", |(_, rest)| rest);
    std::iter::from_fn(move || {
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let text;
        if let Some(quoted) = value.strip_prefix('"') {
            let (inner, after) = unquoted(quoted)?;
            (text, rest) = (inner, after.split_once(';').map_or("", |(_, rest)| rest));
        } else {
            let (inner, after) = value.split_once(';').unwrap_or((value, ""));
            (text, rest) = (inner.trim_end().to_owned(), after);
        }
        Some((name.trim(), text))
    })
}

/// What stands before the closing quote, and what behind it.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &quoted[at + 1..])),
            // A backslash in a path of Windows stands for itself.
            '\\' if quoted[at + 1..].starts_with(['"', '\\']) => text.extend(chars.next().map(|(_, c)| c)),
            c => text.push(c),
        }
    }
    None
}

/// Where a text begins in another.
fn find(whole: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = whole.get(from..)?.iter().position(|byte| *byte == first) {
        if whole[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// How much of the end of `block` may be the beginning of `wanted`.
fn beginning_at_the_end(block: &[u8], wanted: &[u8]) -> usize {
    let longest = block.len().min(wanted.len() - 1);
    (1..=longest).rev().find(|length| wanted.starts_with(&block[block.len() - length..])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=XX";

    /// Fields, file name and file.
    type Read = (Vec<(String, String)>, String, Vec<u8>);

    /// What is read of a form that comes in pieces of `step` bytes.
    fn read(form: &[u8], step: usize) -> Result<Read, String> {
        let mut parser = Multipart::new(TYPE).unwrap();
        let (mut fields, mut filename, mut file) = (Vec::new(), None, Vec::new());
        for piece in form.chunks(step) {
            let mut input = Bytes::copy_from_slice(piece);
            if filename.is_none() {
                parser.push(&input);
                input.clear();
                while let Some(part) = parser.next_part().map_err(|error| error.code.into_owned())? {
                    match part {
                        Part::Field { name, value } => fields.push((name, value)),
                        Part::File { filename: name } => {
                            filename = Some(name);
                            break;
                        }
                    }
                }
            }
            if filename.is_some() {
                while let Some(bytes) = parser.data(&mut input).map_err(|error| error.to_string())? {
                    file.extend_from_slice(&bytes);
                }
            }
        }
        parser.finish().map_err(|error| format!("{error:?}"))?;
        Ok((fields, filename.unwrap(), file))
    }

    fn form(file: &str) -> String {
        format!(
            "--XX\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na\r\nb\r\n--XX\r\nContent-Disposition: form-data; \
             name=\"empty\"\r\n\r\n\r\n--XX\r\ncontent-type: image/png\r\nCONTENT-DISPOSITION: form-data; name=file; \
             filename=\"c:\\ä;\\\"1\\\".png\"\r\n\r\n{file}\r\n--XX\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\nx\r\n--XX--\r\n"
        )
    }

    #[test]
    fn fields_and_file_are_read_however_they_come() {
        for file in ["", "plain", "\r\n", "\r\n--X", "\r\n--X\r\n--", "\r\r\n\r\n--XY"] {
            for step in [1, 2, 3, 7, 64, 4096] {
                let (fields, filename, read) = read(form(file).as_bytes(), step).unwrap();
                let expected =
                    [("key", "a\r\nb"), ("empty", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
                assert_eq!((fields, filename.as_str()), (expected.to_vec(), "c:\\ä;\"1\".png"), "{file:?} {step}");
                assert_eq!(read, file.as_bytes(), "{step}");
            }
        }
    }

    #[test]
    fn what_is_no_form_or_has_no_end_is_refused() {
        let whole = form("plain");
        let end = whole.find("plain").unwrap() + 5;
        for cut in [end, end + 2, end + 5] {
            assert_eq!(read(&whole.as_bytes()[..cut], 16), Err("Incomplete".to_owned()), "{cut}");
        }
        for (form, code) in [
            ("--XX--\r\n", "InvalidArgument"),
            ("--XXX\r\n", "MalformedPOSTRequest"),
            ("--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n", "MalformedPOSTRequest"),
            ("--XX\r\nContent-Disposition: form-data\r\n\r\n", "MalformedPOSTRequest"),
            ("--XX\r\nContent-Type: a\r\n\r\n", "MalformedPOSTRequest"),
        ] {
            assert_eq!(read(form.as_bytes(), 5).unwrap_err(), code, "{form}");
        }
        for content_type in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"ä\""]
        {
            assert!(Multipart::new(content_type).is_err(), "{content_type}");
        }
        assert!(Multipart::new("multipart/form-data; charset=utf-8; boundary=\"a b\"").is_ok());
    }

    #[test]
    fn what_comes_before_and_behind_the_file_is_bounded() {
        let long = "x".repeat(FIELDS_BYTES_MAX);
        let field = format!("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{long}\r\n--XX\r\n");
        for step in [100, 1 << 20] {
            assert_eq!(read(field.as_bytes(), step).unwrap_err(), "MaxPostPreDataLengthExceededError");
        }
        let late = format!("{}{}", form("plain"), "x".repeat(EPILOGUE_BYTES_MAX));
        assert!(read(late.as_bytes(), 1000).is_err());
    }
}
