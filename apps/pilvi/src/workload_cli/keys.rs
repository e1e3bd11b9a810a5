//! The keys by which somebody leaves what runs.

use std::str::FromStr;

/// Those of docker.
pub(crate) const DETACH_KEYS: &str = "ctrl-p,ctrl-q";
/// The most keys in a row.
const KEYS_MAX: usize = 16;

/// The keys, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachKeys(Vec<u8>);

/// Looks for the keys in what is typed.
#[derive(Debug)]
pub(super) struct Keys {
    wanted: Vec<u8>,
    /// How many of them were typed last.
    typed: usize,
}

/// What became of something that was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// What goes on to the program.
    pub(super) passed: Vec<u8>,
    /// Whether the keys were among it; what came after them is nobody's.
    pub(super) leaves: bool,
}

impl Default for DetachKeys {
    fn default() -> Self {
        // ctrl-p, ctrl-q.
        Self(vec![0x10, 0x11])
    }
}

impl FromStr for DetachKeys {
    type Err = String;

    /// Reads `ctrl-p,ctrl-q`: letters, and `ctrl-` with a letter or one of `@ [ \ ] ^ _`.
    fn from_str(text: &str) -> Result<Self, String> {
        let key = |part: &str| match (part.strip_prefix("ctrl-"), part.as_bytes()) {
            (Some(rest), _) => match rest.as_bytes() {
                [key @ (b'a'..=b'z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => Some(key & 0x1f),
                _ => None,
            },
            (None, [key]) if key.is_ascii_graphic() => Some(*key),
            (None, _) => None,
        };
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        match keys {
            Some(keys) if keys.len() <= KEYS_MAX => Ok(Self(keys)),
            _ => Err(format!("`{text}` are no keys such as {DETACH_KEYS}")),
        }
    }
}

impl Keys {
    pub(super) fn new(wanted: &DetachKeys) -> Self {
        Self { wanted: wanted.0.clone(), typed: 0 }
    }

    /// Takes what was typed. The first keys are held back until it is clear that the others do not follow.
    pub(super) fn take(&mut self, typed: &[u8]) -> Typed {
        let mut passed = Vec::with_capacity(typed.len());
        for &byte in typed {
            // Of what is held back a shorter beginning may go on: a,a,b of "a,b".
            while self.typed > 0 && self.wanted.get(self.typed) != Some(&byte) {
                let longest = (0..self.typed)
                    .rev()
                    .find(|&length| self.wanted[..length] == self.wanted[self.typed - length..self.typed]);
                let kept = longest.unwrap_or(0);
                passed.extend_from_slice(&self.wanted[..self.typed - kept]);
                self.typed = kept;
            }
            if self.wanted.get(self.typed) == Some(&byte) {
                self.typed += 1;
                if self.typed == self.wanted.len() {
                    return Typed { passed, leaves: true };
                }
            } else {
                passed.push(byte);
            }
        }
        Typed { passed, leaves: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &mut Keys, text: &[u8]) -> (Vec<u8>, bool) {
        let Typed { passed, leaves } = keys.take(text);
        (passed, leaves)
    }

    #[test]
    fn the_keys_are_found_however_they_arrive_and_reach_nobody() {
        let wanted: DetachKeys = DETACH_KEYS.parse().unwrap();
        assert_eq!(wanted, DetachKeys::default());
        let mut keys = Keys::new(&wanted);
        assert_eq!(typed(&mut keys, b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(typed(&mut keys, b"c"), (b"\x10c".to_vec(), false));
        assert_eq!(typed(&mut keys, b"\x10\x10"), (b"\x10".to_vec(), false));
        assert_eq!(typed(&mut keys, b"\x11rest"), (Vec::new(), true));
    }

    #[test]
    fn of_keys_that_begin_like_themselves_none_is_missed() {
        let mut keys = Keys::new(&"a,a,b".parse().unwrap());
        assert_eq!(typed(&mut keys, b"aaab"), (b"a".to_vec(), true));
        let mut keys = Keys::new(&"a,b,a,c".parse().unwrap());
        assert_eq!(typed(&mut keys, b"xababac"), (b"xab".to_vec(), true));
    }

    #[test]
    fn keys_are_read_as_docker_writes_them() {
        assert_eq!("ctrl-@,z".parse(), Ok(DetachKeys(vec![0, b'z'])));
        assert_eq!("ctrl-[".parse(), Ok(DetachKeys(vec![0x1b])));
        for wrong in ["", "ctrl-", "ctrl-pp", "ctrl-A", "ab", "a,", &["a"; 17].join(",")] {
            assert!(wrong.parse::<DetachKeys>().is_err(), "{wrong}");
        }
    }
}
