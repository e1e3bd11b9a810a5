//! Archives as no honest program writes them, byte by byte.

use std::io::Write;

const BLOCK: usize = 512;

/// An archive while it is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

/// A member of an archive; whatever its fields say is written.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) link: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) mtime: i64,
    pub(crate) device: (u32, u32),
    pub(crate) content: Vec<u8>,
    /// What the header says about the content's length, if that is not the truth.
    pub(crate) size: Option<[u8; 12]>,
    pub(crate) pax: Vec<(Vec<u8>, Vec<u8>)>,
}

pub(crate) fn member(kind: u8, path: impl AsRef<[u8]>) -> Member {
    let mode = if kind == b'5' { 0o755 } else { 0o644 };
    let path = path.as_ref().to_vec();
    Member {
        path,
        kind,
        link: Vec::new(),
        mode,
        uid: 0,
        gid: 0,
        mtime: 1_700_000_000,
        device: (0, 0),
        content: Vec::new(),
        size: None,
        pax: Vec::new(),
    }
}

pub(crate) fn file(path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Member {
    Member { content: content.as_ref().to_vec(), ..member(b'0', path) }
}

pub(crate) fn directory(path: impl AsRef<[u8]>) -> Member {
    member(b'5', path)
}

pub(crate) fn symlink(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Member {
    Member { link: target.as_ref().to_vec(), ..member(b'2', path) }
}

pub(crate) fn hard_link(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Member {
    Member { link: target.as_ref().to_vec(), ..member(b'1', path) }
}

impl Member {
    pub(crate) fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    pub(crate) fn kind(self, kind: u8) -> Self {
        Self { kind, ..self }
    }

    pub(crate) fn owner(self, uid: u64, gid: u64) -> Self {
        Self { uid, gid, ..self }
    }

    pub(crate) fn pax(mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.pax.push((key.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn xattr(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.pax(format!("SCHILY.xattr.{name}"), value)
    }

    /// The header, with an honest checksum.
    fn header(&self) -> [u8; BLOCK] {
        let mut header = [0; BLOCK];
        let mut put = |place: usize, bytes: &[u8]| header[place..place + bytes.len()].copy_from_slice(bytes);
        put(0, &self.path[..self.path.len().min(100)]);
        put(100, format!("{:07o}\0", self.mode).as_bytes());
        put(108, &number::<8>(self.uid.cast_signed()));
        put(116, &number::<8>(self.gid.cast_signed()));
        put(124, &self.size.unwrap_or_else(|| number(self.content.len() as i64)));
        put(136, &number::<12>(self.mtime));
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(257, b"ustar\x0000");
        put(329, &number::<8>(self.device.0.into()));
        put(337, &number::<8>(self.device.1.into()));
        sealed(header)
    }
}

/// Gives a header its checksum.
pub(crate) fn sealed(mut header: [u8; BLOCK]) -> [u8; BLOCK] {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// A number as GNU tar writes it: octal if it fits, else binary.
pub(crate) fn number<const N: usize>(value: i64) -> [u8; N] {
    let mut field = [0; N];
    let octal = format!("{value:0width$o}\0", width = N - 1);
    if value >= 0 && octal.len() <= N {
        field.copy_from_slice(octal.as_bytes());
        return field;
    }
    field.fill(if value < 0 { 0xff } else { 0 });
    let at = N - 8;
    field[at..].copy_from_slice(&value.to_be_bytes());
    field[0] |= 0x80;
    field
}

pub(crate) fn records(records: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        let body = key.len() + value.len() + 3;
        let mut length = body + 1;
        while body + length.to_string().len() != length {
            length = body + length.to_string().len();
        }
        write!(bytes, "{length} ").unwrap();
        bytes.extend_from_slice(&[key, &b"="[..], value, b"\n"].concat());
    }
    bytes
}

impl Archive {
    pub(crate) fn of(members: impl IntoIterator<Item = Member>) -> Self {
        members.into_iter().fold(Self::default(), Self::with)
    }

    /// Adds a member; what does not fit into its header goes before it.
    pub(crate) fn with(mut self, mut member: Member) -> Self {
        if member.path.len() > 100 {
            member.pax.insert(0, (b"path".to_vec(), member.path.clone()));
        }
        if member.link.len() > 100 {
            member.pax.insert(0, (b"linkpath".to_vec(), member.link.clone()));
        }
        if !member.pax.is_empty() {
            let extended = Member { content: records(&member.pax), kind: b'x', ..file("PaxHeaders/x", "") };
            self = self.block(&extended.header()).content(&extended.content);
        }
        self.block(&member.header()).content(&member.content)
    }

    /// Adds bytes as they are.
    pub(crate) fn block(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds bytes, filled up to whole blocks.
    pub(crate) fn content(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// Ends the archive as it should be.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }
}
