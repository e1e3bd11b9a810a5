//! What a container wrote, as a terminal may show it that is somebody else's.

use crate::terminal::printable;

/// Takes the steering out of a stream, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// The beginning of a character whose end has not come.
    begun: Vec<u8>,
}

impl Shown {
    /// What may be shown of the next piece. Lines and tabulators stay.
    pub(crate) fn of(&mut self, piece: &[u8]) -> Vec<u8> {
        self.begun.extend_from_slice(piece);
        let whole = match std::str::from_utf8(&self.begun) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            // What is no character at all is replaced below.
            _ => self.begun.len() - unfinished(&self.begun),
        };
        let rest = self.begun.split_off(whole);
        let text = String::from_utf8_lossy(&self.begun).replace("\r\n", "\n");
        self.begun = rest;
        let lines: Vec<String> =
            text.split('\n').map(|line| line.split('\t').map(printable).collect::<Vec<_>>().join("\t")).collect();
        lines.join("\n").into_bytes()
    }
}

/// How many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|&length| {
            let tail = &bytes[bytes.len() - length..];
            std::str::from_utf8(tail).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_cannot_steer_the_terminal_of_who_reads_its_output() {
        let mut shown = Shown::default();
        assert_eq!(shown.of(b"a\tb\r\n\x1b]0;title\x07c\n"), b"a\tb\n ]0;title c\n");
    }

    #[test]
    fn a_character_that_comes_in_two_pieces_stays_whole() {
        let mut shown = Shown::default();
        let text = "ä𝄞".as_bytes();
        let mut all = Vec::new();
        for byte in text {
            all.extend(shown.of(&[*byte]));
        }
        assert_eq!(all, text);
        assert_eq!(shown.of(b"\xffa\xe2\x82"), "\u{fffd}a".as_bytes());
        assert_eq!(shown.of(b"\xac"), "€".as_bytes());
    }
}
