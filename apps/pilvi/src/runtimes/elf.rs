//! What a program or a shared library says of what it needs: enough of ELF to follow `DT_NEEDED`.
//!
//! Files are read as the machine's own loader reads them, and trusted no further: every offset is checked, every text bounded.
//! (System V ABI, "Object Files"; glibc's elf.h.)

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How many program headers are read; linkers write about a dozen.
const HEADERS_MAX: usize = 256;
/// The largest dynamic section, in bytes.
const DYNAMIC_BYTES_MAX: usize = 64 * 1024;
/// The longest text: a search path, or a name.
const TEXT_BYTES_MAX: usize = 4096;

const HEADER_BYTES: usize = 64;
const PROGRAM_HEADER_BYTES: usize = 56;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

/// What an object says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Object {
    /// The processor that it is for (`e_machine`).
    pub(super) machine: u16,
    /// The loader that starts it; of a program that is not static.
    pub(super) interpreter: Option<String>,
    /// The libraries that it needs, by their names.
    pub(super) needed: Vec<String>,
    /// Where they are looked for first, `$ORIGIN` not replaced: `DT_RUNPATH`, else `DT_RPATH`.
    pub(super) search: Vec<String>,
}

/// Reads a file; none if it is no object of 64 bits in little-endian order, as all of the processors are that Pilvi runs on.
///
/// # Errors
/// When it cannot be read, or is damaged.
pub(super) fn read(path: &Path) -> io::Result<Option<Object>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut head = [0; HEADER_BYTES];
    if length < HEADER_BYTES as u64 {
        return Ok(None);
    }
    file.read_exact_at(&mut head, 0)?;
    // The magic number, ELFCLASS64, ELFDATA2LSB.
    if head[..6] != *b"\x7fELF\x02\x01" {
        return Ok(None);
    }
    let mut object = Object { machine: u16_at(&head, 18), ..Object::default() };
    let segments = segments(&file, &head)?;
    if let Some(interpreter) = segments.iter().find(|segment| segment.kind == PT_INTERP) {
        object.interpreter = Some(text_at(&file, interpreter.offset)?);
    }
    if let Some(dynamic) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) {
        read_dynamic(&file, &segments, dynamic, &mut object)?;
    }
    Ok(Some(object))
}

struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    bytes: u64,
}

fn segments(file: &File, head: &[u8]) -> io::Result<Vec<Segment>> {
    let (offset, size, count) = (u64_at(head, 32), usize::from(u16_at(head, 54)), usize::from(u16_at(head, 56)));
    if count == 0 {
        return Ok(Vec::new());
    }
    if size != PROGRAM_HEADER_BYTES || count > HEADERS_MAX {
        return Err(damaged("its program headers are of an unknown form"));
    }
    let mut table = vec![0; size * count];
    file.read_exact_at(&mut table, offset)?;
    Ok(table
        .chunks_exact(size)
        .map(|entry| Segment {
            kind: u32_at(entry, 0),
            offset: u64_at(entry, 8),
            address: u64_at(entry, 16),
            bytes: u64_at(entry, 32),
        })
        .collect())
}

fn read_dynamic(file: &File, segments: &[Segment], dynamic: &Segment, object: &mut Object) -> io::Result<()> {
    let bytes = usize::try_from(dynamic.bytes).unwrap_or(usize::MAX);
    if bytes > DYNAMIC_BYTES_MAX {
        return Err(damaged("its dynamic section is too long"));
    }
    let mut table = vec![0; bytes];
    file.read_exact_at(&mut table, dynamic.offset)?;
    let entries: Vec<(u64, u64)> = table
        .chunks_exact(16)
        .map(|entry| (u64_at(entry, 0), u64_at(entry, 8)))
        .take_while(|(tag, _)| *tag != DT_NULL)
        .collect();
    let value = |wanted: u64| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let Some(texts) = value(DT_STRTAB) else { return Ok(()) };
    let texts = offset_of(segments, texts).ok_or_else(|| damaged("its texts are in no segment"))?;
    let text = |at: u64| text_at(file, texts.checked_add(at).ok_or_else(|| damaged("a text is out of bounds"))?);
    for (_, at) in entries.iter().filter(|(tag, _)| *tag == DT_NEEDED) {
        object.needed.push(text(*at)?);
    }
    // DT_RPATH counts only where there is no DT_RUNPATH.
    if let Some(at) = value(DT_RUNPATH).or_else(|| value(DT_RPATH)) {
        object.search = text(at)?.split(':').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    }
    Ok(())
}

/// Where in the file an address is.
fn offset_of(segments: &[Segment], address: u64) -> Option<u64> {
    let is_in = |segment: &&Segment| {
        segment.kind == PT_LOAD && address >= segment.address && address - segment.address < segment.bytes
    };
    let segment = segments.iter().find(is_in)?;
    (address - segment.address).checked_add(segment.offset)
}

