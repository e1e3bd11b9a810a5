//! CBOR as another client might write it: lengths definite or not, numbers wider than they need be, tags that say nothing.

use serde_json::Value;

/// Writes `document`, choosing each item's form by the bits of `choices`, over and over.
pub(crate) fn cbor(document: &Value, choices: &[u8]) -> Vec<u8> {
    let mut writer = Writer { out: Vec::new(), choices, next: 0 };
    writer.item(document);
    writer.out
}

struct Writer<'c> {
    out: Vec<u8>,
    choices: &'c [u8],
    next: usize,
}

impl Writer<'_> {
    fn choice(&mut self, of: u8) -> u8 {
        let choice = self.choices.get(self.next % self.choices.len().max(1)).copied().unwrap_or_default();
        self.next += 1;
        choice % of
    }

    fn item(&mut self, document: &Value) {
        if self.choice(8) == 0 {
            self.head(6, 55799);
        }
        match document {
            Value::Null => {
                let null = [0xf6, 0xf7][usize::from(self.choice(2))];
                self.out.push(null);
            }
            Value::Bool(inner) => self.out.push(if *inner { 0xf5 } else { 0xf4 }),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => self.head(0, number),
                (None, Some(number)) => self.head(1, (-1 - number) as u64),
                (None, None) => {
                    self.out.push(0xfb);
                    self.out.extend_from_slice(&number.as_f64().unwrap().to_be_bytes());
                }
            },
            Value::String(inner) => self.text(inner),
            Value::Array(items) => {
                let is_open = self.open(4, items.len());
                items.iter().for_each(|item| self.item(item));
                self.close(is_open);
            }
            Value::Object(members) => {
                let is_open = self.open(5, members.len());
                for (name, inner) in members {
                    self.text(name);
                    self.item(inner);
                }
                self.close(is_open);
            }
        }
    }

    fn text(&mut self, text: &str) {
        if self.choice(3) > 0 {
            self.head(3, text.len() as u64);
            return self.out.extend_from_slice(text.as_bytes());
        }
        let is_open = self.open_always(3);
        for piece in text.chars() {
            self.head(3, piece.len_utf8() as u64);
            self.out.extend_from_slice(piece.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.close(is_open);
    }

    fn open(&mut self, major: u8, length: usize) -> bool {
        if self.choice(2) == 0 {
            return self.open_always(major);
        }
        self.head(major, length as u64);
        false
    }

    fn open_always(&mut self, major: u8) -> bool {
        self.out.push(major << 5 | 31);
        true
    }

    fn close(&mut self, is_open: bool) {
        if is_open {
            self.out.push(0xff);
        }
    }

    /// A head in any width that holds its argument.
    fn head(&mut self, major: u8, argument: u64) {
        let narrowest = match argument {
            0..=23 => 0,
            24..=0xff => 1,
            0x100..=0xffff => 2,
            0x1_0000..=0xffff_ffff => 3,
            _ => 4,
        };
        let width = narrowest + self.choice(5 - narrowest);
        match width {
            0 => self.out.push(major << 5 | argument as u8),
            width => {
                self.out.push(major << 5 | (23 + width));
                let bytes = argument.to_be_bytes();
                self.out.extend_from_slice(&bytes[8 - (1 << (width - 1))..]);
            }
        }
    }
}
