//! What is in the files of an image: bytes that compress about as programs, libraries and sources do, the same in every run.

use base::{Rng, SeededRng};

/// What a file is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sources, scripts, documents.
    Text,
    /// Machine code and tables, with names here and there.
    Program,
    /// Pictures and archives, which nothing makes smaller.
    Packed,
}

/// Words that texts are made of.
const WORDS: usize = 3000;
/// Instructions that programs are made of.
const INSTRUCTIONS: usize = 2048;
/// How far back a text repeats one of its lines: what a compressor still sees.
const REPEATED_WITHIN: u64 = 200;
/// What programs repeat of themselves, and how far back.
const REPEATED_BYTES: usize = 96;
const REPEATED_BYTES_WITHIN: usize = 24 * 1024;

/// Makes contents.
#[derive(Debug)]
pub(crate) struct Contents {
    rng: SeededRng,
    words: Vec<String>,
    instructions: Vec<[u8; 6]>,
}

impl Contents {
    /// Contents of a seed; words and instructions are the same for all seeds, as languages are.
    pub(crate) fn new(seed: u64) -> Self {
        let language = SeededRng::new(0);
        let words = (0..WORDS).map(|_| word(&language)).collect();
        let instruction = || {
            let mut bytes = [0; 6];
            language.fill(&mut bytes);
            bytes
        };
        let instructions = (0..INSTRUCTIONS).map(|_| instruction()).collect();
        Self { rng: SeededRng::new(seed), words, instructions }
    }

    /// A file's bytes.
    pub(crate) fn file(&self, kind: Kind, size: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size + 256);
        match kind {
            Kind::Text => self.text(&mut bytes, size),
            Kind::Program => self.program(&mut bytes, size),
            Kind::Packed => {
                bytes.resize(size, 0);
                self.rng.fill(&mut bytes);
            }
        }
        bytes.truncate(size);
        bytes
    }

    /// A number below `limit`.
    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.rng.next_u64() % limit
    }

    /// An index below `limit` of which small ones are frequent, about as Zipf has it.
    fn frequent(&self, limit: usize) -> usize {
        let uniform = self.rng.next_u64() >> 40;
        // The cube of a number below one is small most of the time.
        let cube = (((uniform * uniform) >> 24) * uniform) >> 24;
        usize::try_from((cube * limit as u64) >> 24).unwrap_or(0)
    }

    /// Lines of words; every second line is one of the last with another word at its end.
    fn text(&self, bytes: &mut Vec<u8>, size: usize) {
        let mut lines: Vec<(usize, usize)> = Vec::new();
        while bytes.len() < size {
            let start = bytes.len();
            let earlier = lines.len() as u64;
            if earlier > 0 && self.below(20) < 9 {
                let back = usize::try_from(self.below(earlier.min(REPEATED_WITHIN))).unwrap_or(0);
                let (from, to) = lines[lines.len() - 1 - back];
                bytes.extend_from_within(from..to);
            } else {
                let indent = usize::try_from(self.below(4)).unwrap_or(0);
                bytes.extend(std::iter::repeat_n(b' ', indent * 4));
                for _ in 0..4 + self.below(6) {
                    bytes.extend_from_slice(self.words[self.frequent(WORDS)].as_bytes());
                    bytes.push([b' ', b' ', b'.', b'(', b',', b'_'][self.frequent(6)]);
                }
            }
            let end = bytes.len();
            bytes.extend_from_slice(self.words[self.frequent(WORDS)].as_bytes());
            bytes.push(b'\n');
            lines.push((start, end));
        }
    }

    /// Instructions with operands, tables of small numbers, names, and zeros up to the next boundary.
    fn program(&self, bytes: &mut Vec<u8>, size: usize) {
        while bytes.len() < size {
            match self.below(16) {
                10.. if bytes.len() > REPEATED_BYTES * 2 => {
                    let span = bytes.len().min(REPEATED_BYTES_WITHIN) - REPEATED_BYTES;
                    let back = usize::try_from(self.below(span as u64)).unwrap_or(0) + REPEATED_BYTES;
                    let from = bytes.len() - back;
                    bytes.extend_from_within(from..from + REPEATED_BYTES);
                }
                0 => bytes.resize((bytes.len() + 128).next_multiple_of(128), 0),
                1 => {
                    for _ in 0..8 {
                        bytes.extend_from_slice(self.words[self.frequent(WORDS)].as_bytes());
                        bytes.push(0);
                    }
                }
                2..=3 => {
                    for _ in 0..16 {
                        let number = self.frequent(1 << 16) as u64;
                        bytes.extend_from_slice(&number.to_le_bytes());
                    }
                }
                _ => {
                    for _ in 0..24 {
                        let instruction = self.instructions[self.frequent(INSTRUCTIONS)];
                        let used = 2 + usize::from(instruction[0]) % 5;
                        bytes.extend_from_slice(&instruction[..used]);
                        let operand = self.rng.next_u64().to_le_bytes();
                        if operand[7] < 40 {
                            bytes.extend_from_slice(&operand[..1 + usize::from(operand[6] % 2)]);
                        }
                    }
                }
            }
        }
    }
}

/// Two to four syllables.
fn word(rng: &SeededRng) -> String {
    const CONSONANTS: &[u8] = b"bcdfghklmnprstvw";
    const VOWELS: &[u8] = b"aeiou";
    let mut bits = rng.next_u64();
    let mut take = |limit: usize| {
        let taken = usize::try_from(bits % limit as u64).unwrap_or(0);
        bits /= limit as u64;
        taken
    };
    let mut text = String::new();
    for _ in 0..2 + take(3) {
        text.push(char::from(CONSONANTS[take(CONSONANTS.len())]));
        text.push(char::from(VOWELS[take(VOWELS.len())]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    /// What is left of a hundred bytes.
    fn compressed(kind: Kind) -> usize {
        const SIZE: usize = 1 << 20;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(&Contents::new(1).file(kind, SIZE)).unwrap();
        encoder.finish().unwrap().len() * 100 / SIZE
    }

    #[test]
    fn texts_and_programs_compress_as_real_ones_do_and_packed_files_do_not() {
        let [text, program, packed] = [Kind::Text, Kind::Program, Kind::Packed].map(compressed);
        assert!((18..34).contains(&text), "{text} %");
        assert!((28..50).contains(&program), "{program} %");
        assert!((100..102).contains(&packed), "{packed} %");
    }

    #[test]
    fn a_seed_makes_the_same_file_each_time() {
        let file = |seed, kind| Contents::new(seed).file(kind, 5000);
        for kind in [Kind::Text, Kind::Program, Kind::Packed] {
            assert_eq!(file(1, kind).len(), 5000);
            assert_eq!(file(1, kind), file(1, kind));
            assert_ne!(file(1, kind), file(2, kind));
        }
    }
}