/// A text that a zero byte ends.
fn text_at(file: &File, offset: u64) -> io::Result<String> {
    let mut bytes = vec![0; TEXT_BYTES_MAX];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset.saturating_add(filled as u64))? {
            0 => break,
            read => filled += read,
        }
        if bytes[..filled].contains(&0) {
            break;
        }
    }
    let end = bytes[..filled].iter().position(|byte| *byte == 0).ok_or_else(|| damaged("a text has no end"))?;
    bytes.truncate(end);
    String::from_utf8(bytes).map_err(|_| damaged("a text is no UTF-8"))
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// Objects for tests.
#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A program or library of one loadable segment that says these things.
    pub(in super::super) fn object(interpreter: Option<&str>, needed: &[&str], runpath: Option<&str>) -> Vec<u8> {
        const HEADERS: usize = 3;
        let mut texts = vec![0_u8];
        let mut text = |said: &str| {
            let at = texts.len() as u64;
            texts.extend_from_slice(said.as_bytes());
            texts.push(0);
            at
        };
        let loader = interpreter.map(&mut text);
        let mut dynamic: Vec<(u64, u64)> = needed.iter().map(|name| (DT_NEEDED, text(name))).collect();
        dynamic.extend(runpath.map(|path| (DT_RUNPATH, text(path))));
        let texts_at = (HEADER_BYTES + HEADERS * PROGRAM_HEADER_BYTES) as u64;
        let dynamic_at = texts_at + texts.len() as u64;
        const ADDRESS: u64 = 0x40_0000;
        dynamic.extend([(DT_STRTAB, ADDRESS + texts_at), (DT_NULL, 0)]);
        let dynamic: Vec<u8> =
            dynamic.iter().flat_map(|(tag, value)| [tag.to_le_bytes(), value.to_le_bytes()].concat()).collect();
        let end = dynamic_at + dynamic.len() as u64;
        let header = |kind: u32, offset: u64, bytes: u64| {
            let mut entry = kind.to_le_bytes().to_vec();
            entry.extend([0; 4]);
            for field in [offset, ADDRESS + offset, ADDRESS + offset, bytes, bytes, 8] {
                entry.extend(field.to_le_bytes());
            }
            entry
        };
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend(3_u16.to_le_bytes());
        file.extend(62_u16.to_le_bytes());
        file.resize(32, 0);
        file.extend((HEADER_BYTES as u64).to_le_bytes());
        file.resize(54, 0);
        file.extend([PROGRAM_HEADER_BYTES as u16, HEADERS as u16].iter().flat_map(|number| number.to_le_bytes()));
        file.resize(HEADER_BYTES, 0);
        file.extend(header(PT_LOAD, 0, end));
        file.extend(header(PT_DYNAMIC, dynamic_at, end - dynamic_at));
        // A header that means nothing where there is no loader.
        file.extend(header(if loader.is_some() { PT_INTERP } else { 0 }, texts_at + loader.unwrap_or(0), 1));
        file.extend(texts);
        file.extend(dynamic);
        file
    }

    fn read_bytes(bytes: &[u8]) -> io::Result<Option<Object>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("object");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    }

    #[test]
    fn an_object_tells_its_loader_its_libraries_and_where_they_are() {
        let bytes = object(Some("/lib/ld.so"), &["libc.so.6", "libm.so.6"], Some("$ORIGIN/../lib:/opt/lib"));
        let read = read_bytes(&bytes).unwrap().unwrap();
        let expected = Object {
            machine: 62,
            interpreter: Some("/lib/ld.so".to_owned()),
            needed: vec!["libc.so.6".to_owned(), "libm.so.6".to_owned()],
            search: vec!["$ORIGIN/../lib".to_owned(), "/opt/lib".to_owned()],
        };
        assert_eq!(read, expected);
        assert_eq!(read_bytes(&object(None, &[], None)).unwrap().unwrap().interpreter, None);
    }

    #[test]
    fn the_program_of_this_test_is_read() {
        let object = read(&std::env::current_exe().unwrap()).unwrap().unwrap();
        let expected = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
        assert_eq!(object.machine, expected);
    }

    #[test]
    fn what_is_no_object_is_none_and_what_is_cut_off_is_an_error() {
        assert_eq!(read_bytes(b"#!/bin/sh\n").unwrap(), None);
        assert_eq!(read_bytes(&[b'#'; 100]).unwrap(), None);
        let whole = object(Some("/lib/ld.so"), &["libc.so.6"], None);
        for length in HEADER_BYTES..whole.len() {
            // Never a panic, and never what is not there.
            if let Ok(Some(read)) = read_bytes(&whole[..length]) {
                assert!(read.needed.is_empty() || length + 16 >= whole.len(), "{length}: {read:?}");
            }
        }
        for at in 16..HEADER_BYTES + 3 * PROGRAM_HEADER_BYTES {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            let _ = read_bytes(&broken);
        }
    }
}
