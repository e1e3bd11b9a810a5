//! From a stream of bytes to members.

use std::io::{self, BufRead};

use super::header::{BLOCK, Header, Role};
use super::pax::{Pax, decimal};
use super::sparse::{self, Extent};
use super::{EXTENDED_BYTES_MAX, Kind, PATH_LENGTH_MAX, SPARSE_EXTENTS_MAX, TarError};

/// A member of an archive, without its content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As it stands in the archive.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    /// What a link leads to, as it stands in the archive.
    pub(crate) link: Vec<u8>,
    /// Permissions with set-id and sticky bits, and nothing else.
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Seconds and nanoseconds since 1970.
    pub(crate) mtime: (i64, u32),
    /// How many bytes a file has, with its holes.
    pub(crate) size: u64,
    /// Where the content belongs, in a file with holes.
    pub(crate) sparse: Option<Vec<Extent>>,
    /// Major and minor number.
    pub(crate) device: (u32, u32),
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Reads an archive from its beginning to its end.
pub(crate) struct TarReader<R> {
    input: R,
    /// How much of the current member's content has not been read.
    content: u64,
    /// How much follows that up to the next block.
    padding: u64,
}

impl<R: BufRead> TarReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, content: 0, padding: 0 }
    }

    /// How many bytes of the current member's content are still to come: all of it, just after [`Self::next`].
    pub(crate) fn content(&self) -> u64 {
        self.content
    }

    /// The next member; none at the end of the archive. What was not read of the last one's content is passed over.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, TarError> {
        let (mut pax, mut long_name, mut long_link) = (None, None, None);
        loop {
            self.pass_over_content()?;
            let mut block = [0; BLOCK];
            if !self.header_block(&mut block)? {
                let dangling = pax.is_some() || long_name.is_some() || long_link.is_some();
                return if dangling { Err(TarError::Truncated) } else { Ok(None) };
            }
            let header = Header::new(&block)?;
            let role = header.role()?;
            match role {
                Role::Member(kind) => return self.member(&header, kind, pax, long_name, long_link).map(Some),
                Role::SparseMember => return self.gnu_sparse(&header, pax, long_name, long_link).map(Some),
                Role::Extended if pax.is_none() => pax = Some(Pax::parse(&self.extended(&header)?)?),
                Role::LongName if long_name.is_none() => long_name = Some(self.long_path(&header, "path")?),
                Role::LongLink if long_link.is_none() => long_link = Some(self.long_path(&header, "link")?),
                Role::PassedOver => self.extended(&header).map(drop)?,
                Role::Extended | Role::LongName | Role::LongLink => {
                    return Err(TarError::Extended("there are two of a kind before one member"));
                }
            }
        }
    }

    /// Hands out the content of the current member, piece by piece.
    pub(crate) fn read_content<E: From<TarError>>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while self.content > 0 {
            let available = fill(&mut self.input)?;
            if available.is_empty() {
                return Err(TarError::Truncated.into());
            }
            let length = usize::try_from(self.content).unwrap_or(usize::MAX).min(available.len());
            take(&available[..length])?;
            self.input.consume(length);
            self.content -= length as u64;
        }
        Ok(())
    }

    /// Reads what follows the end of the archive: zeros that fill up the last record.
    pub(crate) fn finish(mut self) -> Result<(), TarError> {
        loop {
            let available = fill(&mut self.input)?;
            if available.is_empty() {
                return Ok(());
            }
            if available.iter().any(|&b| b != 0) {
                return Err(TarError::TrailingData);
            }
            let length = available.len();
            self.input.consume(length);
        }
    }

    fn member(
        &mut self,
        header: &Header<'_>,
        kind: Kind,
        pax: Option<Pax>,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry, TarError> {
        let mut pax = pax.unwrap_or_default();
        let size = pax.size.map_or_else(|| header.size(), Ok)?;
        let extents = std::mem::take(&mut pax.sparse);
        let mut entry = self.entry(header, kind, pax, long_name, long_link)?;
        // Only files have content. Some programs give links and directories a size all the same, and no content.
        if kind != Kind::File {
            return Ok(entry);
        }
        self.expect(size);
        entry.size = size;
        if extents.present {
            let file_size = extents.size.ok_or(TarError::Sparse)?;
            let map = match extents.version {
                Some((1, 0)) => self.sparse_map()?,
                None | Some((0, _)) => extents.extents,
                Some(_) => return Err(TarError::Sparse),
            };
            if let Some(name) = extents.name {
                entry.path = name;
            }
            sparse::check(&map, file_size, self.content)?;
            (entry.size, entry.sparse) = (file_size, Some(map));
        }
        Ok(entry)
    }

    fn gnu_sparse(
        &mut self,
        header: &Header<'_>,
        pax: Option<Pax>,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry, TarError> {
        let pax = pax.unwrap_or_default();
        if pax.sparse.present {
            return Err(TarError::Sparse);
        }
        let stored = pax.size.map_or_else(|| header.size(), Ok)?;
        let (fields, mut extended, file_size) = header.sparse()?;
        let mut entry = self.entry(header, Kind::File, pax, long_name, long_link)?;
        let mut extents = Vec::new();
        sparse::take_gnu(fields, &mut extents)?;
        while extended {
            let mut block = [0; BLOCK];
            if !self.block(&mut block)? {
                return Err(TarError::Truncated);
            }
            extended = sparse::take_gnu_block(&block, &mut extents)?;
            // Blocks without a piece would let the list go on for ever.
            if extended && block[..24].iter().all(|&b| b == 0) {
                return Err(TarError::Sparse);
            }
        }
        self.expect(stored);
        sparse::check(&extents, file_size, stored)?;
        (entry.size, entry.sparse) = (file_size, Some(extents));
        Ok(entry)
    }

    fn entry(
        &mut self,
        header: &Header<'_>,
        kind: Kind,
        pax: Pax,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry, TarError> {
        let is_device = matches!(kind, Kind::CharacterDevice | Kind::BlockDevice);
        Ok(Entry {
            path: pax.path.or(long_name).unwrap_or_else(|| header.path()),
            kind,
            link: pax.link.or(long_link).unwrap_or_else(|| header.link()),
            mode: header.mode()?,
            uid: pax.uid.map_or_else(|| header.uid(), Ok)?,
            gid: pax.gid.map_or_else(|| header.gid(), Ok)?,
            mtime: pax.mtime.map_or_else(|| header.mtime().map(|seconds| (seconds, 0)), Ok)?,
            size: 0,
            sparse: None,
            device: if is_device { header.device()? } else { (0, 0) },
            xattrs: pax.xattrs,
        })
    }

    /// The pieces of a sparse file of version 1.0, which stand before its content: decimal numbers in lines, filled up to
    /// whole blocks.
    fn sparse_map(&mut self) -> Result<Vec<Extent>, TarError> {
        const LINE_LENGTH_MAX: usize = 20;
        let (mut block, mut place) = ([0; BLOCK], BLOCK);
        let mut number = || -> Result<u64, TarError> {
            let mut digits = Vec::new();
            loop {
                if place == BLOCK {
                    if self.content < BLOCK as u64 || !read_whole(&mut self.input, &mut block)? {
                        return Err(TarError::Sparse);
                    }
                    (self.content, place) = (self.content - BLOCK as u64, 0);
                }
                place += 1;
                match block[place - 1] {
                    b'\n' => return decimal(&digits, "offset"),
                    _ if digits.len() == LINE_LENGTH_MAX => return Err(TarError::Sparse),
                    digit => digits.push(digit),
                }
            }
        };
        let count = number()?;
        if count > SPARSE_EXTENTS_MAX as u64 {
            return Err(TarError::TooLong("list of pieces"));
        }
        (0..count).map(|_| Ok(Extent { offset: number()?, length: number()? })).collect()
    }

    /// The content of an extended header.
    fn extended(&mut self, header: &Header<'_>) -> Result<Vec<u8>, TarError> {
        let size = header.size()?;
        if size > EXTENDED_BYTES_MAX {
            return Err(TarError::TooLong("extended header"));
        }
        self.expect(size);
        let mut bytes = Vec::new();
        self.read_content::<TarError>(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// A path in GNU's form: it ends with a zero.
    fn long_path(&mut self, header: &Header<'_>, what: &'static str) -> Result<Vec<u8>, TarError> {
        let mut bytes = self.extended(header)?;
        let length = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        if length > PATH_LENGTH_MAX {
            return Err(TarError::TooLong(what));
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    fn expect(&mut self, size: u64) {
        self.content = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn pass_over_content(&mut self) -> Result<(), TarError> {
        self.read_content::<TarError>(|_| Ok(()))?;
        self.content = std::mem::take(&mut self.padding);
        self.read_content::<TarError>(|_| Ok(()))
    }

    /// The next header; none at the end, which is two blocks of zeros or, with some programs, no more bytes.
    fn header_block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, TarError> {
        if !self.block(block)? {
            return Ok(false);
        }
        if block.iter().any(|&b| b != 0) {
            return Ok(true);
        }
        if self.block(block)? && block.iter().any(|&b| b != 0) {
            return Err(TarError::TrailingData);
        }
        Ok(false)
    }

    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, TarError> {
        read_whole(&mut self.input, block)
    }
}

/// Reads a block; none at the end of the input.
fn read_whole(input: &mut impl BufRead, block: &mut [u8; BLOCK]) -> Result<bool, TarError> {
    let mut have = 0;
    while have < BLOCK {
        let available = fill(input)?;
        if available.is_empty() {
            return if have == 0 { Ok(false) } else { Err(TarError::Truncated) };
        }
        let length = available.len().min(BLOCK - have);
        block[have..have + length].copy_from_slice(&available[..length]);
        input.consume(length);
        have += length;
    }
    Ok(true)
}

fn fill(input: &mut impl BufRead) -> Result<&[u8], TarError> {
    // Twice, because a buffer cannot be kept from one turn of a loop to the next and returned.
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(input.fill_buf()?)
}
