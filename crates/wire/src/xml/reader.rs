//! An XML reader of the strict and boring kind: elements, attributes, text, the five named entities and characters by number.
//!
//! There is no document type, so there are no entities that grow, and nothing is fetched. Depth, the number of attributes
//! and the length of names are bounded; how much text there can be is bounded by whoever hands the text in. It works through
//! a text that is in memory and keeps nothing but the names of the elements that are open.

use std::borrow::Cow;

/// How deep elements may nest.
pub const DEPTH_MAX: usize = 64;
/// How many attributes an element may have.
pub const ATTRIBUTES_MAX: usize = 32;
/// How long a name may be, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// The text is not well-formed, or not of the kind that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the XML is not well-formed")]
pub struct Malformed;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'x> {
    /// An element begins.
    Start {
        /// Its name without a prefix.
        name: &'x str,
        /// Its attributes, names as they stand there.
        attributes: Vec<(&'x str, Cow<'x, str>)>,
    },
    /// The element that was begun last ends.
    End,
    /// Text in it, never empty. What one element holds may come in several pieces.
    Text(Cow<'x, str>),
}

/// Reads a document from its beginning to its end.
#[derive(Debug)]
pub struct Reader<'x> {
    rest: &'x str,
    /// The elements that are open, as they are written.
    open: Vec<&'x str>,
    /// An element that has ended with its beginning: `<a/>`.
    is_empty_element: bool,
    has_root: bool,
}

impl<'x> Reader<'x> {
    /// Reads `document`, which is UTF-8 whatever it declares.
    ///
    /// # Errors
    /// [`Malformed`] when it is not.
    pub fn new(document: &'x [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(document).map_err(|_| Malformed)?;
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        Ok(Self { rest, open: Vec::new(), is_empty_element: false, has_root: false })
    }

    /// The next event; none at the end of the document.
    ///
    /// # Errors
    /// [`Malformed`]; the reader is of no use then.
    pub fn read(&mut self) -> Result<Option<Event<'x>>, Malformed> {
        if std::mem::take(&mut self.is_empty_element) {
            return Ok(Some(Event::End));
        }
        loop {
            if self.rest.is_empty() {
                return if self.has_root && self.open.is_empty() { Ok(None) } else { Err(Malformed) };
            }
            let event = match self.rest.find('<') {
                Some(0) => self.markup()?,
                Some(length) => self.text(length)?,
                None => self.text(self.rest.len())?,
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Reads on to the end of the element that was begun last.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn skip(&mut self) -> Result<(), Malformed> {
        let mut depth = 1;
        while depth > 0 {
            match self.read()?.ok_or(Malformed)? {
                Event::Start { .. } => depth += 1,
                Event::End => depth -= 1,
                Event::Text(_) => {}
            }
        }
        Ok(())
    }

    /// What begins with `<`.
    fn markup(&mut self) -> Result<Option<Event<'x>>, Malformed> {
        if let Some(comment) = self.rest.strip_prefix("<!--") {
            let (inner, rest) = comment.split_once("--").ok_or(Malformed)?;
            self.rest = rest.strip_prefix('>').ok_or(Malformed)?;
            return is_text(inner).then_some(None).ok_or(Malformed);
        }
        if let Some(section) = self.rest.strip_prefix("<![CDATA[") {
            let (inner, rest) = section.split_once("]]>").ok_or(Malformed)?;
            self.rest = rest;
            if self.open.is_empty() || !is_text(inner) {
                return Err(Malformed);
            }
            return Ok((!inner.is_empty()).then(|| Event::Text(lines(inner))));
        }
        if let Some(instruction) = self.rest.strip_prefix("<?") {
            self.rest = instruction.split_once("?>").ok_or(Malformed)?.1;
            return Ok(None);
        }
        match self.rest.as_bytes().get(1) {
            // A document type: that is where entities are made.
            Some(b'!') | None => Err(Malformed),
            Some(b'/') => self.end().map(Some),
            Some(_) => self.start().map(Some),
        }
    }

    fn start(&mut self) -> Result<Event<'x>, Malformed> {
        self.rest = &self.rest[1..];
        let name = self.name()?;
        if (self.has_root && self.open.is_empty()) || self.open.len() >= DEPTH_MAX {
            return Err(Malformed);
        }
        self.has_root = true;
        let mut attributes: Vec<(&'x str, Cow<'x, str>)> = Vec::new();
        loop {
            let had_blank = self.blanks();
            if let Some(rest) = self.rest.strip_prefix("/>") {
                self.rest = rest;
                self.is_empty_element = true;
                return Ok(Event::Start { name: local(name), attributes });
            }
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                self.open.push(name);
                return Ok(Event::Start { name: local(name), attributes });
            }
            if !had_blank || attributes.len() >= ATTRIBUTES_MAX {
                return Err(Malformed);
            }
            let (key, value) = self.attribute()?;
            if attributes.iter().any(|(taken, _)| *taken == key) {
                return Err(Malformed);
            }
            attributes.push((key, value));
        }
    }

    fn attribute(&mut self) -> Result<(&'x str, Cow<'x, str>), Malformed> {
        let name = self.name()?;
        self.blanks();
        self.rest = self.rest.strip_prefix('=').ok_or(Malformed)?;
        self.blanks();
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or(Malformed)?;
        let (value, rest) = self.rest[1..].split_once(quote).ok_or(Malformed)?;
        self.rest = rest;
        if value.contains('<') {
            return Err(Malformed);
        }
        Ok((name, unescaped(value)?))
    }

    fn end(&mut self) -> Result<Event<'x>, Malformed> {
        self.rest = &self.rest[2..];
        let name = self.name()?;
        self.blanks();
        self.rest = self.rest.strip_prefix('>').ok_or(Malformed)?;
        (self.open.pop() == Some(name)).then_some(Event::End).ok_or(Malformed)
    }

    fn text(&mut self, length: usize) -> Result<Option<Event<'x>>, Malformed> {
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        if self.open.is_empty() {
            return text.bytes().all(is_blank).then_some(None).ok_or(Malformed);
        }
        if text.contains("]]>") {
            return Err(Malformed);
        }
        Ok(Some(Event::Text(unescaped(text)?)))
    }

    fn name(&mut self) -> Result<&'x str, Malformed> {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, ':' | '_' | '-' | '.' | '\u{b7}');
        let length = self.rest.find(|c: char| !is_part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(length);
        let first = name.chars().next().ok_or(Malformed)?;
        if name.len() > NAME_BYTES_MAX || first.is_numeric() || matches!(first, '-' | '.') {
            return Err(Malformed);
        }
        self.rest = rest;
        Ok(name)
    }

    /// Passes over blanks; whether there were any.
    fn blanks(&mut self) -> bool {
        let length = self.rest.bytes().take_while(|byte| is_blank(*byte)).count();
        self.rest = &self.rest[length..];
        length > 0
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn is_text(text: &str) -> bool {
    text.chars().all(super::is_xml_char)
}

/// Text whose lines end as XML wants it: a carriage return that is not written by number means the end of a line.
fn lines(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    }
}

fn unescaped(text: &str) -> Result<Cow<'_, str>, Malformed> {
    if !is_text(text) {
        return Err(Malformed);
    }
    if !text.contains('&') {
        return Ok(lines(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        out.push_str(&lines(before));
        let (name, after) = reference.split_once(';').ok_or(Malformed)?;
        out.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            number => numbered(number.strip_prefix('#').ok_or(Malformed)?)?,
        });
        rest = after;
    }
    out.push_str(&lines(rest));
    Ok(Cow::Owned(out))
}

fn numbered(number: &str) -> Result<char, Malformed> {
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // What `from_str_radix` takes beside digits.
    if digits.starts_with('+') {
        return Err(Malformed);
    }
    let code = u32::from_str_radix(digits, radix).map_err(|_| Malformed)?;
    char::from_u32(code).filter(|c| super::is_xml_char(*c)).ok_or(Malformed)
}

#[cfg(test)]
mod tests;
